"""The steps of a pipeline's trace that lead relevance from features to words, and what no word stands for.

Letters: N documents, L tokens read, E features of one document, K targets.
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
    """Relevance (K, N, E) of features -> (K, N, L) of words; what no word stands for is ``ignored``.

    ``shares`` (N × (L + 1), N × E), CSR, each column adding up to 1; ``shape`` is (N, L).
    """

    name: str
    reads: tuple[str]
    writes: str
    shares: Any
    shape: tuple[int, int]
    kind: str = "features"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        features = relevance.numpy().reshape(relevance.shape[0], -1)
        on_words = np.ascontiguousarray((self.shares @ features.T).T)
        words = torch.from_numpy(on_words).reshape(relevance.shape[0], self.shape[0], self.shape[1] + 1)
        return [words[..., :-1]], {"ignored": words[..., -1]}


@dataclass(frozen=True, slots=True, eq=False)
class Absent:
    """Takes the relevance of the words that are not there, the first of (K, N, 1 + E) entries, as ``absent``."""

    name: str
    reads: tuple[str]
    writes: str
    kind: str = "absent"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        return [relevance[..., 1:]], {"absent": relevance[..., 0]}


def padded_entries(features: Any, weight: Array) -> tuple[IntArray, Array, Array]:
    """The entries of ``features`` (N, J), CSR: how many each text has (N,), their values (N, E), and the columns of
    ``weight`` (C, J) that they meet (N, E, C); both are filled with 0 at the right."""
    counts = np.diff(features.indptr)
    inside = np.arange(max(1, counts.max(initial=0))) < counts[:, None]
    values = np.zeros(inside.shape, dtype=features.dtype)
    values[inside] = features.data
    weights = np.zeros((*inside.shape, len(weight)), dtype=features.dtype)
    weights[inside] = weight[:, features.indices].T
    return counts.astype(np.int64), values, weights


def joint_shares(shares: Sequence[Any], counts: Array, most: int, longest: int, dtype: str) -> Any:
    """The shares of each text, (E, L + 1) with the last ignored, as one map (N × (longest + 1), N × most), CSR."""
    rows, columns, data = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, dtype)]
    for n, own in enumerate(shares):
        entries = own.tocoo()
        last = own.shape[1] - 1
        word = np.where(entries.col == last, longest, entries.col)
        rows.append(n * (longest + 1) + word.astype(np.int64))
        columns.append(n * most + entries.row.astype(np.int64))
        data.append(entries.data.astype(dtype))
    shape = (len(counts) * (longest + 1), len(counts) * most)
    return sparse.csr_matrix((np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))), shape=shape)
