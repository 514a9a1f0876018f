"""Compiled loop that deletes or inserts words one after another in a convolutional net, with few additions per step.

Deletion experiments need the largest window of each filter after every step. The values of all windows of a text are
kept, with ``P[u, h, f]`` as in :mod:`textlrp.lrp.kernels.windows`. A changed word is in at most ``width`` windows,
and only these are added up again. All windows of a filter are searched only if its largest window became smaller.

Every window is added up in the order of :func:`.winning_windows`, so that the values equal those of complete forward
passes bit for bit. Keep that order if you change either loop.
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
    one_at_a_time: bool = False,
) -> Floats:
    """Return the values of the largest windows, without bias, before and after each step: (N + all steps, F).

    ``projections``, ``ids``, ``starts`` and ``width`` are as in :mod:`textlrp.lrp.kernels.windows`. ``steps`` are
    positions in the texts, text after text; ``step_starts`` (N + 1,) is where the steps of each text begin. The rows
    of text n begin at ``step_starts[n] + n``: one before the first step, and one after each step.

    At each step the word at that position is replaced by the zero vector; the other words keep their positions. If
    ``inserting``, all words are zero vectors at first, and each step restores one. If ``one_at_a_time``, each step
    starts from the initial text again.
    """
    filters = projections.shape[1] // width
    largest = np.empty((len(steps) + len(starts) - 1, filters), dtype=projections.dtype)
    _path_windows(projections, ids, starts, width, steps, step_starts, inserting, one_at_a_time, largest)
    return largest


@numba.njit(inline="always")
def _path_window(projections, ids, begin, length, present, t, width, window):  # type: ignore[no-untyped-def]
    """Add up the window at t in the order of :func:`.winning_windows`; the zeros skipped here change no value."""
    filters = len(window)
    window[:] = 0
    for h in range(min(width, length - t)):
        word = ids[begin + t + h]
        if word > 0 and present[t + h]:
            row = projections[word, h * filters : (h + 1) * filters]
            for f in range(filters):
                window[f] += row[f]


@numba.njit(inline="always")
def _search(values, best, where, stale):  # type: ignore[no-untyped-def]
    """Find the largest window of each filter whose ``best`` is ``stale``; of equal windows the first one wins."""
    for f in range(len(best)):
        if stale[f]:
            best[f] = values[f, 0]
            where[f] = 0
            for t in range(1, values.shape[1]):
                if values[f, t] > best[f]:
                    best[f] = values[f, t]
                    where[f] = t
            stale[f] = False


@compiled(parallel=True)
def _path_windows(projections, ids, starts, width, steps, step_starts, inserting, one_at_a_time, largest):  # type: ignore[no-untyped-def]
    filters = largest.shape[1]
    for n in numba.prange(len(starts) - 1):
        begin = starts[n]
        length = starts[n + 1] - begin
        row = step_starts[n] + n
        values = np.empty((filters, max(length - width + 1, 1)), projections.dtype)
        window = np.empty(filters, projections.dtype)
        present = np.full(length, not inserting)
        best = np.empty(filters, projections.dtype)
        where = np.zeros(filters, np.int64)
        stale = np.full(filters, True)
        for t in range(values.shape[1]):
            _path_window(projections, ids, begin, length, present, t, width, window)
            for f in range(filters):
                values[f, t] = window[f]
        _search(values, best, where, stale)
        largest[row] = best
        for step in range(step_starts[n + 1] - step_starts[n]):
            position = steps[step_starts[n] + step]
            for time in range(2 if one_at_a_time else 1):  # the second time undoes the step
                present[position] = not present[position]
                for t in range(max(position - width + 1, 0), min(position + 1, values.shape[1])):
                    _path_window(projections, ids, begin, length, present, t, width, window)
                    for f in range(filters):
                        values[f, t] = window[f]
                        # A window above the best so far is the new best, even if that is stale: the stale value is an
                        # upper bound of all windows that did not change. An equal window changes nothing, because
                        # only the value is returned. If the best window itself became smaller, search again.
                        if window[f] > best[f]:
                            best[f] = window[f]
                            where[f] = t
                            stale[f] = False
                        elif where[f] == t and window[f] < best[f]:
                            stale[f] = True
                _search(values, best, where, stale)
                if time == 0:
                    largest[row + step + 1] = best
