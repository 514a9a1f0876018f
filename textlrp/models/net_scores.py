"""Compute the scores of a network for many texts, in blocks of similar length.

Letters: N texts, V words, U distinct words of a batch, D embedding dimensions, F features, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.kernels.threads import threads_for
from textlrp.models.packing import Ids, Packed, pack
from textlrp.text.batches import bucket


class Net(Protocol):
    """A network over word vectors whose scores are differentiable in vectors and weights."""

    @property
    def table(self) -> Tensor:
        """Word vectors (V + 1, D); row 0 is zero."""
        ...

    @property
    def weights(self) -> dict[str, Tensor]:
        """All other parameters, including ``output.bias`` (C,)."""
        ...

    def forward(self, vectors: Tensor, packed: Packed, drop: Tensor | None) -> Tensor:
        """Return the scores (N, C).

        ``vectors`` (U, D) are those of the distinct words; ``drop`` (N, F), the dropout mask, multiplies the pooled
        features.
        """
        ...

    @property
    def features(self) -> int:
        """Number F of pooled features."""
        ...


SCORING_BLOCK = 64
"""Number of texts scored together."""


@torch.no_grad()
def scores_of(net: Net, texts: Sequence[Ids]) -> NDArray[np.floating]:
    """Return the scores (N, C) of texts, given as vocabulary ids."""
    scores = np.zeros((len(texts), len(net.weights["output.bias"])), dtype=net.table.numpy().dtype)
    for rows in bucket([len(ids) for ids in texts], SCORING_BLOCK):
        packed = pack([texts[row] for row in rows])
        with threads_for(len(rows), len(packed.words)):
            scores[rows] = net.forward(net.table[torch.from_numpy(packed.distinct)], packed, None).numpy()
    return scores
