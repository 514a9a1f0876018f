"""Compiled loops that keep, for every word, how the scores of a convolutional net change if it is deleted next.

After max pooling, deleting a word changes only filters whose largest window contains it, or that have a window that
becomes the largest without it. When a word is deleted, the changes by the other words stay the same for all filters
except those in which a window with the deleted word could decide the value, before or after the deletion of one more
word. A window cannot exceed the sum of its positive products. If that sum is below ``floor``, the smallest value that
the filter has after the deletion of any one word, the window decides nothing.

Letters: L words of a text, F filters of all widths, S the sum of their widths, C classes, G convolutions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from textlrp.lrp.kernels.compiling import compiled

LARGEST = 300.0
"""Changes of scores are limited to this size before exp, so that no probability overflows."""

FINITE: Any = {"nnan", "nsz", "reassoc", "contract"}
"""No value is infinite or undefined, and the order of additions is free: the search needs no last bits."""


LANES = 32
"""Maxima that :func:`_largest` carries along."""

NOTED = 8
"""Changes of a filter that a state keeps; a filter with more is examined again to subtract them."""

LOWEST = np.float32(-1e30)
"""Below every value of a window."""

_POWERS = 2.0 ** np.arange(-500, 501)


class WordChanges(NamedTuple):
    """A set of words that are present, and what the deletion of one more word changes.

    ``present`` (L,) is 1 or 0. ``scores`` (C,) are those of the text. ``change`` (L, C) is the change of the scores
    without each word, ``factors`` (L, C) its exponential; both are defined where ``actives`` (L,), the number of
    filters that change, is not 0. For each filter: its ``pooled`` value and ``floors`` (F,), the number of words
    ``noted`` (F,) that change it, and the first of them with their changes, ``noted_words`` and ``noted_changes``
    (F, NOTED).
    """

    present: Any
    scores: Any
    change: Any
    factors: Any
    actives: Any
    pooled: Any
    floors: Any
    noted: Any
    noted_words: Any
    noted_changes: Any


@numba.njit(inline="always")
def _exp(x):  # type: ignore[no-untyped-def]
    """exp(x) for |x| <= 300 with a relative error below 1e-8, without a call, so that a loop of it is vectorized."""
    whole = np.floor(x * 1.4426950408889634 + 0.5)
    r = x - whole * 0.6931471805599453
    series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r / 5040))))))
    return series * _POWERS[int(whole) + 500]


@compiled(fastmath=FINITE)
def _window_values(columns, present, begin, filters, width, values, raised):  # type: ignore[no-untyped-def]
    """Write the value of each window, and for each word the largest window that it is in, without it.

    ``columns`` (S, L) are the products of the words; those of the filter begin in row ``begin``, ``filters`` rows
    apart.
    """
    length = columns.shape[1]
    count = max(length - width + 1, 1)
    values[:count] = 0
    for h in range(width):
        inside = min(count, length - h)
        row, there = columns[begin + h * filters, h : h + inside], present[h : h + inside]
        for t in range(inside):
            values[t] += there[t] * row[t]
    raised[:length] = LOWEST
    for h in range(width):
        inside = min(count, length - h)
        row, there = columns[begin + h * filters, h : h + inside], present[h : h + inside]
        without = raised[h : h + inside]
        for t in range(inside):
            without[t] = max(without[t], values[t] - there[t] * row[t])


@compiled(fastmath=FINITE)
def _largest(values, lanes):  # type: ignore[no-untyped-def]
    """Return the largest of the values and its position; -1e30 and 0 if there are none.

    The position n belongs to lane n modulo :data:`LANES`: the compiler vectorizes the loop over the lanes, and would
    not vectorize one that carries a single maximum along.
    """
    count = len(values)
    lanes[:] = LOWEST
    whole = count // LANES
    for block in range(whole):
        part = values[block * LANES : (block + 1) * LANES]
        for lane in range(LANES):
            lanes[lane] = max(lanes[lane], part[lane])
    rest = values[whole * LANES :]
    for lane in range(len(rest)):
        lanes[lane] = max(lanes[lane], rest[lane])
    best, position = LOWEST, 0
    for lane in range(min(LANES, count)):
        if lanes[lane] > best:
            best, position = lanes[lane], lane
    while position < count - LANES and values[position] != best:
        position += LANES
    return best, position


@compiled(fastmath=FINITE)
def _add_filter(columns, begin, filters, width, bias, weight, sign, f, state, work, touched):  # type: ignore[no-untyped-def]
    """Add (``sign`` 1) or subtract (-1) what filter ``f`` changes with each word; return its pooled value.

    The first :data:`NOTED` of these changes are kept in the state. Changed words are marked in ``touched`` (L,).
    """
    present, values, raised, lanes = state.present, work[0], work[1], work[4, :LANES]
    length = columns.shape[1]
    count = max(length - width + 1, 1)
    _window_values(columns, present, begin, filters, width, values, raised)
    best, largest = _largest(values[:count], lanes)
    pooled = max(best + bias, np.float32(0))
    first, last = max(largest - width + 1, 0), min(largest + width, count)
    outside = max(_largest(values[:first], lanes)[0], _largest(values[last:count], lanes)[0])
    floor, noted = pooled, 0
    for w in range(largest, min(largest + width, length)):
        if present[w] == 0:
            continue
        after = max(outside, raised[w])
        for t in range(first, last):
            if (t > w or t < w - width + 1) and values[t] > after:
                after = values[t]
        after = max(after + bias, np.float32(0))
        floor = min(floor, after)
        if after != pooled:
            _add_word(state, touched, w, after - pooled, sign, weight)
            noted = _keep_change(state, f, noted, w, after - pooled)
    threshold = max(best, -bias)
    if _largest(raised[:length], lanes)[0] > threshold:
        for w in range(length):
            elsewhere = w < largest or w >= largest + width
            if raised[w] > threshold and elsewhere and present[w] > 0:
                _add_word(state, touched, w, raised[w] + bias - pooled, sign, weight)
                noted = _keep_change(state, f, noted, w, raised[w] + bias - pooled)
    state.noted[f], state.pooled[f], state.floors[f] = noted, pooled, floor
    return pooled


@numba.njit(inline="always")
def _add_word(state, touched, w, difference, sign, weight):  # type: ignore[no-untyped-def]
    signed = sign * difference
    for c in range(len(weight)):
        state.change[w, c] += signed * weight[c]
    state.actives[w] += sign
    touched[w] = True


@numba.njit(inline="always")
def _keep_change(state, f, noted, w, difference):  # type: ignore[no-untyped-def]
    if noted < NOTED:
        state.noted_words[f, noted], state.noted_changes[f, noted] = w, difference
    return noted + 1


@compiled(fastmath=FINITE)
def delete_word(v, widths, net_filters, bias, weight, columns, rows, state, work, touched):  # type: ignore[no-untyped-def]
    """Delete word ``v`` from a state, or compute the state of the complete text if ``v`` is -1.

    ``columns`` (S, L) and ``rows`` (L, S) are the products of the words. ``work`` (5, L or F or :data:`LANES`) and
    ``touched`` (L,) are memory for the loops.
    """
    present, scores, change, actives = state.present, state.scores, state.change, state.actives
    length = columns.shape[1]
    begin, first = 0, 0
    for g in range(len(widths)):
        width, filters = widths[g], net_filters[g]
        stale = work[3]
        stale[:filters] = 1 if v < 0 else 0
        if v >= 0:
            _mark_stale(v, begin, first, filters, width, bias, rows, present, state.floors, work[2], stale)
        for f in range(filters):
            if stale[f] == 0:
                continue
            k = first + f
            before = np.float32(0)
            if v >= 0:
                before = state.pooled[k]
                if state.noted[k] <= NOTED:
                    for n in range(state.noted[k]):
                        _add_word(state, touched, state.noted_words[k, n], state.noted_changes[k, n], -1, weight[k])
                else:
                    _add_filter(columns, begin + f, filters, width, bias[k], weight[k], -1, k, state, work, touched)
                present[v] = 0
            after = _add_filter(columns, begin + f, filters, width, bias[k], weight[k], 1, k, state, work, touched)
            if v >= 0:
                present[v] = 1
            for c in range(len(scores)):
                scores[c] += (after - before) * weight[k, c]
        begin, first = begin + width * filters, first + filters
    if v >= 0:
        present[v] = 0
        actives[v] = 0
    for w in range(length):
        if touched[w]:
            touched[w] = False
            if actives[w] == 0:
                change[w] = 0  # not a remainder of rounding
            else:
                for c in range(len(scores)):
                    state.factors[w, c] = _exp(min(max(change[w, c], -LARGEST), LARGEST))


@compiled(fastmath=FINITE)
def _mark_stale(v, begin, first, filters, width, bias, rows, present, floors, bounds, stale):  # type: ignore[no-untyped-def]
    """Mark the filters in which a window with word ``v`` could decide a value."""
    length = len(rows)
    for t in range(max(v - width + 1, 0), min(v + 1, max(length - width + 1, 1))):
        bounds[:filters] = 0
        for h in range(min(width, length - t)):
            if present[t + h] > 0:
                row = rows[t + h, begin + h * filters : begin + (h + 1) * filters]
                for f in range(filters):
                    bounds[f] += max(row[f], np.float32(0))
        for f in range(filters):
            # a window that equals the floor decides it, and the two may be added up in different orders
            value = (bounds[f] + bias[first + f]) * np.float32(1.0001)
            stale[f] = 1 if (value > 0) & (value >= floors[first + f]) else stale[f]
