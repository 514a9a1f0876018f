"""The trace steps of a pipeline that distribute the relevance of features over words.

Relevance that belongs to no word is absorbed: causes ``ignored`` and ``absent`` of the ledger.

Letters: N documents, L tokens read, E features of one document, J features of the model, K targets, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from textlrp.arrays import Array, IntArray
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace_steps import Absorbed


@dataclass(frozen=True, slots=True, eq=False)
class ToWords:
    """Map relevance (K, N, E) of features to relevance (K, N, L) of words; the rest is absorbed.

    ``shares`` (N × (L + R), N × E) is a CSR matrix whose columns add up to 1; the last R rows of a document take what
    belongs to no word, one for each of the ``causes``. ``shape`` is (N, L).
    """

    name: str
    reads: tuple[str]
    writes: str
    shares: Any
    shape: tuple[int, int]
    causes: tuple[str, ...] = ("ignored",)
    kind: str = "features"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        features = relevance.numpy().reshape(relevance.shape[0], -1)
        on_words = np.ascontiguousarray((self.shares @ features.T).T)
        rows, length = self.shape
        words = torch.from_numpy(on_words).reshape(relevance.shape[0], rows, length + len(self.causes))
        absorbed = {cause: words[..., length + number] for number, cause in enumerate(self.causes)}
        return [words[..., :length]], absorbed


@dataclass(frozen=True, slots=True, eq=False)
class Absent:
    """Absorb the relevance of entry 0 of (K, N, 1 + E), by default that of words that are not in the document."""

    name: str
    reads: tuple[str]
    writes: str
    kind: str = "absent"
    cause: str = "absent"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        return [relevance[..., 1:]], {self.cause: relevance[..., 0]}


def padded_entries(features: Any, weight: Array) -> tuple[IntArray, Array, Array]:
    """Return the nonzero entries of ``features`` (N, J), CSR, as dense arrays.

    They are the number of entries of each text (N,), their values (N, E), and the columns of ``weight`` (C, J) that
    multiply them (N, E, C). The last two are padded with 0 at the right.
    """
    counts = np.diff(features.indptr)
    inside = np.arange(max(1, counts.max(initial=0))) < counts[:, None]
    values = np.zeros(inside.shape, dtype=features.dtype)
    values[inside] = features.data
    weights = np.zeros((*inside.shape, len(weight)), dtype=features.dtype)
    weights[inside] = weight[:, features.indices].T
    return counts.astype(np.int64), values, weights


def joint_shares(
    shares: Sequence[Any], counts: Array, max_entries: int, max_words: int, dtype: str, rest: int = 1
) -> Any:
    """Return the shares (E, L + R) of all texts as one CSR matrix (N × (max_words + R), N × max_entries).

    The last R = ``rest`` columns of the shares of a text are what belongs to no word.
    """
    rows, columns, data = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, dtype)]
    for n, of_text in enumerate(shares):
        entries = of_text.tocoo()
        length = of_text.shape[1] - rest
        word = np.where(entries.col >= length, max_words + entries.col - length, entries.col)
        rows.append(n * (max_words + rest) + word.astype(np.int64))
        columns.append(n * max_entries + entries.row.astype(np.int64))
        data.append(entries.data.astype(dtype))
    shape = (len(counts) * (max_words + rest), len(counts) * max_entries)
    return sparse.csr_matrix((np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))), shape=shape)
