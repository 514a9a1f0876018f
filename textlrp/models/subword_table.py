"""Vectors of character n-grams (subwords) while a network is trained.

Letters: B buckets, V words, D embedding dimensions, U distinct words of a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from textlrp.lrp.kernels.means import adam_rows
from textlrp.models.packing import Ids


class SubwordTable:
    """Vectors ``table`` (B, D) of hashed character n-grams, with the moments of the optimizer.

    ``mixing`` (V + 1, B) is sparse. Row w times the table is the mean over the n-grams of word w; row 0 is empty.
    """

    def __init__(self, mixing: Any, table: Tensor) -> None:
        self.mixing, self.table = mixing, table
        self._moments = (np.zeros_like(table.numpy()), np.zeros_like(table.numpy()))

    def means(self) -> Tensor:
        """Return the mean n-gram vector of each word, (V + 1, D)."""
        return torch.from_numpy(self.mixing @ self.table.numpy()).to(self.table.dtype)

    def parts(self, words: Ids, tuned: bool) -> SubwordParts:
        """Return the n-grams of the words of a batch; ``tuned``: whether a gradient is needed."""
        mixing = self.mixing[words]
        buckets, columns = np.unique(mixing.indices, return_inverse=True)
        dtype = self.table.numpy().dtype
        of_batch = sparse.csr_matrix((mixing.data.astype(dtype), columns, mixing.indptr), (len(words), len(buckets)))
        means = torch.from_numpy(of_batch @ self.table.numpy()[buckets])
        return SubwordParts(buckets.astype(np.int64), of_batch, means, tuned)

    def update(self, parts: SubwordParts, rate: float, step: int) -> None:
        """Take one Adam step on the n-grams of a batch."""
        gradient = parts.means.grad
        if gradient is not None:
            of_buckets = np.ascontiguousarray(parts.mixing.T @ gradient.numpy())
            adam_rows(
                self.table.numpy(), *self._moments, parts.buckets, of_buckets, rate, 1 - 0.9**step, 1 - 0.999**step,
            )  # fmt: skip


class SubwordParts:
    """The n-grams of U words: the ``buckets`` (B',) in use, ``mixing`` (U, B') and the ``means`` (U, D)."""

    def __init__(self, buckets: Ids, mixing: Any, means: Tensor, tuned: bool) -> None:
        self.buckets, self.mixing, self.means = buckets, mixing, means.requires_grad_(tuned)
