"""The fused loops of the convolutional net: add per-word projections, keep the largest window.

A convolution over looked-up word vectors is a sum of per-word projections: with
``P[u, h, f] = vector[u] · W[f, :, h]`` for each distinct word u of a batch, the value of filter f at
position t is ``sum_h P[id[t + h], h, f]``. The loops below never form the (T × F) activations.

Row 0 of ``projections`` is the unknown word and padding: the zero vector, skipped. Rows are
(H × F) flat, offset by offset. A document shorter than the window has the one window at 0, padded
with zero vectors; windows never reach beyond a longer document.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def winning_windows(
    projections: Floats, ids: NDArray[np.int64], starts: NDArray[np.int64], width: int
) -> tuple[Floats, NDArray[np.int32]]:
    """The first of the largest windows of each filter.

    ``projections`` (U, width × F); ``ids`` rows of it, all documents end to end; ``starts`` (N + 1,) where
    each document begins. Returns the largest values (N, F), without bias, and where those windows begin.
    """
    filters = projections.shape[1] // width
    best = np.empty((len(starts) - 1, filters), dtype=projections.dtype)
    where = np.empty(best.shape, dtype=np.int32)
    _winning_windows(projections, ids, starts, width, best, where)
    return best, where


def scatter_winners(
    gradient: Floats,
    where: NDArray[np.int32],
    ids: NDArray[np.int64],
    starts: NDArray[np.int64],
    width: int,
    words: int,
) -> Floats:
    """The adjoint of :func:`winning_windows`: (N, F) -> (U, width × F) for ``words`` = U."""
    landed = np.zeros((words, width * gradient.shape[1]), dtype=gradient.dtype)
    _scatter_winners(gradient, where, ids, starts, width, landed)
    return landed


def winner_contributions(
    projections: Floats, where: NDArray[np.int32], ids: NDArray[np.int64], starts: NDArray[np.int64], width: int
) -> Floats:
    """(N, F, width): what each word of the winning window adds to its filter."""
    filters = projections.shape[1] // width
    shares = np.zeros((len(starts) - 1, filters, width), dtype=projections.dtype)
    _winner_contributions(projections, where, ids, starts, width, shares)
    return shares


@numba.njit(parallel=True, cache=True)
def _winning_windows(projections, ids, starts, width, best, where):  # type: ignore[no-untyped-def]
    filters = best.shape[1]
    for n in numba.prange(best.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        window = np.empty(filters, projections.dtype)
        for t in range(max(length - width + 1, 1)):
            window[:] = 0
            for h in range(min(width, length - t)):
                word = ids[begin + t + h]
                if word > 0:
                    row = projections[word, h * filters : (h + 1) * filters]
                    for f in range(filters):
                        window[f] += row[f]
            if t == 0:
                best[n] = window
                where[n] = 0
            else:
                for f in range(filters):
                    larger = window[f] > best[n, f]
                    best[n, f] = window[f] if larger else best[n, f]
                    where[n, f] = t if larger else where[n, f]


@numba.njit(cache=True)
def _scatter_winners(gradient, where, ids, starts, width, landed):  # type: ignore[no-untyped-def]
    filters = gradient.shape[1]
    for n in range(gradient.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        for f in range(filters):
            value = gradient[n, f]
            if value != 0:
                for h in range(min(width, length - where[n, f])):
                    word = ids[begin + where[n, f] + h]
                    if word > 0:
                        landed[word, h * filters + f] += value


@numba.njit(parallel=True, cache=True)
def _winner_contributions(projections, where, ids, starts, width, shares):  # type: ignore[no-untyped-def]
    filters = shares.shape[1]
    for n in numba.prange(shares.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        for f in range(filters):
            for h in range(min(width, length - where[n, f])):
                word = ids[begin + where[n, f] + h]
                if word > 0:
                    shares[n, f, h] = projections[word, h * filters + f]


@numba.njit(parallel=True, cache=True)
def adam_rows(table, first, second, rows, gradient, rate, bias1, bias2, decay1=0.9, decay2=0.999, tiny=1e-8):  # type: ignore[no-untyped-def]
    """One Adam step (Kingma & Ba 2015, algorithm 1) on the ``rows`` of ``table`` that a batch used, in place.

    ``gradient`` (rows, D); ``first`` and ``second`` are the moments, of the table's shape; ``bias1`` and
    ``bias2`` are 1 - decay^step.
    """
    for i in numba.prange(len(rows)):
        r = rows[i]
        for d in range(table.shape[1]):
            slope = gradient[i, d]
            first[r, d] = decay1 * first[r, d] + (1 - decay1) * slope
            second[r, d] = decay2 * second[r, d] + (1 - decay2) * slope * slope
            table[r, d] -= rate * (first[r, d] / bias1) / (np.sqrt(second[r, d] / bias2) + tiny)


def mean_windows(
    projections: Floats, bias: Floats, ids: NDArray[np.int64], starts: NDArray[np.int64], width: int
) -> Floats:
    """(N, F): the mean over time of each filter's ReLU, bias (F,) added."""
    means = np.zeros((len(starts) - 1, len(bias)), dtype=projections.dtype)
    _mean_windows(projections, bias, ids, starts, width, means)
    return means


