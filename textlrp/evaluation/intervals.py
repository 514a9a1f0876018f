"""Percentile intervals by resampling documents, seeded, and the verdict on a paired difference.

Letters: N documents, M measures of each (the points of a curve, say).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textlrp.errors import DataError, OptionError

FEWEST_DOCUMENTS = 20
"""Documents below which a difference gets no verdict: a bootstrap of so few says little about others."""

Verdict = Literal["better", "worse", "not significant", "too few documents"]

_RESAMPLED = 1 << 22
"""Documents drawn at a time: 4 million, 32 MB."""


class Interval(NamedTuple):
    """The bounds of a mean."""

    low: float
    high: float


class Difference(NamedTuple):
    """The mean of a method's values minus the reference's over the same ``documents``, and its 95% interval.

    ``decided`` is False where a verdict is not possible: with fewer than :data:`FEWEST_DOCUMENTS` documents, or where
    all documents have the same difference other than 0, so that every bootstrap sample is the same.
    """

    difference: float
    interval: Interval
    documents: int
    decided: bool

    def verdict(self, better: Literal["higher", "lower"]) -> Verdict:
        """Whether the method is significantly better or worse than the reference: the interval excludes 0."""
        if not self.decided:
            return "too few documents"
        if self.interval.low <= 0 <= self.interval.high:
            return "not significant"
        return "better" if (self.interval.low > 0) == (better == "higher") else "worse"

    def results(self, better: Literal["higher", "lower"]) -> dict[str, Any]:
        """As ``results.json`` has it: difference, interval, documents, verdict."""
        return {
            "difference": self.difference,
            "interval": list(self.interval),
            "documents": self.documents,
            "verdict": self.verdict(better),
        }


def bootstrap_interval(values: ArrayLike, *, seed: int = 0, draws: int = 1000, level: float = 0.95) -> Interval:
    """The percentile interval of the mean of ``values`` (N,): documents are drawn with replacement ``draws`` times.

    Raises :class:`DataError` where there is no value or one is not finite: a mean of nothing has no interval.
    Source: Efron and Tibshirani 1993, chapter 13.
    """
    low, high = bootstrap_band(_row(values), seed=seed, draws=draws, level=level)
    return Interval(float(low), float(high))


def paired_interval(a: ArrayLike, b: ArrayLike, *, seed: int = 0, draws: int = 1000, level: float = 0.95) -> Interval:
    """The interval of the mean of ``a − b``, both (N,) over the same documents: a document is drawn with both values.

    Without 0 in it, the two differ beyond what the choice of documents explains. Raises :class:`DataError` where the
    lengths differ, and as :func:`bootstrap_interval` does.
    """
    first, second = _row(a), _row(b)
    if len(first) != len(second):
        raise DataError(f"{len(first)} values came to compare with {len(second)}; the same documents are wanted.")
    return bootstrap_interval(first - second, seed=seed, draws=draws, level=level)


def paired_difference(
    a: ArrayLike, b: ArrayLike, *, seed: int = 0, draws: int = 1000, level: float = 0.95
) -> Difference:
    """The mean of ``a − b``, both (N,) over the same documents, with :func:`paired_interval` and a verdict.

    Raises as :func:`paired_interval` does.
    """
    interval = paired_interval(a, b, seed=seed, draws=draws, level=level)
    values = _row(a) - _row(b)
    constant = bool((values == values[0]).all() and values[0] != 0)
    return Difference(float(values.mean()), interval, len(values), len(values) >= FEWEST_DOCUMENTS and not constant)


def bootstrap_band(
    values: ArrayLike, *, seed: int = 0, draws: int = 1000, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high (M,) of the means of ``values`` (N, M), each column as in :func:`bootstrap_interval`.

    A document is drawn with all its M values. Raises :class:`DataError` as there.
    """
    low, high = np.quantile(
        bootstrap_means(values, seed=seed, draws=draws), [(1 - _checked_level(level)) / 2, (1 + level) / 2], axis=0
    )
    return low, high


def bootstrap_means(values: ArrayLike, *, seed: int = 0, draws: int = 1000) -> NDArray[np.float64]:
    """(draws, M) means of ``values`` (N, M), or (draws,) of (N,), each over N documents drawn with replacement.

    The same seed draws the same documents whatever the values. Raises :class:`DataError` where there is no value or
    one is not finite, :class:`OptionError` where ``draws`` is below 1.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim == 0 or not len(numbers):
        raise DataError("no values came; an interval wants those of one document at least.")
    if not np.isfinite(numbers).all():
        raise DataError("a value that is not finite came; leave out the documents that have none.")
    if draws < 1:
        raise OptionError(f"draws={draws!r} came; a whole number >= 1 is wanted.")
    count, random = len(numbers), np.random.default_rng(seed)
    together = max(1, _RESAMPLED // count)
    means: list[NDArray[Any]] = []
    for begin in range(0, draws, together):
        rows = min(together, draws - begin)
        drawn = random.integers(count, size=(rows, count)) + np.arange(rows)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        # around the first document, so that equal values have exactly their own mean
        means.append(times.astype(np.float64) @ (numbers - numbers[0]) / count + numbers[0])
    return np.concatenate(means)


def _row(values: ArrayLike) -> NDArray[np.float64]:
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1:
        raise DataError(f"values of shape {row.shape} came; one for each document, (N,), is wanted.")
    return row


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise OptionError(f"level={level!r} came; a number between 0 and 1 is wanted, 0.95 for instance.")
    return level
