"""Soft comprehensiveness and sufficiency: extremes computed by hand, and the expectation over all masks."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from test_deletion import Sentiment
from toys import LABELS, TEXTS, fitted, learner

from textlrp.errors import DataError, ModelError, OptionError
from textlrp.evaluation.measured_corpus import MethodSpec, score_corpus, word_relevances
from textlrp.evaluation.soft_masks import soft_erasure
from textlrp.models.differentiable import InputPoint
from textlrp.records import Document

VECTORS = {"good": (1.0, 2.0), "fine": (0.5, 0.0), "bad": (-1.0, -0.5), "dull": (0.0, -1.0), "the": (0.0, 0.0)}


class Vectors(Sentiment):
    """Scores are (-s, s), where s is the sum of all elements of the word vectors."""

    def scores(self, batch: Any, *, keep: Any = None) -> Any:
        sums = np.array([0.0, *(sum(VECTORS[name]) for name in self.names)])[batch.ids]
        total = (sums if keep is None else sums * keep).sum(axis=1)
        return np.stack([-total, total], axis=1)

    def input_point(self, batch: Any, n: int, *, dtype: Any = None) -> InputPoint:
        rows = [VECTORS[self.names[word - 1]] for word in batch.text(n).tolist()]
        inputs = torch.tensor(rows, dtype=torch.float64).reshape(len(rows), 2)

        def forward(alternatives: Any) -> Any:
            total = alternatives.sum(dim=(1, 2))
            return torch.stack([-total, total], dim=1)

        return InputPoint(inputs, forward)


def corpus_of(*texts: str) -> Any:
    return score_corpus(Vectors(), [Document(str(n), text, "up") for n, text in enumerate(texts)])  # type: ignore[arg-type]


def test_importance_of_one_and_zero_is_erasure_of_words() -> None:
    corpus = corpus_of("good the fine dull")  # f(x) = 2.5, f(0) = 0
    found = soft_erasure(corpus, [np.array([2.0, 0.0, 0.0, -1.0])], draws=3)
    # without "good" f = -0.5: the loss is 3 of 2.5; with "good" alone f = 3, so nothing is lost
    assert found.comprehensiveness == pytest.approx(3 / 2.5)
    assert found.sufficiency == pytest.approx(1)
    assert (found.comprehensiveness_spread, found.sufficiency_spread) == (0, 0)
    assert (found.quantity, found.n_documents, found.n_excluded) == ("score", 1, 0)


def test_the_mean_over_draws_is_the_expectation_over_all_masks() -> None:
    corpus, relevance = corpus_of("good fine"), np.array([2.0, 1.0])
    found = soft_erasure(corpus, [relevance], draws=4000)
    elements = [*VECTORS["good"], *VECTORS["fine"]]
    importance = [1.0, 1.0, 0.5, 0.5]
    whole, expected = sum(elements), {"comprehensiveness": 0.0, "sufficiency": 0.0}
    for mask in product((0, 1), repeat=4):
        value = sum(kept * element for kept, element in zip(mask, elements, strict=True))
        lost = max(0.0, whole - value) / whole
        keep = [a if kept else 1 - a for kept, a in zip(mask, importance, strict=True)]
        drop = [1 - a if kept else a for kept, a in zip(mask, importance, strict=True)]
        expected["sufficiency"] += float(np.prod(keep)) * (1 - lost)
        expected["comprehensiveness"] += float(np.prod(drop)) * lost
    assert found.comprehensiveness == pytest.approx(expected["comprehensiveness"], abs=0.01)
    assert found.sufficiency == pytest.approx(expected["sufficiency"], abs=0.01)
    assert 0 < found.comprehensiveness_spread < 0.2


def test_a_good_order_of_importance_is_better_than_the_reverse() -> None:
    model = learner("cnn", filters=8, embedding_dim=12).fit(TEXTS, LABELS)
    corpus = score_corpus(model, [Document(str(n), text, LABELS[n]) for n, text in enumerate(TEXTS)])
    relevances = word_relevances(corpus, MethodSpec("LRP")).predicted
    lrp = soft_erasure(corpus, relevances, seed=1)
    draw = np.random.default_rng(0)
    chance = soft_erasure(corpus, [draw.uniform(size=int(length)) for length in corpus.lengths], seed=1)
    assert lrp.comprehensiveness > chance.comprehensiveness + 0.05
    assert lrp.sufficiency > chance.sufficiency + 0.01
    assert lrp.quantity == "probability"


@every("variant", ["cnn-max", "cnn-mean", "boe"])
def test_the_same_seed_gives_the_same_values(variant: str) -> None:
    corpus = score_corpus(fitted(variant), [Document(str(n), text, LABELS[n]) for n, text in enumerate(TEXTS[:4])])
    relevances = [np.arange(int(length), dtype=float) for length in corpus.lengths]
    first, second = (soft_erasure(corpus, relevances, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.sufficiency_values, second.sufficiency_values)
    other = soft_erasure(corpus, relevances, seed=4)
    assert not np.array_equal(first.sufficiency_values, other.sufficiency_values)


def test_models_of_counts_are_refused() -> None:
    corpus = score_corpus(fitted("svm"), [Document("0", TEXTS[0], LABELS[0])])
    with pytest.raises(ModelError, match="one vector for each word"):
        soft_erasure(corpus, [np.ones(int(corpus.lengths[0]))])


def test_documents_left_out_and_wrong_options() -> None:
    corpus = corpus_of("good fine", "the the", "good", "fine")
    values: list[Any] = [np.array([1.0, 0.5]), np.zeros(2), None, np.array([1.0])]
    found = soft_erasure(corpus, values, mask=np.array([True, True, True, False]))
    # the words of the second text change nothing: f(x) = f(0)
    assert (found.n_documents, found.n_excluded) == (1, 1)
    assert np.isfinite(found.sufficiency_values).tolist() == [True, False, False, False]
    with pytest.raises(DataError, match="no document is left"):
        soft_erasure(corpus, [None] * 4)
    with pytest.raises(OptionError, match="draws must be a whole number"):
        soft_erasure(corpus, values, draws=0)
