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

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, starmap
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from textlrp.lrp.kernels.compiling import compiled

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]
WindowStarts = NDArray[np.int32]


def winning_windows(
    projections: Floats, ids: Ids, starts: Ids, width: int, *, more: Floats | None = None
) -> tuple[Floats, WindowStarts]:
    """The first of the largest windows of each filter.

    ``projections`` (U, H × F), ``more`` the second table; ``ids`` (L,) rows of them; ``starts`` (N + 1,) where each
    document begins. Returns the largest values (N, F), without bias, and where those windows begin.
    """
    filters = projections.shape[1] // width
    best = np.empty((len(starts) - 1, filters), dtype=projections.dtype)
    where = np.empty(best.shape, dtype=np.int32)
    nothing = np.empty((len(best), 0), dtype=projections.dtype)
    _winning_windows(projections, _second(projections, more), ids, starts, width, best, where, nothing, 0, 0)
    return best, where


class Winners(NamedTuple):
    """The winning windows of the F filters of all widths, width after width; S = the sum of the widths of these.

    ``values`` (N, F) without bias; ``where`` (N, F) they begin; ``products`` (N, S): what each word of a window adds
    to its filter. Filter f has the products ``bounds[f]`` to ``bounds[f + 1]``, with ``bounds`` (F + 1,).
    """

    values: Floats
    where: WindowStarts
    products: Floats
    bounds: Ids


def winners(projected: Sequence[tuple[int, Floats, Floats | None]], ids: Ids, starts: Ids) -> Winners:
    """:func:`winning_windows` of several widths, with what each word adds.

    ``projected``: for each width, that width and its projections in one table or two.
    """
    counts = [first.shape[1] // width for width, first, _ in projected]
    bounds = np.zeros(sum(counts) + 1, dtype=np.int64)
    np.cumsum(np.repeat([width for width, _, _ in projected], counts), out=bounds[1:])
    documents, dtype = len(starts) - 1, projected[0][1].dtype
    values = np.empty((documents, sum(counts)), dtype=dtype)
    where = np.empty(values.shape, dtype=np.int32)
    products = np.empty((documents, int(bounds[-1])), dtype=dtype)
    begin = 0
    for (width, first, more), filters in zip(projected, counts, strict=True):
        column = int(bounds[begin])
        second = _second(first, more)
        _winning_windows(first, second, ids, starts, width, values, where, products, begin, column)
        begin += filters
    return Winners(values, where, products, bounds)


def _second(projections: Floats, more: Floats | None) -> Floats:
    """The second table, as writable as the first: numba wants both of one type."""
    second = projections[:0] if more is None else more[:]
    second.flags.writeable = projections.flags.writeable
    return second


def scatter_winners(gradient: Floats, where: WindowStarts, ids: Ids, starts: Ids, width: int, words: int) -> Floats:
    """The adjoint of :func:`winning_windows`: (N, F) -> (U, width × F) for ``words`` = U."""
    landed = np.zeros((words, width * gradient.shape[1]), dtype=gradient.dtype)
    _scatter_winners(gradient, where, ids, starts, width, landed)
    return landed


@numba.njit(inline="always")
def _word_row(projections, more, ids, begin, length, place, offset, filters):  # type: ignore[no-untyped-def]
    """(F,) what the word at a place adds to each filter, ``offset`` words into a window; zeros beyond the end."""
    word = ids[begin + place] if place < length else 0
    kept = len(projections)
    row = projections[word] if word < kept else more[word - kept]
    return row[offset * filters : (offset + 1) * filters]


@compiled(parallel=True)
def _winning_windows(  # type: ignore[no-untyped-def]
    projections, more, ids, starts, width, best, where, products, first_filter, first_product
):
    filters = projections.shape[1] // width
    for n in numba.prange(best.shape[0]):
        begin = starts[n]
        length = starts[n + 1] - begin
        largest = best[n, first_filter : first_filter + filters]
        place = where[n, first_filter : first_filter + filters]
        place[:] = 0
        largest[:] = 0
        for h in range(width):
            row = _word_row(projections, more, ids, begin, length, h, h, filters)
            for f in range(filters):
                largest[f] += row[f]
        window = np.empty(filters, projections.dtype)
        for t in range(1, length - width + 1):
            first = _word_row(projections, more, ids, begin, length, t, 0, filters)
            if width == 1:  # the usual widths in one sweep each, the others by adding up in a buffer
                for f in range(filters):
                    value = first[f]
                    larger = value > largest[f]
                    largest[f] = value if larger else largest[f]
                    place[f] = t if larger else place[f]
            elif width == 2:
                second = _word_row(projections, more, ids, begin, length, t + 1, 1, filters)
                for f in range(filters):
                    value = first[f] + second[f]
                    larger = value > largest[f]
                    largest[f] = value if larger else largest[f]
                    place[f] = t if larger else place[f]
            else:
                for f in range(filters):
                    window[f] = first[f]
                for h in range(1, width - 1):
                    row = _word_row(projections, more, ids, begin, length, t + h, h, filters)
                    for f in range(filters):
                        window[f] += row[f]
                last = _word_row(projections, more, ids, begin, length, t + width - 1, width - 1, filters)
                for f in range(filters):
                    value = window[f] + last[f]
                    larger = value > largest[f]
                    largest[f] = value if larger else largest[f]
                    place[f] = t if larger else place[f]
        if products.shape[1]:  # now, while the rows are in the processor's cache
            own = products[n, first_product : first_product + filters * width]
            for f in range(filters):
                for h in range(width):
                    own[f * width + h] = _word_row(projections, more, ids, begin, length, place[f] + h, h, filters)[f]


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
    scale: Floats,
    bounds: Ids,
    sides: Floats,
    weights: Floats,
    factors: Floats,
    where: WindowStarts,
    ids: Ids,
    starts: Ids,
    classes: Ids | None,
    landed: Floats,
    unread: Floats,
) -> None:
    """Propagate classes through the dense layer and the winning windows of all widths to the words, in place.

    Of text n and its k-th class, filter f gets ``r = sum_p sides[p, n, f] weights[p, f, class] factors[p, n, k]``
    (P parts of the dense layer's rule) and gives ``shares[n, bounds[f] + h] scale[n, f] r`` to word h of its window.

    F filters of all widths, S = the sum of their widths: ``shares`` (N, S); ``scale`` (N, F); ``bounds`` (F + 1,)
    where the shares of each filter begin, and so how wide it is; ``sides`` (P, N, F); ``weights`` (P, F, C);
    ``factors`` (P, N, K); ``where`` (N, F), ``ids``, ``starts`` as in :func:`winning_windows`; ``classes`` (N, K),
    None for all C in their order. Written: ``landed`` (L, K), ``unread`` (N, K) what met unknown
    words or padding.
    """
    _land_winners(
        shares,
        scale,
        bounds,
        sides,
        weights,
        factors,
        where,
        ids,
        starts,
        np.empty((0, 0), dtype=np.int64) if classes is None else classes,
        classes is None,
        landed,
        unread,
    )


