"""Several texts end to end: what a net reads in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
"""(L,) the words of one text as the model reads them: vocabulary ids, 0 for an unknown word."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """N texts end to end.

    ``distinct`` (U,) vocabulary ids, the first always 0; ``ids`` positions in it; ``starts`` (N + 1,) where
    each text begins.
    """

    distinct: Ids
    ids: Ids
    starts: Ids

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Ids:
        """(N,) words per text."""
        return np.diff(self.starts)

    def padded(self, at_least: int = 1) -> Ids:
        """(N, T) positions in ``distinct``, filled with 0 at the right; T is ``at_least`` that long."""
        lengths = self.lengths
        longest = max(at_least, int(lengths.max(initial=0)))
        grid = np.zeros((len(self), longest), dtype=np.int64)
        grid[np.arange(longest) < lengths[:, None]] = self.ids
        return grid


def pack(texts: Sequence[Ids]) -> Packed:
    """Put texts end to end and number their distinct words."""
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(ids) for ids in texts], out=starts[1:])
    flat = np.concatenate([np.zeros(1, dtype=np.int64), *texts])
    distinct, positions = np.unique(flat, return_inverse=True)
    return Packed(distinct, positions[1:].astype(np.int64), starts)
