"""Compiled loops of relevance propagation: contributions and relevance of the words of winning windows.

Letters as in :mod:`textlrp.lrp.kernels.windows`; further D embedding dimensions, T tokens, C classes, K explained
classes, P flows of the output layer (see :mod:`textlrp.lrp.fused`).
"""

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
    """Return the positive and the negative products (N, F, H) of each word of the winning windows, summed over D.

    ``vectors`` (U, D); ``weight`` (F, H, D); ``words`` (N, T) are rows of ``vectors``; ``where`` (N, F) are the
    positions at which the windows begin.
    """
    positive = np.zeros((*where.shape, weight.shape[1]), dtype=vectors.dtype)
    negative = np.zeros_like(positive)

    def sum_products(documents: slice) -> None:
        _signed_contributions(
            vectors, weight, words[documents], where[documents], positive[documents], negative[documents]
        )

    threads = min(numba.get_num_threads(), len(where))
    if threads <= 1:
        sum_products(slice(None))
    else:
        edges = [len(where) * i // threads for i in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(sum_products, starmap(slice, pairwise(edges))))
    return positive, negative


# fastmath lets the compiler reorder the sum over D, so that it can use vector instructions. The order is then fixed
# in the machine code, and so are the last bits of the result. parallel=True is not used for this reason: numba
# optimizes a parallel loop again in the process that compiles it, but not in those that load it from the cache. With
# a free order of summation the first process could differ from later ones in the last bit.
@compiled(nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _signed_contributions(vectors, weight, words, where, positive, negative):  # type: ignore[no-untyped-def]
    filters, width, dimensions = weight.shape
    nothing = vectors.dtype.type(0)
    for n in range(where.shape[0]):
        for f in range(filters):
            for h in range(width):
                word = words[n, where[n, f] + h]
                if word > 0:
                    # ``nothing`` is a zero of the vectors' dtype: a plain 0.0 would make float32 sums float64
                    above, below = nothing, nothing
                    for d in range(dimensions):
                        product = vectors[word, d] * weight[f, h, d]
                        above += product if product > nothing else nothing
                        below += product if product < nothing else nothing
                    positive[n, f, h] = above
                    negative[n, f, h] = below


def spread_over_windows(factor: Floats, weight: Floats, where: NDArray[np.int64], tokens: int) -> Floats:
    """Add the weights of each filter, times its factor, at its winning window: (K, N, F) -> (K, N, T, D).

    ``weight`` (F, H, D); ``where`` (N, F) as above; ``tokens`` is T, at least the end of the last window.
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
    inputs: Floats,
    weights: Floats,
    factors: Floats,
    where: WindowStarts,
    ids: Ids,
    starts: Ids,
    classes: Ids | None,
    on_words: Floats,
    ignored: Floats,
) -> None:
    """Propagate relevance from classes through the output layer and the winning windows to the words, in place.

    For document n and its k-th class, filter f receives
    ``r = sum_p inputs[p, n, f] weights[p, f, class] factors[p, n, k]``, and word h of its window receives
    ``shares[n, bounds[f] + h] scale[n, f] r``.

    F filters of all widths, S the sum of their widths: ``shares`` (N, S); ``scale`` (N, F); ``bounds`` (F + 1,) as
    in :class:`.Winners`; ``inputs`` (P, N, F); ``weights`` (P, F, C); ``factors`` (P, N, K); ``where`` (N, F),
    ``ids`` and ``starts`` as in :func:`.winning_windows`; ``classes`` (N, K), None for all C in their order.

    The results are written to ``on_words`` (L, K) and ``ignored`` (N, K), the relevance that reached unknown words or
    padding.
    """
    _propagate_winners(
        shares,
        scale,
        bounds,
        inputs,
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
    shares, scale, bounds, inputs, weights, factors, where, ids, starts, classes, every, on_words, ignored
):
    # Parallel over documents: each has its own rows of ``on_words`` and ``ignored``, to which its filters are added
    # in their order. The result does not depend on the number of threads.
    flows, documents, filters = inputs.shape
    targets = factors.shape[2]
    one_flow = flows == 1 and every
    for n in numba.prange(documents):
        begin = starts[n]
        length = starts[n + 1] - begin
        on_words[begin : begin + length] = 0
        ignored[n] = 0
        received = np.empty(targets, shares.dtype)
        # List the filters that have relevance: after a ReLU many outputs are 0. Every f is stored, and the next one
        # overwrites it if it does not count. A branch would be slower, because it cannot be predicted.
        active = np.empty(filters, np.int32)
        count = 0
        for f in range(filters):
            value = inputs[0, n, f] if flows == 1 else shares.dtype.type(1)
            active[count] = f
            count += scale[n, f] * value != 0
        for i in range(count):
            f = active[i]
            multiplier = scale[n, f]
            source = received
            if one_flow:
                # The factor of a class is the same for all filters. So the sum over filters is computed with the bare
                # weights, and multiplied by the factor once for each word, after this loop.
                multiplier *= inputs[0, n, f]
                source = weights[0, f]
            else:
                received[:] = 0
                for p in range(flows):
                    value, weight, factor = inputs[p, n, f], weights[p, f], factors[p, n]
                    if value != 0:
                        for k in range(targets):
                            received[k] += value * weight[k if every else classes[n, k]] * factor[k]
            first = bounds[f]
            for h in range(bounds[f + 1] - first):
                share = multiplier * shares[n, first + h]
                position = where[n, f] + h
                # padding and unknown words never receive relevance: it is summed in the ledger
                row = on_words[begin + position] if position < length and ids[begin + position] > 0 else ignored[n]
                for k in range(targets):
                    row[k] += share * source[k]
        if one_flow:
            factor = factors[0, n]
            for t in range(begin, begin + length):
                for k in range(targets):
                    on_words[t, k] *= factor[k]
            for k in range(targets):
                ignored[n, k] *= factor[k]
