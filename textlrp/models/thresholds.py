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
    return float(every.f1_parts(_best_cut(every.cuts, every)).ratio())


class _F1Parts(NamedTuple):
    """Numerator and denominator of F1 at several thresholds."""

    twice_correct: NDArray[np.float64]
    total: NDArray[np.float64]

    def ratio(self) -> NDArray[np.float64]:
        return self.twice_correct / np.maximum(self.total, 1e-300)


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

    def f1_parts(self, cuts: NDArray[np.float64] | float) -> _F1Parts:
        first = np.searchsorted(self.scores, cuts, side="right")
        return _F1Parts(2.0 * self.correct[first], len(self.scores) - first + float(self.correct[0]))


def _best_cut(cuts: NDArray[np.float64], own: _RankedScores, every: _RankedScores | None = None) -> float:
    """The threshold among ``cuts`` with the largest F1, the first of equal ones; 0 without any."""
    if not len(cuts):
        return 0.0
    parts = own.f1_parts(cuts)
    if every is not None:
        weight, shared = SHARED_TEXTS / float(every.correct[0]), every.f1_parts(cuts)
        parts = _F1Parts(*(mine + weight * other for mine, other in zip(parts, shared, strict=True)))
    return float(cuts[int(np.argmax(parts.ratio()))])
