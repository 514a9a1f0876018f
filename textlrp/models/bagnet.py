"""The network of the bag of embeddings: a TF-IDF-weighted sum of word vectors and one dense layer.

Open it for the forward pass and the closed-form trace of :class:`textlrp.BagOfEmbeddingsClassifier`.

Letters: N texts, L words of all texts, V words of the vocabulary, D embedding dimensions, C classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.maps import Dense, WordBag, table_bounds
from textlrp.lrp.shares import Box
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Linear, Lookup, without_zeros
from textlrp.models.packing import Packed


@dataclass(frozen=True, slots=True, eq=False)
class BagNet:
    """The weights of a bag of embeddings.

    ``table`` (V + 1, D) has the word vectors, row 0 is the unknown word. ``idf`` (V + 1,) has the inverse document
    frequencies, 0 for the unknown word. ``weights`` has ``output.weight`` (C, D) and ``output.bias`` (C,).
    """

    table: Tensor
    weights: dict[str, Tensor]
    idf: NDArray[np.float64]
    bounds: Tensor | None = None
    """Vectors whose elementwise minimum and maximum bound every word vector; needed if ``table`` has only some words.

    None: the bounds of ``table``.
    """

    @property
    def features(self) -> int:
        return self.table.shape[1]

    def forward(self, vectors: Tensor, packed: Packed, drop: Tensor | None) -> Tensor:
        bag = self._bag(vectors, packed)
        if drop is not None:
            bag = bag * drop
        return bag @ self.weights["output.weight"].T + self.weights["output.bias"]

    def _bag(self, vectors: Tensor, packed: Packed) -> Tensor:
        mixing = np.zeros((len(packed), len(packed.distinct)))
        np.add.at(
            mixing, (np.repeat(np.arange(len(packed)), packed.lengths), packed.ids), self._occurrence_weights(packed)
        )
        return torch.from_numpy(mixing).to(vectors.dtype) @ vectors

    def _occurrence_weights(self, packed: Packed) -> NDArray[np.float64]:
        """The weight (L,) of each occurrence of a word in the batch, in float64.

        A word weighs (1 + ln count) × idf, scaled to unit L2 norm over the distinct words of its text, and divided
        equally among its occurrences.
        """
        rows = np.repeat(np.arange(len(packed)), packed.lengths)
        cells, cell_of, counts = np.unique(
            rows * len(packed.distinct) + packed.ids, return_inverse=True, return_counts=True
        )
        weights = (1 + np.log(counts)) * self.idf[packed.distinct[cells % len(packed.distinct)]]
        squares = np.bincount(cells // len(packed.distinct), weights=weights**2, minlength=len(packed))
        norms = np.sqrt(np.where(squares > 0, squares, 1))  # 0 for a text without a known word
        shared = weights / norms[cells // len(packed.distinct)] / counts
        return np.asarray(shared[cell_of.reshape(-1)])

    def _box(self) -> Box:
        return table_bounds(self.table if self.bounds is None else self.bounds)

    @torch.no_grad()
    def trace(self, packed: Packed) -> Trace:
        """The trace of a batch: lookup, weighted sum, dense layer."""
        vectors = self.table[torch.from_numpy(packed.distinct)]
        grid = torch.from_numpy(packed.padded())
        lengths = torch.from_numpy(packed.lengths)
        weights = torch.zeros(grid.shape, dtype=vectors.dtype)
        weights[torch.arange(grid.shape[1]) < lengths[:, None]] = torch.from_numpy(
            self._occurrence_weights(packed)
        ).to(vectors.dtype)

        def words() -> Tensor:
            return torch.from_numpy(packed.padded_words())

        bag = self._bag(vectors, packed)
        weight, bias = self.weights["output.weight"], self.weights["output.bias"]
        scores = bag @ weight.T + bias
        bagged = WordBag(vectors, grid, weights, lengths, self._box)

        def bag_box() -> Box:
            """Bounds of a bag. No weight is negative, so that a bag is between the weighted sums of the bounds."""
            low, high = self._box()
            heavy = weights.sum(dim=1, keepdim=True)
            return Box(low * heavy, high * heavy)

        return Trace(
            (
                Lookup("embedding", ("words",), "vectors", words),
                Linear(
                    "bag",
                    "bag",
                    ("vectors",),
                    "features",
                    bagged,
                    bag.new_zeros(()),
                    bag,
                    bagged,
                ),
                Linear(
                    "output",
                    "dense",
                    ("features",),
                    "scores",
                    Dense(bag, weight, bag_box),
                    bias,
                    scores,
                    Dense(without_zeros(bag), weight, bag_box),
                ),
            ),
            scores,
            elements=len(packed) * max(len(vectors), vectors.shape[1], grid.shape[1]),
        )


def new_bag_weights(table: Tensor, *, classes: int, seed: int) -> dict[str, Tensor]:
    """Initialize the dense layer: weights uniform in ±1 / sqrt(D), biases zero."""
    noise = torch.Generator().manual_seed(seed)
    draw = torch.rand((classes, table.shape[1]), generator=noise, dtype=table.dtype) * 2 - 1
    return {"output.weight": draw / math.sqrt(table.shape[1]), "output.bias": table.new_zeros(classes)}
