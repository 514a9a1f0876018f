"""The projections of words onto filters: computed once for frequent words, and per batch for the others.

A projection is the product of a word vector and the weights of a filter at one offset of its window; a convolution is
a sum of projections (:mod:`textlrp.lrp.kernels.windows`). Words are numbered by their document frequency in the
training corpus, so that the first few thousand rows of the vocabulary cover nearly all tokens of a text.

Letters: V words, D embedding dimensions, F filters, H window width, U distinct words of a batch, L words of a batch.
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
"""Number of words in each matrix product of :func:`keep`.

The last bits of a matrix product depend on its shape. With a fixed number of rows, the projections of a word do not
depend on how many words are kept.
"""

Allocate = Callable[[tuple[int, int], Any], NDArray[Any]]
"""Returns an uninitialized array for (shape, dtype), such as one in shared memory."""


class Kept(NamedTuple):
    """The kept projections of the first ``words`` rows of the vocabulary: a table (words, H × F) for each width."""

    words: int
    tables: Mapping[int, Floats]


class TableRows(NamedTuple):
    """The rows of the projections of a batch in two tables, the kept one and one computed for this batch.

    ``ids`` (L,) are rows of the first table, or, from its length on, of the second. ``others`` (U,) are the ids of
    the vocabulary to project for this batch. If nothing is kept, these form the first table.
    """

    ids: Ids
    others: Ids


class Projected(NamedTuple):
    """The projections of a batch for one ``width`` H: two tables with H × F columns."""

    width: int
    first: Floats
    more: Floats


def words_kept(table: Tensor, weights: Mapping[int, Tensor], memory: int = KEPT_BYTES) -> int:
    """Return how many rows of ``table`` (V + 1, D) can keep their projections in ``memory`` bytes.

    ``weights`` has the weights (D, H × F) of each width.
    """
    return min(len(table), memory // bytes_per_word(table, weights))


def bytes_per_word(table: Tensor, weights: Mapping[int, Tensor]) -> int:
    """Return the size of the projections of one word, in bytes."""
    return sum(weight.shape[1] for weight in weights.values()) * table.element_size()


def keep(table: Tensor, weights: Mapping[int, Tensor], words: int, allocate: Allocate = np.empty) -> Kept:
    """Project the first ``words`` rows of ``table`` (V + 1, D) into arrays from ``allocate``."""
    tables: dict[int, Floats] = {}
    with one_thread():  # the last bits of a matrix product also depend on the number of threads
        for width, weight in weights.items():
            kept = allocate((words, weight.shape[1]), weight.numpy().dtype)
            tile = table.new_zeros((TILE, table.shape[1]))
            for begin in range(0, words, TILE):
                rows = table[begin : min(begin + TILE, words)]
                tile[: len(rows)] = rows
                kept[begin : begin + len(rows)] = (tile @ weight)[: len(rows)].numpy()
            tables[width] = kept
    return Kept(words, tables)


def distinct_words(words: Ids) -> tuple[Ids, Ids]:
    """Return the distinct words (U,) of a batch, ascending and with the unknown word 0, and ``words`` as indices.

    ``words`` (L,) are ids of the vocabulary; the indices (L,) are rows of the distinct words.
    """
    distinct, indices = np.unique(np.concatenate([np.zeros(1, dtype=np.int64), words]), return_inverse=True)
    return distinct, indices[1:].astype(np.int64)


def table_rows(words: Ids, kept: Kept | None) -> TableRows:
    """Return the rows of the projections of ``words`` (L,), ids of the vocabulary."""
    if kept is None or kept.words == 0:
        distinct, indices = distinct_words(words)
        return TableRows(indices, distinct)
    rare = words >= kept.words
    if not rare.any():
        return TableRows(words, words[:0])
    others, indices = np.unique(words[rare], return_inverse=True)
    ids = words.copy()
    ids[rare] = kept.words + indices
    return TableRows(ids, others)


def project(table: Tensor, rows: TableRows, weights: Mapping[int, Tensor], kept: Kept | None) -> list[Projected]:
    """Return the projections of a batch for each width.

    ``table`` (V + 1, D) has the word vectors, ``weights`` the weights (D, H × F) of each width.
    """
    vectors = table[torch.from_numpy(rows.others)]
    projected = []
    for width, weight in weights.items():
        computed = (vectors @ weight if len(vectors) else weight.new_empty((0, weight.shape[1]))).numpy()
        tables = (computed, computed[:0]) if kept is None else (kept.tables[width], computed)
        projected.append(Projected(width, *tables))
    return projected
