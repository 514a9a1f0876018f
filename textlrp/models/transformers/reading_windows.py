"""Split long texts into overlapping windows of whole words, each short enough for a model.

Letters: L words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OVERLAP = 4
"""Consecutive windows share at most the pieces of a window divided by this number."""


def overlap_of(room: int) -> int:
    """Return the largest number of pieces that two consecutive windows share."""
    return room // OVERLAP


def windows_of_words(sizes: NDArray[np.int64], room: int | None) -> list[tuple[int, int]]:
    """Return the first word of each window and the word after its last one; ``sizes`` (L,) are pieces of each word.

    A window has as many whole words as fit into ``room`` pieces (None: all). The next one begins with as many words
    as fit into :func:`overlap_of` pieces of it, and the last one is filled up from before. A word of more than
    ``room`` pieces has a window of its own.
    """
    ends = np.concatenate([[0], np.cumsum(sizes)])
    if room is None or ends[-1] <= room:
        return [(0, len(sizes))]
    windows: list[tuple[int, int]] = []
    first = 0
    while True:
        last = max(first + 1, _last_within(ends, ends[first] + room))
        if last == len(sizes):
            begin = int(np.searchsorted(ends, ends[-1] - room))
            windows.append((min(first, begin), last))
            return windows
        windows.append((first, last))
        shared = int(np.searchsorted(ends, ends[last] - overlap_of(room)))
        room_for_next = int(np.searchsorted(ends, ends[last + 1] - room))
        first = min(last, max(first + 1, shared, room_for_next))


def words_within(sizes: NDArray[np.int64], room: int | None) -> int:
    """Return how many words from the first on fit into ``room`` pieces (None: all)."""
    return len(sizes) if room is None else _last_within(np.concatenate([[0], np.cumsum(sizes)]), room)


def _last_within(ends: NDArray[np.int64], limit: int) -> int:
    return int(np.searchsorted(ends, limit, side="right")) - 1
