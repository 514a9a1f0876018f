"""Split long texts into windows of whole words side by side, of nearly equal length.

Letters: L words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WordBounds = list[tuple[int, int]]
"""The first word of each window, and the word after its last one."""


def windows_side_by_side(sizes: NDArray[np.int64], room: int | None) -> WordBounds:
    """Return the windows of a text; ``sizes`` (L,) are the pieces of each word, each at most ``room``.

    There are as few windows of at most ``room`` pieces (None: no limit) as possible, and the longest is as short as
    possible, so that each window has about the same context. A text without words has one empty window.
    """
    if room is None or sizes.sum() <= room:
        return [(0, len(sizes))]
    ends = np.concatenate([[0], np.cumsum(sizes)])
    found = _filled_windows(ends, room)
    low, high = -(-int(ends[-1]) // len(found)), room
    while low < high:  # the smallest length with as many windows, by bisection
        middle = (low + high) // 2
        tried = _filled_windows(ends, middle) if middle >= sizes.max() else None
        if tried is None or len(tried) > len(found):
            low = middle + 1
        else:
            found, high = tried, middle
    return _filled_windows(ends, low)


def _filled_windows(ends: NDArray[np.int64], length: int) -> WordBounds:
    """Windows that have as many words as fit into ``length`` pieces, one after another."""
    found, first = [], 0
    while first < len(ends) - 1:
        last = int(np.searchsorted(ends, ends[first] + length, side="right")) - 1
        found.append((first, last))
        first = last
    return found
