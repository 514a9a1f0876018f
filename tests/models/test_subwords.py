"""Character n-grams in the bag of embeddings: unknown words are read and explained exactly; models are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from laws import score_gap

import textlrp
from textlrp.errors import OptionError
from textlrp.evaluation.docvectors import document_vectors
from textlrp.evaluation.measured_corpus import score_corpus
from textlrp.lrp.presets import as_composite
from textlrp.records import Document
from textlrp.text.subwords import (
    RECENT,
    UNKNOWN_FROM,
    OpenVocabulary,
    RecentWords,
    composition,
    ngram_buckets,
)
from textlrp.text.tokens import CACHED_CHUNKS
from textlrp.text.vocabulary import Vocabulary

TEXTS = ["Hausboot Meer Segel", "Segelboot Wasser", "Autobahn Reifen Motor", "Motorhaube Auto"] * 5
LABELS = ["boat", "boat", "car", "car"] * 5
UNKNOWN = ["Bootsmotor und Segelauto", "Hausboot Fremdwort Hausboot", "", "xq", "Meer"]


@pytest.fixture(scope="module")
def model() -> Any:
    return textlrp.BagOfEmbeddingsClassifier(
        embedding_dim=8, max_epochs=3, subwords=(3, 5), buckets=256, dtype="float64", validation_fraction=0
    ).fit(TEXTS, LABELS)


def test_buckets_are_those_of_the_ngrams_of_the_word_with_its_edges() -> None:
    alone = [ngram_buckets("ab", n, n, 1 << 20) for n in (3, 4)]
    assert [len(row) for row in alone] == [2, 1]
    assert set(ngram_buckets("ab", 3, 6, 1 << 20)) == set(np.concatenate(alone))
    assert len(ngram_buckets("a", 4, 6, 10)) == 0
    assert len(ngram_buckets("\ud800x", 3, 3, 10)) > 0
    mixing = composition(["ab", "a", "abcdef"], (3, 4), 64)
    np.testing.assert_allclose(mixing.sum(axis=1).A1 if hasattr(mixing.sum(axis=1), "A1") else mixing.sum(axis=1), 1)


def test_every_word_has_an_id_that_follows_from_the_word_alone() -> None:
    known = Vocabulary(("meer",), np.array([3], np.int32), 5)
    first, second = (OpenVocabulary(known.words, known.counts, known.documents) for _ in range(2))
    assert first.ids(["meer", "see", "bucht"]).tolist() == second.ids(["meer", "bucht", "see"])[[0, 2, 1]].tolist()
    assert (first.ids(["see"]) >= UNKNOWN_FROM).all()
    assert first.counts_of(first.ids(["meer", "see"])).tolist() == [3, 0]


@given(size=st.integers(1, 5), used=st.lists(st.integers(0, 12), max_size=60))
def test_the_most_recent_words_are_cached(size: int, used: list[int]) -> None:
    recent = RecentWords(size)
    for place, number in enumerate(used):
        recent[number] = str(number)
        assert len(recent) <= 2 * size
        last = list(dict.fromkeys(reversed(used[: place + 1])))[:size]
        assert [recent[other] for other in last] == list(map(str, last))


def test_a_reader_remembers_no_id_whose_word_is_forgotten() -> None:
    assert RECENT > 2 * CACHED_CHUNKS  # a reader clears its own cache when it has CACHED_CHUNKS entries


@every("rule", ["zero", "epsilon", "gamma", "alpha2beta1", "z-plus", "w-square", "flat", "box"])
def test_unknown_words_are_read_and_explained_exactly(model: Any, rule: str) -> None:
    rule = "deep_taylor" if rule == "box" else rule
    together = list(textlrp.explain(model, UNKNOWN, target="all", rule=rule))
    for text, why in zip(UNKNOWN, together, strict=True):
        scale = np.abs(why.relevance).sum() + np.abs(why.absorbed).sum() + 1e-12
        assert score_gap(why) < 1e-12
        assert (why.status == 0).all()
        alone = textlrp.explain(model, text, target="all", rule=rule)
        np.testing.assert_allclose(alone.relevance, why.relevance, atol=1e-12 * scale)
        np.testing.assert_allclose(why.scores, model.scores(model.encode([text]))[0], atol=1e-12)


def test_an_unknown_word_is_the_mean_of_its_ngrams(model: Any) -> None:
    ids = model.encode(["bootsmotor Meer"]).ids[0]
    rows = model.weights_["subwords"][ngram_buckets("bootsmotor", 3, 5, 256)]
    vectors = model.lookup_vectors(ids)
    np.testing.assert_allclose(vectors[0], rows.mean(axis=0))
    assert np.array_equal(vectors[1], model.weights_["embedding"][model.vocabulary_.id("meer")])
    idf = model.inverse_document_frequencies(ids)
    weights = idf / np.linalg.norm(idf)
    expected = weights @ vectors @ model.weights_["output.weight"].T + model.weights_["output.bias"]
    np.testing.assert_allclose(model.scores(model.encode(["bootsmotor Meer"]))[0], expected)
    why = textlrp.explain(model, "bootsmotor Meer", target="all", rule="zero")
    np.testing.assert_allclose(why.relevance, (weights[:, None] * vectors @ model.weights_["output.weight"].T).T)


@pytest.mark.parametrize("method", ["gradient-x-input", "occlusion", "integrated-gradients"])
def test_other_methods_read_unknown_words(model: Any, method: str) -> None:
    why = textlrp.explain(model, "Bootsmotor Hausboot", method=method)
    assert (why.relevance != 0).all()


def test_a_masked_word_is_the_zero_vector(model: Any) -> None:
    batch = model.encode(["bootsmotor Meer"])
    keep = np.array([[False, True], [True, True]])
    masked = model.scores_when_masked(batch, 0, keep)
    np.testing.assert_allclose(masked[1], model.scores(batch)[0])
    np.testing.assert_allclose(masked[0], model.scores(batch, keep=keep[:1])[0])


def test_a_loaded_model_predicts_the_same_whatever_it_read_before(model: Any, tmp_path: Path) -> None:
    again = textlrp.load(model.save(tmp_path / "model"))
    again.predict(["ganz andere Texte zuvor"])
    assert np.array_equal(again.decision_function(UNKNOWN), model.decision_function(UNKNOWN))
    assert again.fingerprint_ == model.fingerprint_
    first, second = (textlrp.explain(one, UNKNOWN[0], target="all") for one in (model, again))
    assert first.relevance.tobytes() == second.relevance.tobytes()


def test_training_is_repeatable_and_moves_the_ngrams() -> None:
    first, second = (
        textlrp.BagOfEmbeddingsClassifier(embedding_dim=8, max_epochs=epochs, subwords=(3, 4), buckets=64).fit(
            TEXTS, LABELS
        )
        for epochs in (2, 2)
    )
    assert first.weights_["subwords"].tobytes() == second.weights_["subwords"].tobytes()
    longer = textlrp.BagOfEmbeddingsClassifier(embedding_dim=8, max_epochs=4, subwords=(3, 4), buckets=64)
    assert not np.array_equal(longer.fit(TEXTS, LABELS).weights_["subwords"], first.weights_["subwords"])
    assert not first.weights_["embedding"][0].any()


def test_document_vectors_count_unknown_words(model: Any) -> None:
    batch = model.encode(["bootsmotor Meer"])
    corpus = score_corpus(model, [Document("1", "bootsmotor Meer", "boat")])
    vectors = document_vectors(corpus, "uniform", composite=as_composite("epsilon"))
    np.testing.assert_allclose(vectors[0], model.lookup_vectors(batch.ids[0]).sum(axis=0))


@every("subwords", [(0, 3), (4, 3), (3,), "36", 3, (3.0, 6)])
def test_a_wrong_range_is_refused(subwords: Any) -> None:
    with pytest.raises(OptionError, match=r"subwords must be None or two whole .* Pass subwords=\(3, 6\)"):
        textlrp.BagOfEmbeddingsClassifier(subwords=subwords).fit(TEXTS, LABELS)
