"""Compiled loops of the convolutional net with mean-pooling, and of the optimizer of word vectors.

Arguments and letters are those of :mod:`textlrp.lrp.kernels.windows`.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from textlrp.lrp.kernels.compiling import compiled
from textlrp.lrp.kernels.windows import Floats


def mean_windows(
    projections: Floats, bias: Floats, ids: NDArray[np.int64], starts: NDArray[np.int64], width: int
) -> Floats:
    """Return the mean over time (N, F) of the ReLU of each filter, with its bias (F,)."""
    means = np.zeros((len(starts) - 1, len(bias)), dtype=projections.dtype)
    _mean_windows(projections, bias, ids, starts, width, means)
    return means


def scatter_means(
    gradient: Floats, projections: Floats, bias: Floats, ids: NDArray[np.int64], starts: NDArray[np.int64], width: int
) -> tuple[Floats, Floats]:
    """Return the gradients of the projections (U, width × F) and the bias (F,) from those of :func:`mean_windows`."""
    on_words = np.zeros_like(projections)
    on_bias = np.zeros_like(bias)
    _scatter_means(gradient, projections, bias, ids, starts, width, on_words, on_bias)
    return on_words, on_bias


@numba.njit(inline="always")
def _mean_window(projections, bias, ids, begin, length, t, width, window):  # type: ignore[no-untyped-def]
    filters = len(bias)
    window[:] = bias
    for h in range(min(width, length - t)):
        word = ids[begin + t + h]
        if word > 0:
            row = projections[word, h * filters : (h + 1) * filters]
            for f in range(filters):
                window[f] += row[f]


@compiled(parallel=True)
def _mean_windows(projections, bias, ids, starts, width, means):  # type: ignore[no-untyped-def]
    filters = len(bias)
    for n in numba.prange(means.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        count = max(length - width + 1, 1)
        window = np.empty(filters, projections.dtype)
        for t in range(count):
            _mean_window(projections, bias, ids, begin, length, t, width, window)
            for f in range(filters):
                means[n, f] += max(window[f], 0)
        for f in range(filters):
            means[n, f] /= count


@compiled()
def _scatter_means(gradient, projections, bias, ids, starts, width, on_words, on_bias):  # type: ignore[no-untyped-def]
    # Not parallel: documents share words, so that threads would add to the same rows, and in an order that varies.
    filters = len(bias)
    window = np.empty(filters, projections.dtype)
    for n in range(gradient.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        count = max(length - width + 1, 1)
        for t in range(count):
            _mean_window(projections, bias, ids, begin, length, t, width, window)
            for f in range(filters):
                window[f] = gradient[n, f] / count if window[f] > 0 else 0
                on_bias[f] += window[f]
            for h in range(min(width, length - t)):
                word = ids[begin + t + h]
                if word > 0:
                    for f in range(filters):
                        on_words[word, h * filters + f] += window[f]


@compiled(parallel=True)
def adam_rows(table, first, second, rows, gradient, rate, bias1, bias2, decay1=0.9, decay2=0.999, tiny=1e-8):  # type: ignore[no-untyped-def]
    """Do one Adam step (Kingma & Ba 2015, algorithm 1) in place, on those ``rows`` of ``table`` that a batch used.

    ``gradient`` (rows, D); ``first`` and ``second`` are the moments, with the shape of ``table``; ``bias1`` and
    ``bias2`` are the bias corrections 1 - decay^step.
    """
    for i in numba.prange(len(rows)):
        r = rows[i]
        for d in range(table.shape[1]):
            slope = gradient[i, d]
            first[r, d] = decay1 * first[r, d] + (1 - decay1) * slope
            second[r, d] = decay2 * second[r, d] + (1 - decay2) * slope * slope
            table[r, d] -= rate * (first[r, d] / bias1) / (np.sqrt(second[r, d] / bias2) + tiny)
