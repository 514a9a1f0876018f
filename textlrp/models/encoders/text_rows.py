"""Cut the pieces of a text into the rows that an encoder reads: one, or windows side by side.

Letters: L words of a text, P pieces, R rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pieces = NDArray[np.int64]


def word_windows(sizes: NDArray[np.int64], room: int) -> list[slice]:
    """Return consecutive ranges of words, each with at most ``room`` pieces; ``sizes`` (L,) in pieces.

    A text without words has one empty range. A word with more than ``room`` pieces must have been cut before.
    """
    found, begin, used = [], 0, 0
    for place, size in enumerate(sizes.tolist()):
        if used + size > room and place > begin:
            found.append(slice(begin, place))
            begin, used = place, 0
        used += size
    return [*found, slice(begin, len(sizes))]


def padded_rows(rows: Sequence[Pieces], padding: int) -> tuple[Tensor, Tensor]:
    """Return ids and attention mask, both (R, L), of rows of pieces, filled on the right with ``padding``."""
    lengths = torch.tensor([len(row) for row in rows])
    longest = int(lengths.max())
    mask = torch.arange(longest) < lengths[:, None]
    ids = torch.full((len(rows), longest), padding)
    ids[mask] = torch.from_numpy(np.concatenate(list(rows)))
    return ids, mask.to(torch.int64)
