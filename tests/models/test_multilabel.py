"""Multi-label classifiers: fit, predict, explain, save, and what scikit-learn expects of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import MultiLabelBinarizer
from toys import learner, small

import textlrp
from textlrp.errors import DataError, ModelError, OptionError
from textlrp.models.label_balance import label_weights
from textlrp.models.training_objectives import objective_of
from textlrp.records import Document

KINDS = ("svm", "boe", "cnn")
TOPICS = {
    "law": "court judge trial lawyer verdict",
    "med": "doctor vaccine patient hospital disease",
    "space": "rocket orbit moon shuttle launch",
}
COMMON = ["the", "of", "and", "to", "in", "it", "was", "for", "on", "are", "with", "as", "they", "be", "at", "one"]


def topical(documents: int, seed: int) -> tuple[list[str], list[list[str]]]:
    """Texts of common words and words of zero to three topics, and their topics."""
    draw = np.random.default_rng(seed)
    texts, sets = [], []
    for _ in range(documents):
        labels = sorted(draw.choice(list(TOPICS), draw.integers(0, 4), replace=False).tolist())
        words = draw.choice(COMMON, 12).tolist()
        for label in labels:
            words += draw.choice(TOPICS[label].split(), 2).tolist()
        texts.append(" ".join(draw.permutation(words)))
        sets.append(labels)
    return texts, sets


TEXTS, SETS = topical(120, 0)
BINARIZER = MultiLabelBinarizer().fit(SETS)
MATRIX = BINARIZER.transform(SETS)


def untrained(kind: str, **options: Any) -> Any:
    net = {"embedding_dim": 8, "validation_fraction": 0.25}
    return learner(kind, **((net if kind != "svm" else {}) | options))


def fitted(kind: str, **options: Any) -> Any:
    return untrained(kind, **options).fit(TEXTS, SETS)


@cache
def shared(kind: str) -> Any:
    """A fitted model that tests must not change."""
    return fitted(kind, dtype="float64")


@pytest.mark.parametrize("kind", KINDS)
def test_sets_and_an_indicator_matrix_give_the_same_model(kind: str) -> None:
    one, other = (small(kind).fit(TEXTS, y) for y in (SETS, MATRIX))
    assert one.classes_.tolist() == ["law", "med", "space"]
    assert other.classes_.tolist() == [0, 1, 2]
    assert np.array_equal(one.predict(TEXTS), other.predict(TEXTS))
    assert np.array_equal(one.thresholds_, other.thresholds_)
    assert small(kind).fit(TEXTS, MATRIX, classes=["law", "med", "space"]).fingerprint_ == one.fingerprint_


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_have_the_shapes_of_scikit_learn(kind: str) -> None:
    model = shared(kind)
    predicted, scores = model.predict(TEXTS), model.decision_function(TEXTS)
    assert predicted.shape == scores.shape == (120, 3)
    assert predicted.dtype == np.int64
    assert np.array_equal(predicted, scores > model.thresholds_)
    assert model.score(TEXTS, SETS) == model.score(TEXTS, MATRIX) == accuracy_score(MATRIX, predicted)
    assert f1_score(MATRIX, predicted, average="micro") > 0.8
    assert model.thresholds_.any()
    assert model.held_out_labels_.documents in range(20, 40)
    if kind != "svm":
        assert np.allclose(model.predict_proba(TEXTS), 1 / (1 + np.exp(-scores)))
    two = small(kind).fit(TEXTS, MATRIX[:, :2])
    assert two.decision_function(TEXTS).shape == two.predict(TEXTS).shape == (120, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_again_with_one_label_a_text_forgets_the_thresholds(kind: str) -> None:
    model = small(kind).fit(TEXTS, SETS)
    model.fit(TEXTS, ["law" if "law" in labels else "other" for labels in SETS])
    assert model.thresholds_ is None
    assert model.predict(TEXTS).shape == (120,)


@pytest.mark.parametrize("kind", KINDS)
def test_relevance_plus_absorbed_is_the_score_of_every_label(kind: str) -> None:
    model = shared(kind)
    texts, _ = topical(170, 1)
    worst = 0.0
    for rule in ("epsilon", "alpha2beta1"):
        for why in textlrp.explain(model, texts, target="all", rule=rule, start="score"):
            size = np.abs(why.relevance).sum(axis=1) + sum(np.abs(entry) for entry in why.ledger.values())
            difference = np.abs(why.relevance.sum(axis=1) + why.absorbed - why.target_scores)
            worst = max(worst, float((difference / np.maximum(size, 1e-300)).max()))
    print(f"{kind}: largest difference of relevance plus absorbed and score, 170 texts × 3 labels: {worst:.1e}")
    assert worst <= 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_the_predicted_labels_are_explained(kind: str) -> None:
    model = shared(kind)
    documents = [
        Document(str(n), text, tuple(labels)) for n, (text, labels) in enumerate(zip(TEXTS, SETS, strict=True))
    ]
    indicator, unpredicted = model.predict(TEXTS), 0
    for n, why in enumerate(textlrp.explain(model, documents)):
        chosen = np.flatnonzero(indicator[n]).tolist()
        margins = why.scores - why.thresholds
        assert why.true_labels == tuple(SETS[n])
        assert why.true_label is None
        assert set(why.predicted_labels) == {why.labels[c] for c in chosen}
        assert why.predicted == margins.argmax()
        if chosen:
            assert sorted(why.targets) == chosen
            assert why.targets[0] == why.predicted
            assert not why.notes
        else:
            unpredicted += 1
            assert why.targets == (margins.argmax(),)
            assert why.notes[0].startswith("No label is predicted. ")
    assert 0 < unpredicted < 60


def test_other_targets_are_as_with_one_label_a_text() -> None:
    model = shared("svm")
    why = textlrp.explain(model, TEXTS[0], target=["space", ("law", "med")])
    assert why.targets == (2, (0, 1))
    single = textlrp.explain(model, TEXTS[0], target=["law", "med"])
    assert np.allclose(why.relevance[1], single.relevance[0] - single.relevance[1])
    of_each = textlrp.explain(model, TEXTS[:2], targets=["law", "all"])
    assert [why.targets for why in of_each] == [(0,), (0, 1, 2)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_has_the_same_thresholds(kind: str, tmp_path: Path) -> None:
    model = shared(kind)
    model.save(tmp_path / "model")
    loaded = textlrp.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(TEXTS), model.predict(TEXTS))
    assert loaded.thresholds_.dtype == model.thresholds_.dtype
    assert loaded.fingerprint_ == model.fingerprint_
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["format"] == 2
    for wrong in (config["thresholds"][:2], [None, 0, 0], "0", [1e300, 0, 0], [True, 0, 0]):
        (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"thresholds": wrong}))
        with pytest.raises(
            ModelError, match=r"thresholds in config\.json must be a list of one number for each class"
        ):
            textlrp.load(tmp_path / "model")


def test_a_model_of_one_label_a_text_is_saved_as_before(tmp_path: Path) -> None:
    small("svm").fit(TEXTS, ["law" if "law" in labels else "other" for labels in SETS]).save(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["format"] == 1
    assert "thresholds" not in config


@pytest.mark.parametrize("kind", KINDS)
def test_cross_validation_and_clones(kind: str) -> None:
    model = untrained(kind)
    scores = cross_val_score(model, TEXTS[:60], MATRIX[:60], cv=2, scoring="f1_micro")
    assert scores.min() > 0.3
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_of_all_or_no_texts_is_warned_about(kind: str) -> None:
    odd = MATRIX.copy()
    odd[:, 0], odd[:, 2] = 1, 0
    with (
        pytest.warns(UserWarning, match="all training texts have the label 'every', so the model cannot learn it"),
        pytest.warns(UserWarning, match="no training texts have the label 'none', so the model cannot learn it"),
    ):
        model = untrained(kind).fit(TEXTS, odd, classes=["every", "med", "none"])
    predicted = model.predict(TEXTS)
    assert predicted[:, 0].mean() > 0.9
    assert predicted[:, 2].mean() < 0.1


def test_class_weights_move_scores_towards_the_label() -> None:
    plain, heavy = (fitted("svm", class_weight=weight) for weight in (None, {"law": 20.0}))
    difference = (heavy.decision_function(TEXTS) - plain.decision_function(TEXTS)).mean(axis=0)
    assert difference[0] > 0
    assert not difference[1:].any()
    assert fitted("svm", class_weight="balanced").predict(TEXTS).shape == (120, 3)
    with pytest.raises(OptionError, match="class_weight must be"):
        fitted("svm", class_weight={"sport": 2.0})


def test_the_loss_of_networks_is_the_weighted_binary_cross_entropy() -> None:
    draw = np.random.default_rng(0)
    scores, weights = draw.normal(size=(4, 3)), draw.random((2, 3)) + 0.5
    labels = (draw.random((9, 3)) < 0.5).astype(np.int64)
    rows, smoothing = np.array([8, 0, 3, 5]), 0.3
    expected = 0.0
    for n, row in enumerate(rows):
        for c in range(3):
            probability = 1 / (1 + np.exp(-scores[n, c]))
            wanted = 1 - smoothing / 3 if labels[row, c] else smoothing / 3
            loss = -wanted * np.log(probability) - (1 - wanted) * np.log(1 - probability)
            expected += weights[labels[row, c], c] * loss / len(rows)
    objective = objective_of(labels, weights, smoothing, torch.float64)
    assert float(objective.loss(torch.from_numpy(scores), rows)) == pytest.approx(expected, rel=1e-12)


def test_balanced_weights_give_both_sides_of_a_label_the_same_total() -> None:
    indicator = np.array([[1, 0], [0, 0], [0, 1], [0, 1]])
    weights = label_weights("balanced", np.array(["a", "b"]), indicator)
    for c in range(2):
        assert weights[1, c] * indicator[:, c].sum() == weights[0, c] * (1 - indicator[:, c]).sum() == 2.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_model(kind: str) -> None:
    one, other = (small(kind, validation_fraction=0.2) if kind != "svm" else small(kind) for _ in range(2))
    assert one.fit(TEXTS, SETS).fingerprint_ == other.fit(TEXTS, SETS).fingerprint_
    assert np.array_equal(one.thresholds_, other.thresholds_)


def test_true_labels_of_a_score_must_be_known() -> None:
    with pytest.raises(DataError, match="row 0: label must be one of the 3 classes; got 'sport'"):
        shared("svm").score(["x"], [["sport"]])
