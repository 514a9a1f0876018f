"""Compiled loops of the way back: what the words of winning windows contribute, and their relevance."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, starmap

import numba
import numpy as np
from numpy.typing import NDArray

from textlrp.lrp.kernels.compiling import compiled
from textlrp.lrp.kernels.windows import Floats, Ids, WindowStarts


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


def propagate_winners(
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
    on_words: Floats,
    ignored: Floats,
) -> None:
    """Propagate classes through the dense layer and the winning windows of all widths to the words, in place.

    Of text n and its k-th class, filter f gets ``r = sum_p sides[p, n, f] weights[p, f, class] factors[p, n, k]``
    (P parts of the dense layer's rule) and gives ``shares[n, bounds[f] + h] scale[n, f] r`` to word h of its window.

    F filters of all widths, S = the sum of their widths: ``shares`` (N, S); ``scale`` (N, F); ``bounds`` (F + 1,)
    where the shares of each filter begin, and so how wide it is; ``sides`` (P, N, F); ``weights`` (P, F, C);
    ``factors`` (P, N, K); ``where`` (N, F), ``ids``, ``starts`` as in :func:`winning_windows`; ``classes`` (N, K),
    None for all C in their order. Written: ``on_words`` (L, K), ``ignored`` (N, K) what met unknown
    words or padding.
    """
    _propagate_winners(
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
        on_words,
        ignored,
    )


@compiled(parallel=True)
def _propagate_winners(  # type: ignore[no-untyped-def]
    shares, scale, bounds, sides, weights, factors, where, ids, starts, classes, every, on_words, ignored
):
    parts, documents, filters = sides.shape
    targets = factors.shape[2]
    simple = parts == 1 and every
    for n in numba.prange(documents):
        begin = starts[n]
        length = starts[n + 1] - begin
        on_words[begin : begin + length] = 0
        ignored[n] = 0
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
                row = on_words[begin + at] if at < length and ids[begin + at] > 0 else ignored[n]
                for k in range(targets):
                    row[k] += share * source[k]
        if simple:
            factor = factors[0, n]
            for t in range(begin, begin + length):
                for k in range(targets):
                    on_words[t, k] *= factor[k]
            for k in range(targets):
                ignored[n, k] *= factor[k]
