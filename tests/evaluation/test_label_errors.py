"""Likely label errors and planted ones: scores and relevance by hand, plain loops, and random suspicion at chance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from toys import LABELS, NAMES, TEXTS, fitted, learner

from textlrp.errors import DataError, OptionError
from textlrp.evaluation.label_errors import RANKINGS, likely_label_errors, suspicions
from textlrp.evaluation.measured_corpus import score_corpus
from textlrp.evaluation.planted_errors import flipped_labels, found_errors, planted_label_errors
from textlrp.explainers.explain import explain
from textlrp.explainers.targets import Index
from textlrp.records import Document

DOCUMENTS = [Document(str(n), text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]
MANY = [replace(each, id=f"{copy}-{each.id}") for copy in range(3) for each in DOCUMENTS]


def mislabeled(*rows: int) -> list[Document]:
    """The documents with the next label in place of their own for some rows."""
    return [
        replace(each, label=NAMES[(NAMES.index(str(each.label)) + 1) % 3]) if n in rows else each
        for n, each in enumerate(DOCUMENTS)
    ]


# ---- rankings


@every("variant", ["svm", "cnn-max", "boe"])
def test_every_ranking_follows_its_definition(variant: str) -> None:
    model, documents = fitted(variant), mislabeled(1, 9, 20)
    corpus = score_corpus(model, documents)
    found = suspicions(corpus)
    assert list(found) == list(RANKINGS)
    for n, document in enumerate(documents):
        scores = dict(zip(model.classes_.tolist(), corpus.scores[n].tolist(), strict=True))
        label = document.label
        other = max((name for name in scores if name != label), key=lambda name: scores[name])
        places = [model.classes_.tolist().index(name) for name in (label, other)]
        why, contrast = (
            explain(model, document, target=target) for target in (Index(places[0]), tuple(map(Index, places)))
        )
        net, share, of_contrast = 0.0, [0.0, 0.0], [0.0, 0.0]
        for t in range(len(why.tokens)):
            net -= float(why.relevance[0, t])
            for shares, each in ((share, why), (of_contrast, contrast)):
                value = float(each.relevance[0, t])
                shares[0] += abs(value)
                shares[1] += max(0.0, -value)
        probabilities = model.probabilities(corpus.scores)
        confidence = scores[label] if probabilities is None else probabilities[n, places[0]]
        expected = [
            scores[other] - scores[label],
            -confidence,
            net,
            share[1] / share[0],
            of_contrast[1] / of_contrast[0],
        ]
        assert [values[n] for values in found.values()] == pytest.approx(expected, abs=1e-4)


def test_suspicion_without_relevance_or_with_an_unknown_label() -> None:
    documents = [*DOCUMENTS, Document("empty", "zzz", "med"), Document("other", TEXTS[0], "cooking")]
    with pytest.warns(UserWarning, match="cooking"):
        found = suspicions(score_corpus(fitted("svm"), documents))
    assert found["opposing share"][-2] == 0.5
    assert all(np.isnan(values[-1]) and np.isfinite(values[:-1]).all() for values in found.values())


def test_wrong_labels_are_listed_with_the_words_that_oppose_them() -> None:
    model = learner("svm").fit(TEXTS, LABELS)
    rows = likely_label_errors(model, mislabeled(3, 12))
    assert {row.position for row in rows} >= {3, 12}
    assert [row.suspicion for row in rows] == sorted((row.suspicion for row in rows), reverse=True)
    for row in rows[:2]:
        document = mislabeled(3, 12)[row.position]
        assert (row.document_id, row.given, row.predicted) == (document.id, document.label, LABELS[row.position])
        assert row.margin < 0
        contrast = explain(model, document, target=(row.given, row.predicted))
        by_relevance = sorted(contrast.words(), key=lambda word: word.relevance)
        assert row.opposing[0] == by_relevance[0]
        assert all(word.relevance < 0 for word in row.opposing)
        assert all(word.relevance > 0 for word in row.supporting)
    assert likely_label_errors(model, mislabeled(3, 12), n=1) == rows[:1]
    correct = [each for each in DOCUMENTS if model.predict([each.text])[0] == each.label]
    assert likely_label_errors(model, correct) == []


def test_invalid_arguments_raise_errors() -> None:
    with pytest.raises(OptionError, match=r"ranking must be one of margin, .*; got 'size'"):
        likely_label_errors(fitted("svm"), DOCUMENTS, ranking="size")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="n must be a whole number >= 1; got 0"):
        likely_label_errors(fitted("svm"), DOCUMENTS, n=0)
    for options, message in (
        ({"share": 5}, "share must be between 0 and 1; got 5"),
        ({"folds": 1}, "folds must be a whole number >= 2, or None; got 1"),
    ):
        with pytest.raises(OptionError, match=message):
            planted_label_errors(learner("svm"), DOCUMENTS, **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="folds=9 documents; got"):
        planted_label_errors(learner("svm"), DOCUMENTS, folds=9)
    with pytest.raises(DataError, match="document '0': must have one label; got None"):
        planted_label_errors(learner("svm"), [replace(DOCUMENTS[0], label=None), *DOCUMENTS[1:]])
    with pytest.raises(DataError, match="at least 2 labels; got 1"):
        planted_label_errors(learner("svm"), [each for each in DOCUMENTS if each.label == "med"])
    with pytest.raises(DataError, match="at least one document and not all; got 0"):
        planted_label_errors(learner("svm"), DOCUMENTS, share=0.01)


# ---- planted errors


@settings(deadline=None, max_examples=50)
@given(st.integers(20, 200), st.floats(0.05, 0.9), st.integers(0, 99))
def test_a_share_of_the_labels_becomes_another_label(n_documents: int, share: float, seed: int) -> None:
    labels = [n % 3 for n in range(n_documents)]
    changed, is_planted = flipped_labels(labels, share=share, seed=seed)
    assert is_planted.sum() == round(share * n_documents)
    assert [a != b for a, b in zip(labels, changed, strict=True)] == is_planted.tolist()
    assert {*changed} <= {0, 1, 2}
    assert flipped_labels(labels, share=share, seed=seed)[0] == changed


def test_every_other_label_is_equally_likely() -> None:
    changed, is_planted = flipped_labels(["a"] * 3000 + ["b", "c", "d"] * 100, share=0.5, seed=0)
    counts = [
        sum(label == name for label, there in zip(changed[:3000], is_planted, strict=False) if there)
        for name in "bcd"
    ]
    assert np.ptp(counts) < 5 * np.sqrt(500)
    assert sum(counts) == is_planted[:3000].sum()


def test_found_errors_equal_an_example_by_hand() -> None:
    suspicion = np.array([9.0, 1.0, 5.0, 5.0, 3.0])
    found = found_errors("r", suspicion, np.array([True, False, True, False, False]))
    # 9 is above all three others; 5 is above 1 and 3, and ties with 5
    assert found.auroc_values.tolist() == pytest.approx([1.0, 2.5 / 3])
    assert found.is_found.tolist() == [True, True]  # the tie goes to the first document
    reversed_tie = found_errors("r", suspicion[::-1], np.array([False, False, True, False, True]))
    assert reversed_tie.is_found.tolist() == [False, True]
    assert reversed_tie.precision == 0.5


@every("seed", range(5))
def test_auroc_is_scikit_learns_and_precision_is_a_plain_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    is_planted = random.random(200) < 0.1
    suspicion = np.round(random.normal(size=200) + is_planted, 1)  # with ties
    found = found_errors("r", suspicion, is_planted)
    assert found.auroc == pytest.approx(roc_auc_score(is_planted, suspicion))
    most = sorted(range(200), key=lambda n: -suspicion[n])[: int(is_planted.sum())]
    assert found.precision == pytest.approx(np.mean([is_planted[n] for n in most]))


def test_random_suspicion_is_at_chance() -> None:
    random = np.random.default_rng(0)
    is_planted = np.arange(20_000) % 20 == 0
    found = found_errors("r", random.random(20_000), is_planted)
    assert found.auroc == pytest.approx(0.5, abs=0.03)
    assert found.precision == pytest.approx(0.05, abs=0.03)


def test_models_that_did_not_see_the_wrong_labels_find_them() -> None:
    apart: Any = planted_label_errors(learner("svm"), MANY, share=0.1, folds=3)
    assert apart.is_planted.sum() == 7
    assert all(each.auroc > 0.9 for each in apart.found)
    again = planted_label_errors(fitted("svm"), MANY, share=0.1, folds=3)
    assert all(np.array_equal(apart.suspicions[name], again.suspicions[name]) for name in RANKINGS)


def test_each_document_is_ranked_by_a_model_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[set[str]] = []
    ranked: list[set[str]] = []
    model = learner("svm")
    original = type(model).fit

    def fit(self: Any, documents: Any, labels: Any) -> Any:
        trained.append({each.id for each in documents})
        return original(self, documents, labels)

    def scored(model: Any, documents: Any) -> Any:
        ranked.append({each.id for each in documents})
        return score_corpus(model, documents)

    monkeypatch.setattr(type(model), "fit", fit)
    monkeypatch.setattr("textlrp.evaluation.planted_errors.score_corpus", scored)
    planted_label_errors(model, MANY, folds=3, rankings=("margin",))
    assert [a & b for a, b in zip(trained, ranked, strict=True)] == [set()] * 3
    assert set().union(*ranked) == {each.id for each in MANY}
    trained.clear()
    ranked.clear()
    planted_label_errors(model, MANY, folds=None, rankings=("margin",))
    assert trained == ranked == [{each.id for each in MANY}]
