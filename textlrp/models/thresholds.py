"""Choose the thresholds of a multi-label model on held-out texts.

Letters: V held-out texts, C classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.label_measures import LabelCounts

SHARED_TEXTS = 20.0
"""Weight of all labels together in the threshold of one label, in texts that have it."""


FEWEST_LABELS = 20
"""Fewest labels of held-out texts from which thresholds are chosen."""


class ChosenThresholds(NamedTuple):
    """Thresholds (C,), and the ``counts`` on the held-out texts on which they were chosen."""

    values: NDArray[np.floating]
    counts: LabelCounts


def choose_thresholds(indicator: NDArray[np.int64], scores: NDArray[np.floating]) -> ChosenThresholds:
    """Choose a threshold for each label by the scores (V, C) of held-out texts with labels ``indicator`` (V, C).

    The threshold of a label maximizes F1 over its own scores and, with the weight of :data:`SHARED_TEXTS` texts, over
    the scores of all labels together: a label of few held-out texts has a threshold near the shared one. If the
    held-out texts have fewer than :data:`FEWEST_LABELS` labels in total, all thresholds are 0.
    """
    labels = scores.shape[1]
    values = np.zeros(labels)
    if indicator.sum() >= FEWEST_LABELS:
        every = _RankedScores.of(indicator, scores)
        shared = _best_cut(every.cuts, every)
        for c in range(labels):
            own = _RankedScores.of(indicator[:, c], scores[:, c])
            values[c] = _best_cut(np.append(shared, own.cuts), own, every)
    values = values.astype(scores.dtype)
    counts = LabelCounts(labels)
    for true, row in zip(indicator, scores, strict=True):
        counts.add(np.flatnonzero(true).tolist(), np.flatnonzero(row > values).tolist())
    return ChosenThresholds(values, counts)


def best_shared_f1(indicator: NDArray[np.int64], scores: NDArray[np.floating]) -> float:
    """Return the largest micro F1 of scores (V, C) that one threshold for all labels reaches."""
    if not indicator.any():
        return 0.0
    every = _RankedScores.of(indicator, scores)
    numerator, denominator = every.f1_parts(np.array([_best_cut(every.cuts, every)]))
    return float(numerator[0] / denominator[0])


class _RankedScores(NamedTuple):
    """Scores (M,), ascending, and ``correct`` (M + 1,): how many of those from each position on have the label."""

    scores: NDArray[np.float64]
    correct: NDArray[np.int64]

    @classmethod
    def of(cls, present: NDArray[np.int64], scores: NDArray[np.floating]) -> _RankedScores:
        flat = scores.reshape(-1).astype(np.float64)
        order = np.argsort(flat, kind="stable")
        from_here = np.cumsum(present.reshape(-1)[order][::-1])[::-1]
        return cls(flat[order], np.append(from_here, 0))

    @property
    def cuts(self) -> NDArray[np.float64]:
        """Thresholds between two neighboring scores."""
        return (self.scores[:-1] + self.scores[1:]) / 2

    def f1_parts(self, cuts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return numerator and denominator of F1 if the scores above each cut are predicted."""
        first = np.searchsorted(self.scores, cuts, side="right")
        predicted = len(self.scores) - first
        return 2 * self.correct[first].astype(np.float64), (predicted + self.correct[0]).astype(np.float64)


def _best_cut(cuts: NDArray[np.float64], own: _RankedScores, every: _RankedScores | None = None) -> float:
    """The threshold among ``cuts`` with the largest F1, the first of equal ones; 0 without any."""
    if not len(cuts):
        return 0.0
    numerator, denominator = own.f1_parts(cuts)
    if every is not None:
        weight = SHARED_TEXTS / float(every.correct[0])
        shared_numerator, shared_denominator = every.f1_parts(cuts)
        numerator = numerator + weight * shared_numerator
        denominator = denominator + weight * shared_denominator
    return float(cuts[int(np.argmax(numerator / np.maximum(denominator, 1e-300)))])
