"""Word deletion: four documents computed manually, random relevance, and properties of every model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import LABELS, TEXTS, fitted, learner

from textlrp.errors import DataError
from textlrp.evaluation.deletion import (
    DELETION_PROTOCOLS,
    OTHER_PROTOCOLS,
    area_difference,
    deletion_curve,
    deletion_order,
    document_areas,
    protocol_documents,
    protocol_results,
    steps_as_in_training,
    still_correct,
)
from textlrp.evaluation.measured_corpus import MethodSpec, ScoredCorpus, score_corpus, word_relevances
from textlrp.records import Document

WEIGHT = {"good": 2.0, "fine": 1.0, "bad": -2.0, "dull": -1.0}


class Sentiment:
    """Scores are (-s, s): "good" and "fine" support "up", "bad" and "dull" support "down"; no words: "down"."""

    classes_ = np.array(["down", "up"])
    fingerprint_ = "manual"
    max_texts_per_trace = 2

    def __init__(self) -> None:
        self.words: Any = fitted("cnn-max").set_params()
        self.names = [*WEIGHT, "the"]

    def encode(self, texts: Any) -> Any:
        from textlrp.text.batches import Batch, end_to_end

        reader = self.words.reader()
        readings = [reader.read(text, n) for n, text in enumerate(texts)]
        rows = [np.array([self.names.index(form) + 1 for form in reading.forms]) for reading in readings]
        nothing = tuple(np.zeros(len(reading.tokens), dtype=np.int32) for reading in readings)
        return Batch(tuple(readings), *end_to_end(rows), tuple(each.astype(np.uint8) for each in nothing), nothing)

    def scores(self, batch: Any, *, keep: Any = None) -> Any:
        values = np.array([0.0, *WEIGHT.values(), 0.0])[batch.ids]
        total = (values if keep is None else values * keep).sum(axis=1) - 0.5
        return np.stack([-total, total], axis=1)

    def probabilities(self, scores: Any) -> Any:
        return None


DOCUMENTS = [
    Document("a", "good the fine the", "up"),  # correct: 3
    Document("b", "bad the fine", "down"),  # correct: -1
    Document("c", "good the dull dull", "down"),  # incorrect: predicted "up", 0
    Document("d", "bad fine the good dull", "up"),  # incorrect: predicted "down", 0
]


def relevance_of(document: Document, label: str) -> Any:
    sign = 1 if label == "up" else -1
    return np.array([sign * WEIGHT.get(word, 0.0) for word in document.text.split()])


@pytest.fixture(scope="module")
def corpus() -> ScoredCorpus:
    return score_corpus(Sentiment(), DOCUMENTS)  # type: ignore[arg-type]


def true_label(corpus: ScoredCorpus) -> list[Any]:
    return [relevance_of(document, str(document.label)) for document in DOCUMENTS]


def predicted(corpus: ScoredCorpus) -> list[Any]:
    return [relevance_of(doc, ["down", "up"][k]) for doc, k in zip(DOCUMENTS, corpus.predicted, strict=True)]


def test_predictions_and_true_labels(corpus: ScoredCorpus) -> None:
    assert corpus.predicted.tolist() == [1, 0, 0, 0]
    assert corpus.true_label.tolist() == [1, 0, 0, 1]


def test_correctly_classified_documents_match_manual_results(corpus: ScoredCorpus) -> None:
    protocol = DELETION_PROTOCOLS[0]
    correct = still_correct(corpus, protocol, true_label(corpus), steps=4, min_words=1)
    # score of "up" after each deletion
    # a: 2.5; good: 0.5; fine: -0.5, incorrect from the second step
    # b: -1.5; bad: 0.5, incorrect; the; fine: no word left, so "down" is correct again
    # c: -0.5; dull, dull: 1.5, incorrect; the; good: no word left, so "down" is correct again
    assert correct.tolist() == [
        [True, True, False, False, False],
        [True, False, False, True, True],
        [True, False, False, False, True],
    ]
    assert deletion_curve(correct).accuracy.tolist() == [1, 1 / 3, 0, 1 / 3, 2 / 3]
    assert document_areas(correct).tolist() == [1 / 4, 2 / 4, 1 / 4]


def test_incorrectly_classified_documents_match_manual_results(corpus: ScoredCorpus) -> None:
    least_first = still_correct(corpus, DELETION_PROTOCOLS[1], true_label(corpus), steps=2, min_words=1)
    # d has the label "up"; "bad" opposes it most: without it the score is 2 - 0.5, so "up" is predicted
    assert least_first.tolist() == [[False, True, True]]
    most_first = still_correct(corpus, DELETION_PROTOCOLS[2], predicted(corpus), steps=2, min_words=1)
    assert most_first.tolist() == [[False, True, True]]


def test_reversed_order_matches_manual_results(corpus: ScoredCorpus) -> None:
    correct = still_correct(corpus, DELETION_PROTOCOLS[0], true_label(corpus), steps=4, min_words=1, reverse=True)
    # a: the, the, fine, good: "up" is predicted until good is deleted
    assert correct[0].tolist() == [True, True, True, True, False]


def test_insertion_matches_manual_results(corpus: ScoredCorpus) -> None:
    correct = still_correct(corpus, OTHER_PROTOCOLS[1], true_label(corpus), steps=4, min_words=1)
    # a: the empty text is "down"; with good it is "up"
    assert correct[0].tolist() == [False, True, True, True, True]


def test_only_documents_that_are_long_enough(corpus: ScoredCorpus) -> None:
    assert protocol_documents(corpus, DELETION_PROTOCOLS[0], min_words=4).tolist() == [True, False, True, False]
    assert protocol_documents(corpus, DELETION_PROTOCOLS[1], min_words=4).tolist() == [False, False, False, True]


def test_deletion_order_has_only_known_words_and_ties_in_text_order() -> None:
    relevance = np.array([1.0, 3.0, 1.0, 9.0, -2.0])
    known = np.array([True, True, True, False, True])
    assert deletion_order(relevance, known, 9, most_relevant_first=True).tolist() == [1, 0, 2, 4]
    assert deletion_order(relevance, known, 2, most_relevant_first=False).tolist() == [4, 0]


def test_differences_are_paired() -> None:
    left = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=float)
    assert area_difference(left, left)[:4] == (0.0, (0.0, 0.0), 3, False)
    assert area_difference(left, np.zeros((3, 3))).difference == pytest.approx(1 / 2)
    found = area_difference(left, np.array([[1, 1, 0]] * 3, dtype=float))
    assert found.difference == pytest.approx(0)
    assert found.interval[0] < 0 < found.interval[1]


@pytest.mark.parametrize(
    ("documents", "expected"), [(3, "too few documents"), (19, "too few documents"), (20, "significantly worse")]
)
def test_results_contain_the_verdict_and_the_number_of_documents(documents: int, expected: str) -> None:
    # lower is better: random deletion does not change the prediction
    correct = {"LRP": np.eye(3)[np.arange(documents) % 3][:, ::-1], "random": np.ones((documents, 3))}
    found = protocol_results(DELETION_PROTOCOLS[0], correct, reference="LRP")
    difference = found["differences"][0]
    assert {name: difference[name] for name in ("method", "against", "documents", "verdict")} == {
        "method": "random", "against": "LRP", "documents": documents, "verdict": expected
    }  # fmt: skip
    few = documents < 20
    assert all((difference[name] is None) == few for name in ("interval", "p_value", "p_corrected", "effect_size"))
    lrp, random = found["curves"]
    assert all((each[name] is None) == few for each in (lrp, random) for name in ("low", "high"))
    assert (lrp["interval"] is None) == few
    assert random["interval"] is None  # the area is 1 in every document


def test_a_group_without_documents_has_no_curves() -> None:
    found = protocol_results(
        DELETION_PROTOCOLS[1], {"LRP": np.zeros((0, 3)), "other": np.zeros((0, 3))}, reference="LRP"
    )
    assert found["documents"] == 0
    assert found["curves"] == found["differences"] == []


def test_random_relevance_is_at_chance() -> None:
    """With random deletion, accuracy is the expected share of texts in which "good" is not yet deleted."""
    documents = [Document(str(n), "good the the the", "up") for n in range(400)]
    many = score_corpus(Sentiment(), documents)  # type: ignore[arg-type]
    noise = np.random.default_rng(0)
    correct = still_correct(
        many, DELETION_PROTOCOLS[0], [noise.uniform(size=4) for _ in documents], steps=4, min_words=1
    )
    np.testing.assert_allclose(correct.mean(axis=0), [1, 3 / 4, 2 / 4, 1 / 4, 0], atol=0.07)


@pytest.mark.parametrize("kind", ["cnn", "boe", "svm"])
def test_lrp_beats_its_own_reverse_on_a_trained_model(kind: str) -> None:
    model = learner(kind).fit(TEXTS, LABELS)
    posts = [Document(str(n), text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]
    corpus = score_corpus(model, posts)
    found = word_relevances(corpus, MethodSpec("LRP"))
    down, up = (
        still_correct(corpus, DELETION_PROTOCOLS[0], found.true_label, steps=5, min_words=1, reverse=reverse).mean()
        for reverse in (False, True)
    )
    assert down < up - 0.05


def test_a_label_the_model_does_not_know_is_named_and_left_out() -> None:
    with pytest.warns(UserWarning, match="1 of 5 labels are not classes of the model: 'sideways'"):
        corpus = score_corpus(Sentiment(), [*DOCUMENTS, Document("e", "good", "sideways")])  # type: ignore[arg-type]
    assert corpus.true_label[-1] == -1
    assert not any(protocol_documents(corpus, protocol, 1)[-1] for protocol in DELETION_PROTOCOLS)


def test_corpora_without_usable_labels_raise_errors() -> None:
    with pytest.raises(DataError, match="document 'x': label is missing"):
        score_corpus(Sentiment(), [Document("x", "good")])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="at least 1 document to measure on; got none"):
        score_corpus(Sentiment(), [])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no label of the corpus is a class of the model"):
        score_corpus(Sentiment(), [Document("x", "good", "sideways")])  # type: ignore[arg-type]


def test_the_steps_as_in_training_are_a_share_of_the_words_of_each_document() -> None:
    known = np.array([100] * 90 + [200] * 110)
    # a fifth of 100 words is 20, of 200 words 40; a tenth of 3 words is none
    assert steps_as_in_training(known, 0.2) == {"word_dropout": 0.2, "steps": 20, "half": 40}
    assert steps_as_in_training(np.array([3] * 4 + [100] * 96), 0.2)["steps"] == 20  # 4% are shorter
    assert steps_as_in_training(np.array([3] * 6 + [100] * 94), 0.2) is None
    assert steps_as_in_training(np.full(9, 15), 0.4) == {"word_dropout": 0.4, "steps": 6, "half": 6}
    assert steps_as_in_training(known, 0.0) is None
    assert steps_as_in_training(np.zeros(0, dtype=int), 0.2) is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=40), st.floats(0.01, 0.6))
def test_95_percent_of_the_documents_are_within_the_share(known: list[int], word_dropout: float) -> None:
    def within(steps: int) -> Any:
        return np.mean([steps <= word_dropout * n + 1e-9 for n in known])

    found = steps_as_in_training(np.array(known), word_dropout)
    steps, half = (0, None) if found is None else (found["steps"], found["half"])
    assert within(steps + 1) < 0.95
    assert steps == 0 or within(steps) >= 0.95
    assert half is None or within(half) >= 0.5 > within(half + 1)
