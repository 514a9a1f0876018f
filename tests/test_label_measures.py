"""Precision, recall, F1 and subset accuracy of label sets are those of scikit-learn; thresholds maximize F1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from textlrp.label_measures import LabelCounts
from textlrp.models.thresholds import FEWEST_LABELS, best_shared_f1, choose_thresholds
from textlrp.models.training_objectives import hold_out_sets
from textlrp.predicted import highest_position, predicted_positions


def counted(true: NDArray[np.int64], predicted: NDArray[np.int64]) -> LabelCounts:
    counts = LabelCounts(true.shape[1])
    for one, other in zip(true, predicted, strict=True):
        counts.add(np.flatnonzero(one).tolist(), np.flatnonzero(other).tolist())
    return counts


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(2, 6), st.floats(0, 1))
def test_measures_are_those_of_scikit_learn(seed: int, documents: int, labels: int, share: float) -> None:
    draw = np.random.default_rng(seed)
    true, predicted = (draw.random((2, documents, labels)) < share).astype(np.int64)
    counts = counted(true, predicted)
    precision, recall, f1, support = precision_recall_fscore_support(true, predicted, average=None, zero_division=0)
    found = counts.labels()
    assert [each.support for each in found] == support.tolist()
    assert np.allclose([(e.precision, e.recall, e.f1) for e in found], np.stack([precision, recall, f1], axis=1))
    assert counts.micro_f1 == pytest.approx(f1_score(true, predicted, average="micro", zero_division=0))
    assert counts.macro_f1 == pytest.approx(f1_score(true, predicted, average="macro", zero_division=0))
    assert counts.subset_accuracy == pytest.approx(accuracy_score(true, predicted))


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_predicted_labels_are_those_above_their_thresholds(seed: int, labels: int) -> None:
    scores, thresholds = np.random.default_rng(seed).normal(size=(2, labels))
    found = predicted_positions(scores, thresholds)
    assert sorted(found) == np.flatnonzero(scores > thresholds).tolist()
    assert list(found) == sorted(found, key=lambda c: thresholds[c] - scores[c])
    assert highest_position(scores, thresholds) == np.argmax(scores - thresholds)
    assert predicted_positions(scores, None) == (np.argmax(scores),)


def plain_f1(true: NDArray[np.int64], predicted: NDArray[np.bool_]) -> float:
    return 2 * float((true * predicted).sum()) / float(true.sum() + predicted.sum())


def every_cut(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(scores.ravel())
    return (ordered[1:] + ordered[:-1]) / 2


@given(st.integers(0, 10**6))
def test_the_shared_threshold_has_the_largest_micro_f1(seed: int) -> None:
    draw = np.random.default_rng(seed)
    true = (draw.random((12, 3)) < 0.4).astype(np.int64)
    scores = draw.normal(size=(12, 3)) + true
    if true.any():
        every = [plain_f1(true, scores > cut) for cut in every_cut(scores)]
        assert best_shared_f1(true, scores) == pytest.approx(max(every))


def test_labels_of_different_scale_get_different_thresholds() -> None:
    draw = np.random.default_rng(0)
    true = (draw.random((400, 2)) < 0.3).astype(np.int64)
    scores = 2 * true + draw.normal(size=(400, 2)) * 0.3 + np.array([0.0, 5.0])
    chosen = choose_thresholds(true, scores)
    assert 0 < chosen.values[0] < 2 < 5 < chosen.values[1] < 7
    assert chosen.counts.micro_f1 > 0.99
    assert chosen.counts.documents == 400


def test_a_label_without_held_out_texts_gets_the_shared_threshold() -> None:
    draw = np.random.default_rng(0)
    true = (draw.random((300, 3)) < 0.3).astype(np.int64)
    true[:, 2] = 0
    scores = 3 * true + draw.normal(size=(300, 3))
    values = choose_thresholds(true, scores).values
    assert values[2] >= min(values[:2]) > 0


def test_few_held_out_labels_leave_all_thresholds_at_zero() -> None:
    true = np.zeros((FEWEST_LABELS, 2), dtype=np.int64)
    true[: FEWEST_LABELS - 1, 0] = 1
    assert not choose_thresholds(true, true - 0.2).values.any()
    true[-1, 1] = 1
    assert choose_thresholds(true, true - 0.2).values.any()


@given(st.integers(0, 10**6), st.integers(2, 60), st.floats(0, 0.9))
def test_every_label_keeps_texts_to_train_on(seed: int, texts: int, fraction: float) -> None:
    draw = np.random.default_rng(seed)
    true = (draw.random((texts, 4)) < draw.random(4)).astype(np.int64)
    training, held_out = hold_out_sets(true, fraction, draw)
    assert sorted([*training, *held_out]) == list(range(texts))
    assert (true[training].any(axis=0) == true.any(axis=0)).all()


def test_about_the_same_share_of_each_label_is_held_out() -> None:
    draw = np.random.default_rng(1)
    true = (draw.random((2000, 5)) < [0.02, 0.1, 0.3, 0.5, 0.05]).astype(np.int64)
    _, held_out = hold_out_sets(true, 0.2, draw)
    shares = true[held_out].sum(axis=0) / true.sum(axis=0)
    assert np.allclose(shares, 0.2, atol=0.04)
