"""Compiled loops of convolution and max-pooling over words: the winning window of each filter.

A convolution over looked-up word vectors is a sum of per-word projections: with
``P[u, h, f] = vector[u] · W[f, :, h]`` for each word u, the value of filter f at position t is
``sum_h P[id[t + h], h, f]``. The loops add up projections and keep the largest window; they never create the (T × F)
activations.

Row 0 of ``projections`` is that of unknown words and padding, all zeros. A row has H × F numbers, the F filters of
each offset together. A document shorter than the window has one window at 0, padded with zero vectors. In a longer
document no window extends beyond its end. If projections are in two tables, id ``len(first) + i`` is row i of the
second table.

Two properties must be preserved when this module is changed. Of equal windows the first one wins (the comparison is
``>``): repeated phrases make exact ties common. And the projections of a window are added in the order of their
offsets: another order would change last bits, break ties and make :mod:`textlrp.lrp.kernels.path_loops` and
:mod:`textlrp.lrp.kernels.device` disagree with this module.

Letters: N documents, L words of all documents, U words with projections, F filters, H window width.
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
    """Return the value of the largest window of each filter, without bias, and where it begins: (N, F) each.

    Of equal windows the first one is returned. ``projections`` (U, H × F) and ``more`` are the two tables; ``ids``
    (L,) are their rows; ``starts`` (N + 1,) is where each document begins.
    """
    filters = projections.shape[1] // width
    best = np.empty((len(starts) - 1, filters), dtype=projections.dtype)
    where = np.empty(best.shape, dtype=np.int32)
    nothing = np.empty((len(best), 0), dtype=projections.dtype)
    _winning_windows(projections, _second(projections, more), ids, starts, width, best, where, nothing, 0, 0)
    return best, where


class Winners(NamedTuple):
    """The winning windows of the F filters of all widths, one width after the other; S is the sum of their widths.

    ``values`` (N, F) are the largest values, without bias; ``where`` (N, F) are the positions at which these windows
    begin; ``products`` (N, S) are the projections of the words of each window. The products of filter f are the
    columns from ``bounds[f]`` up to ``bounds[f + 1]``, with ``bounds`` (F + 1,).
    """

    values: Floats
    where: WindowStarts
    products: Floats
    bounds: Ids


def winners(projected: Sequence[tuple[int, Floats, Floats | None]], ids: Ids, starts: Ids) -> Winners:
    """Return the winning windows of several widths, with the projections of their words.

    ``projected`` has each width, with its projections in one table or two.
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
    """The second table, writable only if the first is: numba needs one type for the row of either table."""
    second = projections[:0] if more is None else more[:]
    second.flags.writeable = projections.flags.writeable
    return second


def scatter_winners(gradient: Floats, where: WindowStarts, ids: Ids, starts: Ids, width: int, words: int) -> Floats:
    """Return the gradient (U, width × F) of projections from that of the largest windows (N, F); U = ``words``."""
    on_words = np.zeros((words, width * gradient.shape[1]), dtype=gradient.dtype)
    _scatter_winners(gradient, where, ids, starts, width, on_words)
    return on_words


@numba.njit(inline="always")
def _word_row(projections, more, ids, begin, length, position, offset, filters):  # type: ignore[no-untyped-def]
    """The projections (F,) of the word at ``position``, ``offset`` words into a window; zeros beyond the end."""
    word = ids[begin + position] if position < length else 0
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
        position = where[n, first_filter : first_filter + filters]
        # the window at 0, which a document shorter than the window also has; 0 + x is x, so the sum equals that below
        position[:] = 0
        largest[:] = 0
        for h in range(width):
            row = _word_row(projections, more, ids, begin, length, h, h, filters)
            for f in range(filters):
                largest[f] += row[f]
        window = np.empty(filters, projections.dtype)
        for t in range(1, length - width + 1):
            first = _word_row(projections, more, ids, begin, length, t, 0, filters)
            # The usual widths take one sweep over the filters; the others add up in a buffer. In each case > keeps
            # the first of equal windows, and without a branch in the loop the compiler vectorizes it.
            if width == 1:
                for f in range(filters):
                    value = first[f]
                    larger = value > largest[f]
                    largest[f] = value if larger else largest[f]
                    position[f] = t if larger else position[f]
            elif width == 2:
                second = _word_row(projections, more, ids, begin, length, t + 1, 1, filters)
                for f in range(filters):
                    value = first[f] + second[f]
                    larger = value > largest[f]
                    largest[f] = value if larger else largest[f]
                    position[f] = t if larger else position[f]
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
                    position[f] = t if larger else position[f]
        if products.shape[1]:  # gathered here, while the rows are in the cache of the processor
            gathered = products[n, first_product : first_product + filters * width]
            for f in range(filters):
                for h in range(width):
                    row = _word_row(projections, more, ids, begin, length, position[f] + h, h, filters)
                    gathered[f * width + h] = row[f]


@compiled()
def _scatter_winners(gradient, where, ids, starts, width, on_words):  # type: ignore[no-untyped-def]
    # Not parallel: documents share words, so that threads would add to the same rows, and in an order that varies.
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
