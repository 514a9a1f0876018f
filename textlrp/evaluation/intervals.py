"""Bootstrap confidence intervals over documents, and paired differences between methods with their verdicts.

Letters: N documents, M values per document (for example the points of a curve).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textlrp.errors import DataError, OptionError, must_be
from textlrp.evaluation.significance import (
    SIGNIFICANCE_LEVEL,
    holm_corrected,
    is_constant,
    sign_flip_p_value,
    standardized_difference,
)
from textlrp.records import MIN_DOCUMENTS

Verdict = Literal[
    "significantly better",
    "significantly worse",
    "no significant difference",
    "too few documents",
    "same difference in every document",
]
"""The last two are no verdict: there are too few documents, or the bootstrap interval has no width."""

Better = Literal["higher", "lower"]

ROUNDING = 1e-5
"""Differences up to this share of the values count as 0: models compute in single precision."""

_RESAMPLED = 1 << 22
"""Documents drawn at a time, to bound memory: 4 million, 32 MB."""


class Interval(NamedTuple):
    """Lower and upper bound of a confidence interval of a mean."""

    low: float
    high: float


class PairedDifference(NamedTuple):
    """The mean difference between a method and the reference over the same documents, with its confidence interval.

    ``p_value`` is that of :func:`.sign_flip_p_value`, ``p_corrected`` the same after Holm's correction for all
    methods compared (:func:`corrected`), and ``effect_size`` Cohen's d_z (:func:`.standardized_difference`).
    ``has_verdict`` is False if there are fewer than :data:`.MIN_DOCUMENTS` documents, or if all documents have the
    same difference and it is not 0: then every bootstrap sample is the same, and the interval has no width. The
    p-values are then not numbers.
    """

    difference: float
    interval: Interval
    n_documents: int
    has_verdict: bool
    p_value: float
    p_corrected: float
    effect_size: float

    def verdict(self, better: Better) -> Verdict:
        """Whether the method is significantly better or worse than the reference, by the corrected p-value."""
        if not self.has_verdict:
            few = self.n_documents < MIN_DOCUMENTS
            return "too few documents" if few else "same difference in every document"
        if self.p_corrected > SIGNIFICANCE_LEVEL:
            return "no significant difference"
        return "significantly better" if (self.difference > 0) == (better == "higher") else "significantly worse"

    def results(self, better: Better) -> dict[str, Any]:
        """The entry for ``results.json``: difference, interval, documents, p-values, effect size, verdict."""
        return {
            "difference": self.difference,
            "interval": kept_interval(self.interval, self.n_documents),
            "documents": self.n_documents,
            "p_value": _number_or_none(self.p_value),
            "p_corrected": _number_or_none(self.p_corrected),
            "effect_size": _number_or_none(self.effect_size) if self.n_documents >= MIN_DOCUMENTS else None,
            "verdict": self.verdict(better),
        }


def kept_interval(interval: tuple[float, float], n_documents: int) -> list[float] | None:
    """The interval for ``results.json`` and pages.

    None for fewer than :data:`.MIN_DOCUMENTS` documents, and if all have the same value: then all bootstrap samples
    are equal, and an interval without width would claim that the mean is known exactly.
    """
    return list(interval) if n_documents >= MIN_DOCUMENTS and interval[0] < interval[1] else None


def bootstrap_interval(
    values: ArrayLike, *, seed: int = 0, n_resamples: int = 1000, confidence_level: float = 0.95
) -> Interval:
    """The percentile bootstrap interval of the mean of ``values`` (N,).

    Documents are drawn with replacement ``n_resamples`` times. It is not reliable for fewer than
    :data:`.MIN_DOCUMENTS` documents. Raises :class:`DataError` if ``values`` is empty or
    contains a value that is not finite. Source: Efron and Tibshirani 1993, chapter 13.
    """
    low, high = bootstrap_band(_row(values), seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)
    return Interval(float(low), float(high))


def paired_interval(
    a: ArrayLike, b: ArrayLike, *, seed: int = 0, n_resamples: int = 1000, confidence_level: float = 0.95
) -> Interval:
    """The paired bootstrap interval of the mean of ``a - b``, both (N,) over the same documents.

    A document is drawn together with both of its values. It is not corrected for several comparisons.
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

    If the interval is within :data:`ROUNDING` of the mean absolute value of ``a`` and ``b``, the p-value is 1: two
    methods that compute the same in another way differ by so much, and always in the same direction. Compare several
    methods with :func:`paired_differences`, which corrects the p-values. Raises as :func:`paired_interval` does.
    """
    interval = paired_interval(a, b, seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)
    values = _row(a) - _row(b)
    has_verdict = len(values) >= MIN_DOCUMENTS and not (is_constant(values) and values[0] != 0)
    p_value = math.nan
    if has_verdict:
        scale = float(np.abs([_row(a), _row(b)]).mean())
        p_value = 1.0 if max(map(abs, interval)) <= ROUNDING * scale else sign_flip_p_value(values, seed=seed)
    size = standardized_difference(values) if len(values) > 1 else math.nan
    return PairedDifference(float(values.mean()), interval, len(values), has_verdict, p_value, p_value, size)


def paired_differences(
    values: Mapping[str, ArrayLike], *, reference: str, better: Better, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Compare several methods with one: the entries for ``results.json`` of all methods but the reference.

    ``values`` maps each method to its values (N,) of the same documents. The verdicts follow :func:`corrected`
    p-values. Raises as :func:`paired_interval` does.
    """
    others = [name for name in values if name != reference]
    return corrected_results(
        {name: paired_difference(values[name], values[reference], seed=seed) for name in others}, better
    )


def corrected_results(differences: Mapping[str, PairedDifference], better: Better) -> dict[str, dict[str, Any]]:
    """Correct the p-values of the methods of one table, and return the entry for ``results.json`` of each."""
    found = corrected(list(differences.values()))
    return {name: each.results(better) for name, each in zip(differences, found, strict=True)}


def corrected(differences: Sequence[PairedDifference]) -> list[PairedDifference]:
    """Correct the p-values of methods that are compared with one reference in one table (Holm 1979).

    Differences that get no verdict are not tested, so they do not count.
    """
    tested = [n for n, each in enumerate(differences) if each.has_verdict]
    found = list(differences)
    for n, p_value in zip(tested, holm_corrected([differences[n].p_value for n in tested]).tolist(), strict=True):
        found[n] = found[n]._replace(p_corrected=p_value)
    return found


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


def _number_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
