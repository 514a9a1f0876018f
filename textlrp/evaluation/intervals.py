"""Bootstrap confidence intervals over documents, and the significance of a paired difference.

Letters: N documents, M values per document (for example the points of a curve).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textlrp.errors import DataError, OptionError, must_be

MIN_DOCUMENTS = 20
"""Documents that a verdict needs: with fewer, a bootstrap interval is not reliable."""

Verdict = Literal["significantly better", "significantly worse", "no significant difference", "too few documents"]

_RESAMPLED = 1 << 22
"""Documents drawn at a time, to bound memory: 4 million, 32 MB."""


class Interval(NamedTuple):
    """Lower and upper bound of a confidence interval of a mean."""

    low: float
    high: float


class PairedDifference(NamedTuple):
    """The mean difference between a method and the reference over the same documents, with its confidence interval.

    ``has_verdict`` is False if there are fewer than :data:`MIN_DOCUMENTS` documents, or if all documents have the
    same difference and it is not 0: then every bootstrap sample is the same, and the interval has no width.
    """

    difference: float
    interval: Interval
    n_documents: int
    has_verdict: bool

    def verdict(self, better: Literal["higher", "lower"]) -> Verdict:
        """Whether the method is significantly better or worse than the reference: the interval excludes 0."""
        if not self.has_verdict:
            return "too few documents"
        if self.interval.low <= 0 <= self.interval.high:
            return "no significant difference"
        is_better = (self.interval.low > 0) == (better == "higher")
        return "significantly better" if is_better else "significantly worse"

    def results(self, better: Literal["higher", "lower"]) -> dict[str, Any]:
        """The entry for ``results.json``: difference, interval, documents, verdict."""
        return {
            "difference": self.difference,
            "interval": list(self.interval),
            "documents": self.n_documents,
            "verdict": self.verdict(better),
        }


def bootstrap_interval(
    values: ArrayLike, *, seed: int = 0, n_resamples: int = 1000, confidence_level: float = 0.95
) -> Interval:
    """The percentile bootstrap interval of the mean of ``values`` (N,).

    Documents are drawn with replacement ``n_resamples`` times. Raises :class:`DataError` if ``values`` is empty or
    contains a value that is not finite. Source: Efron and Tibshirani 1993, chapter 13.
    """
    low, high = bootstrap_band(_row(values), seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)
    return Interval(float(low), float(high))


def paired_interval(
    a: ArrayLike, b: ArrayLike, *, seed: int = 0, n_resamples: int = 1000, confidence_level: float = 0.95
) -> Interval:
    """The paired bootstrap interval of the mean of ``a - b``, both (N,) over the same documents.

    A document is drawn together with both of its values. If the interval excludes 0, the difference is significant.
    Raises :class:`DataError` if the lengths differ, and as :func:`bootstrap_interval` does.
    """
    first, second = _row(a), _row(b)
    if len(first) != len(second):
        raise DataError(
            f"a and b must be values of the same documents; got {len(first)} and {len(second)} values. Leave the "
            "same documents out of both."
        )
    return bootstrap_interval(first - second, seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)


def paired_difference(
    a: ArrayLike, b: ArrayLike, *, seed: int = 0, n_resamples: int = 1000, confidence_level: float = 0.95
) -> PairedDifference:
    """The mean of ``a - b``, both (N,) over the same documents, with :func:`paired_interval` and a verdict.

    Raises as :func:`paired_interval` does.
    """
    interval = paired_interval(a, b, seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)
    values = _row(a) - _row(b)
    constant = bool((values == values[0]).all() and values[0] != 0)
    return PairedDifference(
        float(values.mean()), interval, len(values), len(values) >= MIN_DOCUMENTS and not constant
    )


def bootstrap_band(
    values: ArrayLike, *, seed: int = 0, n_resamples: int = 1000, confidence_level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper bounds (M,) of the column means of ``values`` (N, M); see :func:`bootstrap_interval`.

    A document is drawn with all of its M values. Raises :class:`DataError` as :func:`bootstrap_interval` does.
    """
    level = _checked_level(confidence_level)
    means = bootstrap_means(values, seed=seed, n_resamples=n_resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def bootstrap_means(values: ArrayLike, *, seed: int = 0, n_resamples: int = 1000) -> NDArray[np.float64]:
    """Means of ``values`` over N documents drawn with replacement, ``n_resamples`` times.

    (n_resamples, M) for values (N, M), or (n_resamples,) for (N,). The documents drawn depend only on the seed and N,
    so paired values can be resampled separately. Raises :class:`DataError` if ``values`` is empty or contains a value
    that is not finite, :class:`OptionError` if ``n_resamples`` is below 1.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim == 0 or not len(numbers):
        raise DataError("values must be of at least 1 document; got none. Bring documents to measure on.")
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1))[0])
        raise DataError(f"values must be finite; got {numbers[row]} for document {row}. Leave that document out.")
    if n_resamples < 1:
        raise OptionError(must_be("n_resamples", "a whole number >= 1", n_resamples, "Pass n_resamples=1000."))
    count, random = len(numbers), np.random.default_rng(seed)
    chunk = max(1, _RESAMPLED // count)
    means: list[NDArray[Any]] = []
    for begin in range(0, n_resamples, chunk):
        rows = min(chunk, n_resamples - begin)
        drawn = random.integers(count, size=(rows, count)) + np.arange(rows)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        # subtract the first document before the product and add it afterwards: the mean of equal values is then exact
        means.append(times.astype(np.float64) @ (numbers - numbers[0]) / count + numbers[0])
    return np.concatenate(means)


def _row(values: ArrayLike) -> NDArray[np.float64]:
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1:
        raise DataError(
            f"values must have shape (N,), one for each document; got shape {row.shape}. Average over the other axes."
        )
    return row


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise OptionError(must_be("confidence_level", "between 0 and 1", level, "Pass confidence_level=0.95."))
    return level
