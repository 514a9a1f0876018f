"""Cut the words of a text into the rows that a sentence encoder reads: one, or windows side by side.

Letters: L words of a text, P pieces of a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from textlrp.models.transformers.piece_batch import PieceBatch

Pieces = NDArray[np.int64]
"""(P,) ids of the pieces of a row, without special tokens."""
Rows = Sequence[Pieces]
"""The rows of one text, at least one."""


def words_side_by_side(sizes: NDArray[np.int64], room: int | None) -> list[slice]:
    """Return consecutive ranges of words, each with at most ``room`` pieces; ``sizes`` (L,) in pieces.

    ``room`` None is no limit. A text without words has one empty range.
    """
    found, begin, used = [], 0, 0
    for place, size in enumerate(sizes.tolist()):
        if room is not None and used + size > room and place > begin:
            found.append(slice(begin, place))
            begin, used = place, 0
        used += size
    return [*found, slice(begin, len(sizes))]


def rows_of_words(batch: PieceBatch, words: NDArray[np.int64], room: int | None) -> Rows:
    """Return the rows of a text, given the ids of its words (L,)."""
    return [batch.pieces(words[part])[0] for part in words_side_by_side(batch.sizes(words), room)]
