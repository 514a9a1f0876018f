"""Choose one place for each of several strings, in order and at the lowest total cost, by dynamic programming.

:mod:`textlrp.text.placing` computes the possible places and their costs. Open this module for the algorithm.
Letters: M strings, O possible places of one string, Q units of the text (characters or words).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import IntArray

LEFT_OUT = 1 << 24
"""The cost of one gap, a range of the text that no string covers. Lower costs only break ties."""
NEVER = 1 << 60
"""The cost of an impossible choice."""


class Choices(NamedTuple):
    """The possible places of one string, sorted: ``begins`` and ``ends`` (O,) in units of the text, and ``costs``."""

    begins: IntArray
    ends: IntArray
    costs: IntArray


# ---- the best placement


def best_of_all(choices: Sequence[Choices], size: int) -> tuple[list[int], NDArray[np.bool_]]:
    """Choose one place for each of M strings in a text of ``size`` units. A valid choice must exist.

    Returns the index of the chosen place of each string, and for each string (M,) whether another place has equally
    many gaps.
    """
    # so_far: the lowest cost of all strings up to and including each place; to_come: of all strings after it
    so_far: list[IntArray] = []
    for number, (begins, _, costs) in enumerate(choices):
        if number == 0:
            so_far.append(costs + LEFT_OUT * (begins > 0))
            continue
        ends, before = choices[number - 1].ends, so_far[-1]
        at = np.searchsorted(ends, begins, side="right") - 1
        after_gap = np.minimum.accumulate(before)[at] + LEFT_OUT
        adjacent = np.where(ends[at] == begins, before[at], NEVER)
        so_far.append(np.where(at >= 0, np.minimum(after_gap, adjacent), NEVER) + costs)
    to_come: list[IntArray] = []
    for number in range(len(choices) - 1, -1, -1):
        ends = choices[number].ends
        if not to_come:
            to_come.append(LEFT_OUT * (ends < size).astype(np.int64))
            continue
        begins, rest = choices[number + 1].begins, to_come[-1] + choices[number + 1].costs
        at = np.searchsorted(begins, ends, side="left")
        inside = at.clip(max=len(begins) - 1)
        after_gap = np.minimum.accumulate(rest[::-1])[::-1][inside] + LEFT_OUT
        adjacent = np.where(begins[inside] == ends, rest[inside], NEVER)
        to_come.append(np.where(at < len(begins), np.minimum(after_gap, adjacent), NEVER))
    totals = [before + after for before, after in zip(so_far, reversed(to_come), strict=True)]
    best = int(min(total.min() for total in totals)) if totals else 0
    return _cheapest_path(choices, so_far, totals, best)


def best_of_some(choices: Sequence[Choices], size: int, worth: int) -> tuple[list[int], NDArray[np.bool_]]:
    """Choose places as :func:`best_of_all` does, but a string may get none (-1). Each place saves ``worth``."""
    valued = [Choices(begins, ends, costs - worth) for begins, ends, costs in choices]
    so_far = _sweep(valued, size)
    turned = [Choices((size - ends)[::-1], (size - begins)[::-1], costs[::-1]) for begins, ends, costs in valued]
    back = _sweep(turned[::-1], size)[::-1]
    totals = [before + after[::-1] - each.costs for before, after, each in zip(so_far, back, valued, strict=True)]
    best = min((int(total.min()) for total in totals if len(total)), default=0)
    return _cheapest_path(valued, so_far, totals, best)


def passages(choices: Sequence[Choices]) -> tuple[list[int], NDArray[np.bool_]]:
    """Choose places for strings that a function repeats: passages without a gap, each as long as possible.

    Returns the index of the chosen place of each string (-1 for none), and whether another place fits as well (M,).
    """
    chosen, unsure = [-1] * len(choices), np.zeros(len(choices), dtype=bool)
    number = 0
    while number < len(choices):
        paths: list[tuple[int, ...]] = [(at,) for at in range(len(choices[number].begins))]
        length = 1
        while paths and number + length < len(choices):
            before, after = choices[number + length - 1], choices[number + length]
            next_at = {begin: at for at, begin in enumerate(after.begins.tolist())}
            ends = [(path, int(before.ends[path[-1]])) for path in paths]
            longer = [(*path, next_at[end]) for path, end in ends if end in next_at]
            if not longer:
                break
            paths, length = longer, length + 1
        if paths:
            chosen[number : number + length] = paths[0]
            unsure[number : number + length] = len(paths) > 1
        number += length
    return chosen, unsure


def _sweep(choices: Sequence[Choices], size: int) -> list[IntArray]:
    """Return the lowest cost up to and including each place, if the strings before it may have no place."""
    reached = np.full(size + 1, NEVER, dtype=np.int64)
    reached[0] = 0
    found = []
    for begins, ends, costs in choices:
        least = np.minimum.accumulate(reached)
        cost = np.minimum(reached[begins], least[begins] + LEFT_OUT) + costs
        found.append(cost)
        np.minimum.at(reached, ends, cost)
    return found


def _cheapest_path(
    choices: Sequence[Choices], so_far: Sequence[IntArray], totals: Sequence[IntArray], best: int
) -> tuple[list[int], NDArray[np.bool_]]:
    """Return the first of the cheapest choices, and for which strings another place has equally many gaps."""
    chosen, unsure = [], np.zeros(len(choices), dtype=bool)
    end, cost = 0, 0
    for number, (begins, ends, costs) in enumerate(choices):
        step = np.where(begins == end, 0, LEFT_OUT)
        fits = (begins >= end) & (totals[number] == best) & (so_far[number] == cost + step + costs)
        chosen.append(int(np.argmax(fits)) if fits.any() else -1)
        if fits.any():
            end, cost = int(ends[chosen[-1]]), int(so_far[number][chosen[-1]])
            unsure[number] = np.count_nonzero(totals[number] // LEFT_OUT == best // LEFT_OUT) > 1
    return chosen, unsure
