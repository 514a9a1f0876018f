"""The vectors of words that are made of character n-grams, while a net is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from textlrp.lrp.kernels.means import adam_rows
from textlrp.models.packing import Ids


class SubwordTable:
    """Vectors (B, D) of hashed character n-grams while they are trained.

    ``mixing`` (V + 1, B) sparse: row w takes the mean over the n-grams of word w, row 0 is empty.
    """

    def __init__(self, mixing: Any, table: Tensor) -> None:
        self.mixing, self.table = mixing, table
        self._moments = (np.zeros_like(table.numpy()), np.zeros_like(table.numpy()))

    def means(self) -> Tensor:
        """(V + 1, D): the mean of each word's n-grams."""
        return torch.from_numpy(self.mixing @ self.table.numpy()).to(self.table.dtype)

    def parts(self, words: Ids, tuned: bool) -> SubwordParts:
        """The n-grams of some words."""
        mixing = self.mixing[words]
        buckets, columns = np.unique(mixing.indices, return_inverse=True)
        dtype = self.table.numpy().dtype
        own = sparse.csr_matrix((mixing.data.astype(dtype), columns, mixing.indptr), (len(words), len(buckets)))
        return SubwordParts(buckets.astype(np.int64), own, torch.from_numpy(own @ self.table.numpy()[buckets]), tuned)

    def update(self, parts: SubwordParts, rate: float, step: int) -> None:
        """One Adam step on the n-grams of a batch."""
        gradient = parts.means.grad
        if gradient is not None:
            own = np.ascontiguousarray(parts.mixing.T @ gradient.numpy())
            adam_rows(
                self.table.numpy(), *self._moments, parts.buckets, own, rate, 1 - 0.9**step, 1 - 0.999**step,
            )  # fmt: skip


class SubwordParts:
    """The n-grams of U words: ``buckets`` (B',), ``mixing`` (U, B'), and their ``means`` (U, D)."""

    def __init__(self, buckets: Ids, mixing: Any, means: Tensor, tuned: bool) -> None:
        self.buckets, self.mixing, self.means = buckets, mixing, means.requires_grad_(tuned)