def scatter_means(
    gradient: Floats, projections: Floats, bias: Floats, ids: NDArray[np.int64], starts: NDArray[np.int64], width: int
) -> tuple[Floats, Floats]:
    """The adjoint of :func:`mean_windows`: gradients (N, F) -> (U, width × F) and bias (F,)."""
    landed = np.zeros_like(projections)
    bias_landed = np.zeros_like(bias)
    _scatter_means(gradient, projections, bias, ids, starts, width, landed, bias_landed)
    return landed, bias_landed


@numba.njit(inline="always")
def _window(projections, bias, ids, begin, length, t, width, window):  # type: ignore[no-untyped-def]
    filters = len(bias)
    window[:] = bias
    for h in range(min(width, length - t)):
        word = ids[begin + t + h]
        if word > 0:
            row = projections[word, h * filters : (h + 1) * filters]
            for f in range(filters):
                window[f] += row[f]


@numba.njit(parallel=True, cache=True)
def _mean_windows(projections, bias, ids, starts, width, means):  # type: ignore[no-untyped-def]
    filters = len(bias)
    for n in numba.prange(means.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        count = max(length - width + 1, 1)
        window = np.empty(filters, projections.dtype)
        for t in range(count):
            _window(projections, bias, ids, begin, length, t, width, window)
            for f in range(filters):
                means[n, f] += max(window[f], 0)
        for f in range(filters):
            means[n, f] /= count


@numba.njit(cache=True)
def _scatter_means(gradient, projections, bias, ids, starts, width, landed, bias_landed):  # type: ignore[no-untyped-def]
    filters = len(bias)
    window = np.empty(filters, projections.dtype)
    for n in range(gradient.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        count = max(length - width + 1, 1)
        for t in range(count):
            _window(projections, bias, ids, begin, length, t, width, window)
            for f in range(filters):
                window[f] = gradient[n, f] / count if window[f] > 0 else 0
                bias_landed[f] += window[f]
            for h in range(min(width, length - t)):
                word = ids[begin + t + h]
                if word > 0:
                    for f in range(filters):
                        landed[word, h * filters + f] += window[f]


def signed_contributions(
    vectors: Floats, weight: Floats, words: NDArray[np.int64], where: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """(N, F, H) twice: the positive and the negative products of each word of the winning windows, summed over D.

    ``vectors`` (U, D), ``weight`` (F, H, D), ``words`` (N, T) rows of ``vectors``, ``where`` (N, F) first positions.
    """
    positive = np.zeros((*where.shape, weight.shape[1]), dtype=vectors.dtype)
    negative = np.zeros_like(positive)
    _signed_contributions(vectors, weight, words, where, positive, negative)
    return positive, negative


@numba.njit(parallel=True, cache=True, fastmath={"reassoc", "nsz", "contract"})
def _signed_contributions(vectors, weight, words, where, positive, negative):  # type: ignore[no-untyped-def]
    filters, width, dimensions = weight.shape
    nothing = vectors.dtype.type(0)
    for n in numba.prange(where.shape[0]):
        for f in range(filters):
            for h in range(width):
                word = words[n, where[n, f] + h]
                if word > 0:
                    above, below = nothing, nothing
                    for d in range(dimensions):
                        product = vectors[word, d] * weight[f, h, d]
                        above += product if product > nothing else nothing
                        below += product if product < nothing else nothing
                    positive[n, f, h] = above
                    negative[n, f, h] = below


def spread_over_windows(factor: Floats, weight: Floats, where: NDArray[np.int64], tokens: int) -> Floats:
    """(K, N, F) of winning windows -> (K, N, T, D): each filter's weights, times its factor, where its window stands.

    ``weight`` (F, H, D), ``where`` (N, F) first positions; ``tokens`` = T, at least the longest window's end.
    """
    spread = np.zeros((*factor.shape[:2], tokens, weight.shape[2]), dtype=factor.dtype)
    _spread_over_windows(factor, weight, where, spread)
    return spread


@numba.njit(parallel=True, cache=True)
def _spread_over_windows(factor, weight, where, spread):  # type: ignore[no-untyped-def]
    filters, width, dimensions = weight.shape
    for n in numba.prange(factor.shape[1]):
        for k in range(factor.shape[0]):
            for f in range(filters):
                value = factor[k, n, f]
                if value != 0:
                    for h in range(width):
                        row = spread[k, n, where[n, f] + h]
                        for d in range(dimensions):
                            row[d] += value * weight[f, h, d]
