"""What each word adds to each filter, worked out once and kept for the words that come often.

Words are numbered by how many training documents have them, so the first rows of a table are the frequent words:
a few thousand rows serve nearly every token, and the rest are projected batch by batch.

Letters: V words, D embedding dimensions, F filters, H window width, U distinct words of a batch, L words it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.budget import MEMORY
from textlrp.lrp.kernels import Floats, Ids
from textlrp.lrp.threads import one_thread

TILE = 256
"""Words projected together: always so many, so that each word's numbers depend on no other choice."""

Allocate = Callable[[tuple[int, int], Any], NDArray[Any]]
"""(shape, dtype) -> an array to fill."""


class Kept(NamedTuple):
    """Projections of the first ``words`` rows of a table: for each width (words, H × F)."""

    words: int
    tables: Mapping[int, Floats]


class Projected(NamedTuple):
    """Projections (U, H × F) of a batch for one width, in two tables; ``ids`` (L,) rows of both together."""

    first: Floats
    more: Floats
    ids: Ids


def words_kept(table: Tensor, weights: Mapping[int, Tensor], memory: int = MEMORY) -> int:
    """How many rows of a table (V + 1, D) may keep their projections within so many bytes.

    ``weights`` are those of each width, (D, H × F).
    """
    return min(len(table), memory // bytes_per_word(table, weights))


def bytes_per_word(table: Tensor, weights: Mapping[int, Tensor]) -> int:
    """How many bytes the kept projections of a word take."""
    return sum(weight.shape[1] for weight in weights.values()) * table.element_size()


def keep(table: Tensor, weights: Mapping[int, Tensor], words: int, allocate: Allocate = np.empty) -> Kept:
    """Project the first ``words`` rows of a table, into arrays that ``allocate`` gives, on one thread."""
    tables: dict[int, Floats] = {}
    with one_thread():
        for width, weight in weights.items():
            kept = allocate((words, weight.shape[1]), weight.numpy().dtype)
            tile = table.new_zeros((TILE, table.shape[1]))
            for begin in range(0, words, TILE):
                rows = table[begin : min(begin + TILE, words)]
                tile[: len(rows)] = rows
                kept[begin : begin + len(rows)] = (tile @ weight)[: len(rows)].numpy()
            tables[width] = kept
    return Kept(words, tables)


def project(vectors: Tensor, distinct: Ids, ids: Ids, width: int, weight: Tensor, kept: Kept | None) -> Projected:
    """Projections of a batch for one width: kept ones where there are any, the others worked out.

    ``distinct`` (U,) ascending rows of the table, ``vectors`` (U, D) their vectors, ``ids`` (L,) positions in both.
    """
    if kept is None:
        worked_out = (vectors @ weight).numpy()
        return Projected(worked_out, worked_out[:0], ids)
    known = int(np.searchsorted(distinct, kept.words))
    rows = np.concatenate([distinct[:known], kept.words + np.arange(len(distinct) - known)])
    return Projected(kept.tables[width], (vectors[known:] @ weight).numpy(), rows[ids])
