"""Compiled loops that keep, for every word, how the scores of a convolutional net change if it is deleted next.

After max pooling, deleting a word changes only filters whose largest window contains it, or that have a window that
becomes the largest without it. When a word is deleted, the changes by the other words stay the same for all filters
except those in which a window with the deleted word could decide the value, before or after the deletion of one more
word. A window cannot exceed the sum of its positive products. If that sum is below ``floor``, the smallest value that
the filter has after the deletion of any one word, the window decides nothing.

Letters: L words of a text, F filters of all widths, S the sum of their widths, C classes, G convolutions.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from textlrp.lrp.kernels.compiling import compiled

LARGEST = 300.0
"""Changes of scores are limited to this size before exp, so that no probability overflows."""

FINITE: Any = {"nnan", "nsz", "reassoc", "contract"}
"""No value is infinite or undefined, and the order of additions is free: the search needs no last bits."""


_POWERS = 2.0 ** np.arange(-500, 501)


@numba.njit(inline="always")
def _exp(x):  # type: ignore[no-untyped-def]
    """exp(x) for |x| <= 300 with a relative error below 1e-8, without a call, so that a loop of it is vectorized."""
    whole = np.floor(x * 1.4426950408889634 + 0.5)
    r = x - whole * 0.6931471805599453
    series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r / 5040))))))
    return series * _POWERS[int(whole) + 500]


@compiled(fastmath=FINITE)
def _windows(columns, present, begin, filters, width, values, raised):  # type: ignore[no-untyped-def]
    """Write the value of each window, and for each word the largest window that it is in, without it.

    ``columns`` (S, L) are the products of the words; those of the filter begin in row ``begin``, ``filters`` rows
    apart. Return the largest window.
    """
    length = columns.shape[1]
    count = max(length - width + 1, 1)
    values[:count] = 0
    for h in range(width):
        row = columns[begin + h * filters]
        for t in range(min(count, length - h)):
            values[t] += present[t + h] * row[t + h]
    best = values[0]
    for t in range(1, count):
        best = values[t] if values[t] > best else best
    raised[:length] = -1e30
    for h in range(width):
        row = columns[begin + h * filters]
        for t in range(min(count, length - h)):
            without = values[t] - present[t + h] * row[t + h]
            raised[t + h] = without if without > raised[t + h] else raised[t + h]
    return best


@compiled(fastmath=FINITE)
def _add_filter(columns, begin, filters, width, bias, weight, sign, state, work, touched):  # type: ignore[no-untyped-def]
    """Add (``sign`` 1) or subtract (-1) what a filter changes with each word; return its pooled value and floor.

    Words with a change are marked in ``touched`` (L,).
    """
    present, _, _, change, _, actives = state
    values, raised = work[0], work[1]
    length = columns.shape[1]
    count = max(length - width + 1, 1)
    best = _windows(columns, present, begin, filters, width, values, raised)
    pooled = max(best + bias, np.float32(0))
    largest = 0
    while values[largest] != best:
        largest += 1
    first, last = max(largest - width + 1, 0), min(largest + width, count)
    outside = np.float32(-1e30)
    for t in range(first):
        outside = values[t] if values[t] > outside else outside
    for t in range(last, count):
        outside = values[t] if values[t] > outside else outside
    floor = pooled
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
            _add_word(change, actives, touched, w, sign * (after - pooled), sign, weight)
    threshold = max(best, -bias)
    highest = raised[0]
    for w in range(1, length):
        highest = raised[w] if raised[w] > highest else highest
    if highest > threshold:
        for w in range(length):
            elsewhere = w < largest or w >= largest + width
            if raised[w] > threshold and elsewhere and present[w] > 0:
                _add_word(change, actives, touched, w, sign * (raised[w] + bias - pooled), sign, weight)
    return pooled, floor


@numba.njit(inline="always")
def _add_word(change, actives, touched, w, difference, sign, weight):  # type: ignore[no-untyped-def]
    for c in range(len(weight)):
        change[w, c] += difference * weight[c]
    actives[w] += sign
    touched[w] = True


@compiled(fastmath=FINITE)
def delete_word(v, widths, net_filters, bias, weight, columns, rows, state, work, touched):  # type: ignore[no-untyped-def]
    """Delete word ``v`` from a state, or compute the state of the complete text if ``v`` is -1.

    A state has ``present`` (L,), ``floors`` (F,), ``scores`` (C,), and for each word the ``change`` (L, C) of the
    scores without it, its ``factors`` exp(change) (L, C), and ``actives`` (L,), the number of filters that change.
    ``columns`` (S, L) and ``rows`` (L, S) are the products of the words. ``work`` (4, L or F) and ``touched`` (L,)
    are memory for the loops.
    """
    present, floors, scores, change, factors, actives = state
    length = columns.shape[1]
    begin, first = 0, 0
    for g in range(len(widths)):
        width, filters = widths[g], net_filters[g]
        stale = work[3]
        for f in range(filters):
            stale[f] = 1 if v < 0 else 0
        if v >= 0:
            _mark_stale(v, begin, first, filters, width, bias, rows, present, floors, work[2], stale)
        for f in range(filters):
            if stale[f] == 0:
                continue
            k = first + f
            before = np.float32(0)
            if v >= 0:
                before, _ = _add_filter(
                    columns, begin + f, filters, width, bias[k], weight[k], -1, state, work, touched
                )
                present[v] = 0
            after, floors[k] = _add_filter(
                columns, begin + f, filters, width, bias[k], weight[k], 1, state, work, touched
            )
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
            for c in range(len(scores)):
                if actives[w] == 0:
                    change[w, c] = 0  # not a remainder of rounding
                else:
                    factors[w, c] = _exp(min(max(change[w, c], -LARGEST), LARGEST))


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
                    bounds[f] += row[f] if row[f] > 0 else np.float32(0)
        for f in range(filters):
            # a window that equals the floor decides it, and the two may be added up in different orders
            value = (bounds[f] + bias[first + f]) * np.float32(1.0001)
            stale[f] = 1 if (value > 0) & (value >= floors[first + f]) else stale[f]
