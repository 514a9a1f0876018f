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
    on_words = np.zeros((words, width * gradient.shape[1]), dtype=gradient.dtype)
    _scatter_winners(gradient, where, ids, starts, width, on_words)
    return on_words


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
def _scatter_winners(gradient, where, ids, starts, width, on_words):  # type: ignore[no-untyped-def]
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
                        on_words[word, h * filters + f] += value
