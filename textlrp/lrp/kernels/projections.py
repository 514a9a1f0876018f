"""What each word adds to each filter, worked out once and kept for the words that come often.

Words are numbered by how many training documents have them, so the first rows of a table are the frequent words:
a few thousand rows serve nearly every token, and the rest are projected batch by batch.

Letters: V words, D embedding dimensions, F filters, H window width, U distinct words of a batch, L words it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.kernels.threads import one_thread
from textlrp.lrp.kernels.windows import Floats, Ids
from textlrp.machine import KEPT_BYTES

TILE = 256
"""Words projected together: always so many, so that each word's numbers depend on no other choice."""

Allocate = Callable[[tuple[int, int], Any], NDArray[Any]]
"""(shape, dtype) -> an array to fill."""


class Kept(NamedTuple):
    """Projections of the first ``words`` rows of a table: for each width (words, H × F)."""

    words: int
    tables: Mapping[int, Floats]


class TableRows(NamedTuple):
    """Where the projections of a batch are: ``ids`` (L,) rows of a first table and then of a second one.

    The first table is the kept one, the second is worked out for the ``others`` (U,), ids of the vocabulary; without
    a kept one, these are the first.
    """

    ids: Ids
    others: Ids


class Projected(NamedTuple):
    """The projections (U, H × F) of a batch for one ``width`` H, in two tables."""

    width: int
    first: Floats
    more: Floats


def words_kept(table: Tensor, weights: Mapping[int, Tensor], memory: int = KEPT_BYTES) -> int:
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


def numbered(words: Ids) -> tuple[Ids, Ids]:
    """The distinct words of a batch (U,), ascending and with the unknown word 0; ``words`` (L,) as places there."""
    distinct, places = np.unique(np.concatenate([np.zeros(1, dtype=np.int64), words]), return_inverse=True)
    return distinct, places[1:].astype(np.int64)


def table_rows(words: Ids, kept: Kept | None) -> TableRows:
    """Where the projections of ``words`` (L,), ids of the vocabulary, are or are to be."""
    if kept is None or kept.words == 0:
        distinct, places = numbered(words)
        return TableRows(places, distinct)
    rare = words >= kept.words
    if not rare.any():
        return TableRows(words, words[:0])
    others, places = np.unique(words[rare], return_inverse=True)
    ids = words.copy()
    ids[rare] = kept.words + places
    return TableRows(ids, others)


def project(table: Tensor, rows: TableRows, weights: Mapping[int, Tensor], kept: Kept | None) -> list[Projected]:
    """The projections of a batch: ``table`` (V + 1, D) of vectors, ``weights`` of each width (D, H × F)."""
    vectors = table[torch.from_numpy(rows.others)]
    found = []
    for width, weight in weights.items():
        worked_out = (vectors @ weight if len(vectors) else weight.new_empty((0, weight.shape[1]))).numpy()
        tables = (worked_out, worked_out[:0]) if kept is None else (kept.tables[width], worked_out)
        found.append(Projected(width, *tables))
    return found