@compiled(parallel=True)
def _land_winners(  # type: ignore[no-untyped-def]
    shares, scale, bounds, sides, weights, factors, where, ids, starts, classes, every, landed, unread
):
    parts, documents, filters = sides.shape
    targets = factors.shape[2]
    simple = parts == 1 and every
    for n in numba.prange(documents):
        begin = starts[n]
        length = starts[n + 1] - begin
        landed[begin : begin + length] = 0
        unread[n] = 0
        arrived = np.empty(targets, shares.dtype)
        active = np.empty(filters, np.int32)
        count = 0
        for f in range(filters):  # without a branch: which filters give nothing cannot be predicted
            side = sides[0, n, f] if parts == 1 else shares.dtype.type(1)
            active[count] = f
            count += scale[n, f] * side != 0
        for place in range(count):
            f = active[place]
            side = scale[n, f]
            source = arrived
            if simple:  # the factor of a class is the same for all filters, and comes last
                side *= sides[0, n, f]
                source = weights[0, f]
            else:
                arrived[:] = 0
                for p in range(parts):
                    own, weight, factor = sides[p, n, f], weights[p, f], factors[p, n]
                    if own != 0:
                        for k in range(targets):
                            arrived[k] += own * weight[k if every else classes[n, k]] * factor[k]
            first = bounds[f]
            for h in range(bounds[f + 1] - first):
                share = side * shares[n, first + h]
                at = where[n, f] + h
                row = landed[begin + at] if at < length and ids[begin + at] > 0 else unread[n]
                for k in range(targets):
                    row[k] += share * source[k]
        if simple:
            factor = factors[0, n]
            for t in range(begin, begin + length):
                for k in range(targets):
                    landed[t, k] *= factor[k]
            for k in range(targets):
                unread[n, k] *= factor[k]
