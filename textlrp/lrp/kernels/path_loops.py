"""Leaving words out one after another, in the convolutional net: only the windows that meet the word are added again.

With ``P[u, h, f]`` as in :mod:`textlrp.lrp.kernels.windows`, the values of all windows of a text are kept; a word
that goes touches at most ``width`` of them, and a filter is searched anew only where its winner was touched and fell.
Every window is added up in the order of :func:`winning_windows` there, so the numbers are those of whole
forward passes, to the last bit.
"""

from __future__ import annotations

import numba
import numpy as np

from textlrp.lrp.kernels.compiling import compiled
from textlrp.lrp.kernels.windows import Floats, Ids


def path_windows(
    projections: Floats,
    ids: Ids,
    starts: Ids,
    width: int,
    steps: Ids,
    step_starts: Ids,
    *,
    inserting: bool = False,
    back_again: bool = False,
) -> Floats:
    """The largest windows, without bias, of each text and after each of its steps: (N + all steps, F).

    ``projections``, ``ids``, ``starts`` and ``width`` as in :mod:`textlrp.lrp.kernels.windows`; ``steps`` are
    positions within the texts, all texts end to end, ``step_starts`` (N + 1,) where each text's begin. Text n has
    the rows from ``step_starts[n] + n`` on: before the first step, and after each.

    At each step the word at that position becomes the zero vector, its position stays. ``inserting``: all words are
    zero vectors at first and each step brings one back. ``back_again``: each step starts from the whole text.
    """
    filters = projections.shape[1] // width
    found = np.empty((len(steps) + len(starts) - 1, filters), dtype=projections.dtype)
    _path_windows(projections, ids, starts, width, steps, step_starts, inserting, back_again, found)
    return found


@numba.njit(inline="always")
def _path_window(projections, ids, begin, length, there, t, width, window):  # type: ignore[no-untyped-def]
    filters = len(window)
    window[:] = 0
    for h in range(min(width, length - t)):
        word = ids[begin + t + h]
        if word > 0 and there[t + h]:
            row = projections[word, h * filters : (h + 1) * filters]
            for f in range(filters):
                window[f] += row[f]


@numba.njit(inline="always")
def _search(values, best, where, fallen):  # type: ignore[no-untyped-def]
    """Find the largest window of the filters whose winner fell."""
    for f in range(len(best)):
        if fallen[f]:
            best[f] = values[f, 0]
            where[f] = 0
            for t in range(1, values.shape[1]):
                if values[f, t] > best[f]:
                    best[f] = values[f, t]
                    where[f] = t
            fallen[f] = False


@compiled(parallel=True)
def _path_windows(projections, ids, starts, width, steps, step_starts, inserting, back_again, found):  # type: ignore[no-untyped-def]
    filters = found.shape[1]
    for n in numba.prange(len(starts) - 1):
        begin = starts[n]
        length = starts[n + 1] - begin
        row = step_starts[n] + n
        values = np.empty((filters, max(length - width + 1, 1)), projections.dtype)
        window = np.empty(filters, projections.dtype)
        there = np.full(length, not inserting)
        best = np.empty(filters, projections.dtype)
        where = np.zeros(filters, np.int64)
        fallen = np.full(filters, True)
        for t in range(values.shape[1]):
            _path_window(projections, ids, begin, length, there, t, width, window)
            for f in range(filters):
                values[f, t] = window[f]
        _search(values, best, where, fallen)
        found[row] = best
        for step in range(step_starts[n + 1] - step_starts[n]):
            position = steps[step_starts[n] + step]
            for time in range(2 if back_again else 1):
                there[position] = not there[position]
                for t in range(max(position - width + 1, 0), min(position + 1, values.shape[1])):
                    _path_window(projections, ids, begin, length, there, t, width, window)
                    for f in range(filters):
                        values[f, t] = window[f]
                        if window[f] > best[f]:
                            best[f] = window[f]
                            where[f] = t
                            fallen[f] = False
                        elif where[f] == t and window[f] < best[f]:
                            fallen[f] = True
                _search(values, best, where, fallen)
                if time == 0:
                    found[row + step + 1] = best
