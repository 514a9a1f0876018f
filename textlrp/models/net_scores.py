"""The scores of a net for many texts, in blocks of like length."""

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
    """A net over word vectors: scores of packed texts, differentiable in vectors and weights."""

    @property
    def table(self) -> Tensor:
        """(V + 1, D) word vectors; row 0 is zero."""
        ...

    @property
    def weights(self) -> dict[str, Tensor]:
        """Every other parameter; ``output.bias`` (C,) among them."""
        ...

    def forward(self, vectors: Tensor, packed: Packed, drop: Tensor | None) -> Tensor:
        """Scores (N, C). ``vectors`` (U, D) of the distinct words; ``drop`` (N, F) multiplies the pooled features."""
        ...

    @property
    def features(self) -> int:
        """F, the number of pooled features."""
        ...


SCORING_BLOCK = 64
"""Texts scored together."""


@torch.no_grad()
def scores_of(net: Net, texts: Sequence[Ids]) -> NDArray[np.floating]:
    """Scores (N, C) of texts, in blocks of like length."""
    scores = np.zeros((len(texts), len(net.weights["output.bias"])), dtype=net.table.numpy().dtype)
    for rows in bucket([len(ids) for ids in texts], SCORING_BLOCK):
        packed = pack([texts[row] for row in rows])
        with threads_for(len(rows), len(packed.words)):
            scores[rows] = net.forward(net.table[torch.from_numpy(packed.distinct)], packed, None).numpy()
    return scores
