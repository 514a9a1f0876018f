"""The fused loops of the convolutional net: add per-word projections, keep the largest window, share it out.

A convolution over looked-up word vectors is a sum of per-word projections: with
``P[u, h, f] = vector[u] · W[f, :, h]`` for each word u, the value of filter f at position t is
``sum_h P[id[t + h], h, f]``. The loops below never form the (T × F) activations.

Row 0 of ``projections`` is the unknown word and padding, all zeros. Rows are (H × F) flat, offset by offset. A
document shorter than the window has the one window at 0, padded with zero vectors; windows never reach beyond a
longer document. Where projections come in two tables, row i of the second is that of id ``len(first) + i``.

Letters: N documents, L words of all of them end to end, U words with projections, F filters, H window width.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, starmap
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from textlrp.lrp.compiling import compiled

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]
Places = NDArray[np.int32]


def winning_windows(
    projections: Floats, ids: Ids, starts: Ids, width: int, *, more: Floats | None = None
) -> tuple[Floats, Places]:
    """The first of the largest windows of each filter.

    ``projections`` (U, H × F), ``more`` the second table; ``ids`` (L,) rows of them; ``starts`` (N + 1,) where each
    document begins. Returns the largest values (N, F), without bias, and where those windows begin.
    """
    filters = projections.shape[1] // width
    best = np.empty((len(starts) - 1, filters), dtype=projections.dtype)
    where = np.empty(best.shape, dtype=np.int32)
    _winning_windows(projections, _second(projections, more), ids, starts, width, best, where)
    return best, where


def _second(projections: Floats, more: Floats | None) -> Floats:
    """The second table, as writable as the first: numba wants both of one type."""
    second = projections[:0] if more is None else more[:]
    second.flags.writeable = projections.flags.writeable
    return second


def scatter_winners(gradient: Floats, where: Places, ids: Ids, starts: Ids, width: int, words: int) -> Floats:
    """The adjoint of :func:`winning_windows`: (N, F) -> (U, width × F) for ``words`` = U."""
    landed = np.zeros((words, width * gradient.shape[1]), dtype=gradient.dtype)
    _scatter_winners(gradient, where, ids, starts, width, landed)
    return landed


def winner_contributions(
    projections: Floats, where: Places, ids: Ids, starts: Ids, width: int, *, more: Floats | None = None
) -> Floats:
    """(N, F, H): what each word of the winning window adds to its filter; tables as in :func:`winning_windows`."""
    filters = projections.shape[1] // width
    shares = np.zeros((len(starts) - 1, filters, width), dtype=projections.dtype)
    _winner_contributions(projections, _second(projections, more), where, ids, starts, width, shares)
    return shares


@numba.njit(inline="always")
def _row(projections, more, ids, begin, length, place, offset, filters):  # type: ignore[no-untyped-def]
    """(F,) what the word at a place adds to each filter, ``offset`` words into a window; zeros beyond the end."""
    word = ids[begin + place] if place < length else 0
    kept = len(projections)
    row = projections[word] if word < kept else more[word - kept]
    return row[offset * filters : (offset + 1) * filters]


@compiled(parallel=True)
def _winning_windows(projections, more, ids, starts, width, best, where):  # type: ignore[no-untyped-def]
    filters = best.shape[1]
    for n in numba.prange(best.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        largest, place = best[n], where[n]
        place[:] = 0
        largest[:] = 0
        for h in range(width):
            row = _row(projections, more, ids, begin, length, h, h, filters)
            for f in range(filters):
                largest[f] += row[f]
        window = np.empty(filters, projections.dtype)
        for t in range(1, length - width + 1):
            first = _row(projections, more, ids, begin, length, t, 0, filters)
            if width == 1:  # the usual widths in one sweep each, the others by adding up in a buffer
                for f in range(filters):
                    value = first[f]
                    larger = value > largest[f]
                    largest[f] = value if larger else largest[f]
                    place[f] = t if larger else place[f]
            elif width == 2:
                second = _row(projections, more, ids, begin, length, t + 1, 1, filters)
                for f in range(filters):
                    value = first[f] + second[f]
                    larger = value > largest[f]
                    largest[f] = value if larger else largest[f]
                    place[f] = t if larger else place[f]
            else:
                for f in range(filters):
                    window[f] = first[f]
                for h in range(1, width - 1):
                    row = _row(projections, more, ids, begin, length, t + h, h, filters)
                    for f in range(filters):
                        window[f] += row[f]
                last = _row(projections, more, ids, begin, length, t + width - 1, width - 1, filters)
                for f in range(filters):
                    value = window[f] + last[f]
                    larger = value > largest[f]
                    largest[f] = value if larger else largest[f]
                    place[f] = t if larger else place[f]


@compiled()
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


@compiled(parallel=True)
def _winner_contributions(projections, more, where, ids, starts, width, shares):  # type: ignore[no-untyped-def]
    filters = shares.shape[1]
    for n in numba.prange(shares.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        for f in range(filters):
            for h in range(min(width, length - where[n, f])):
                row = _row(projections, more, ids, begin, length, where[n, f] + h, h, filters)
                shares[n, f, h] = row[f]


def signed_contributions(
    vectors: Floats, weight: Floats, words: NDArray[np.int64], where: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """(N, F, H) twice: the positive and the negative products of each word of the winning windows, summed over D.

    ``vectors`` (U, D), ``weight`` (F, H, D), ``words`` (N, T) rows of ``vectors``, ``where`` (N, F) first positions.
    """
    positive = np.zeros((*where.shape, weight.shape[1]), dtype=vectors.dtype)
    negative = np.zeros_like(positive)

    def sum_products(some: slice) -> None:
        _signed_contributions(vectors, weight, words[some], where[some], positive[some], negative[some])

    threads = min(numba.get_num_threads(), len(where))
    if threads <= 1:
        sum_products(slice(None))
    else:
        edges = [len(where) * i // threads for i in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(sum_products, starmap(slice, pairwise(edges))))
    return positive, negative


# not parallel=True: numba optimizes a parallel loop a second time where it is compiled and not loaded from the cache,
# and with a free order of summation the first process would differ from later ones in the last bit
@compiled(nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _signed_contributions(vectors, weight, words, where, positive, negative):  # type: ignore[no-untyped-def]
    filters, width, dimensions = weight.shape
    nothing = vectors.dtype.type(0)
    for n in range(where.shape[0]):
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


@compiled(parallel=True)
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


def land_winners(
    shares: Floats,
    bounds: Ids,
    step: Ids,
    sides: Floats,
    weights: Floats,
    factors: Floats,
    absorbed: Floats,
    where: Places,
    ids: Ids,
    starts: Ids,
    classes: Ids,
    landed: Floats,
    unread: Floats,
    ledger: Floats,
) -> None:
    """Propagate classes through the dense layer and the winning windows of all widths to the words, in place.

    Of text n and its k-th class, filter f gets ``r = sum_p sides[p, n, f] weights[p, f, class] factors[p, n, k]``
    (P parts of the dense layer's rule) and gives ``shares[n, bounds[f] + h] r`` to word h of its window.

    F filters of all widths, S = the sum of their widths: ``shares`` (N, S); ``bounds`` (F + 1,) where the shares of
    each filter begin, and so how wide it is; ``step`` (F,) which of the W convolutions it belongs to; ``sides``
    (P, N, F); ``weights`` (P, F, C); ``factors`` (P, N, K); ``absorbed`` (Q, N, F) for Q causes; ``where`` (N, F),
    ``ids``, ``starts`` as in :func:`winning_windows`; ``classes`` (N, K). Added to: ``landed`` (L, K), ``unread``
    (N, K) what met unknown words or padding, ``ledger`` (W, Q, N, K).
    """
    every = bool((classes == np.arange(weights.shape[2])).all()) if classes.shape[1] == weights.shape[2] else False
    _land_winners(
        shares,
        bounds,
        step,
        sides,
        weights,
        factors,
        absorbed,
        where,
        ids,
        starts,
        classes,
        every,
        landed,
        unread,
        ledger,
    )


@compiled(parallel=True)
def _land_winners(  # type: ignore[no-untyped-def]
    shares,
    bounds,
    step,
    sides,
    weights,
    factors,
    absorbed,
    where,
    ids,
    starts,
    classes,
    every,
    landed,
    unread,
    ledger,
):
    parts, documents, filters = sides.shape
    targets = factors.shape[2]
    for n in numba.prange(documents):
        begin = starts[n]
        length = starts[n + 1] - begin
        arrived = np.empty(targets, shares.dtype)
        for f in range(filters):
            met = False
            for p in range(parts):
                side = sides[p, n, f]
                if side != 0:
                    weight, factor = weights[p, f], factors[p, n]
                    if not met:
                        arrived[:] = 0
                        met = True
                    if every:
                        for k in range(targets):
                            arrived[k] += side * weight[k] * factor[k]
                    else:
                        for k in range(targets):
                            arrived[k] += side * weight[classes[n, k]] * factor[k]
            if not met:
                continue
            first = bounds[f]
            for h in range(bounds[f + 1] - first):
                share = shares[n, first + h]
                if share != 0:
                    place = where[n, f] + h
                    row = landed[begin + place] if place < length and ids[begin + place] > 0 else unread[n]
                    for k in range(targets):
                        row[k] += share * arrived[k]
            for q in range(len(absorbed)):
                share = absorbed[q, n, f]
                if share != 0:
                    row = ledger[step[f], q, n]
                    for k in range(targets):
                        row[k] += share * arrived[k]
