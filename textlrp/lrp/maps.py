"""Linear maps bound to their inputs, and how relevance is pulled back through them.

Each map knows the products part_jk of its inputs and weights (see :class:`textlrp.lrp.rules.Part`) and can
pull a factor s_k per output back: received_j = sum_k part_jk s_k. Nothing else is needed for any rule.

Letters: N documents, T tokens, D embedding dimensions, F filters, H window width, U distinct words of
the batch, J inputs, O outputs, K targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from textlrp.lrp.rules import Part


class LinearMap(Protocol):
    """The linear part of a step, bound to the inputs of one batch."""

    @property
    def fan_in(self) -> Tensor:
        """The number of inputs that feed an output; broadcasts against the outputs (N, ...)."""
        ...

    def pull(self, part: Part, factor: Tensor) -> Tensor:
        """(K, N, outputs...) -> (K, N, inputs...): sum over the outputs k of part_jk × factor_k."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """z_k = sum_j a_j w_kj: ``inputs`` (N, J), ``weight`` (O, J)."""

    inputs: Tensor
    weight: Tensor

    @property
    def fan_in(self) -> Tensor:
        return self.inputs.new_tensor(float(self.inputs.shape[1]))

    def pull(self, part: Part, factor: Tensor) -> Tensor:
        if part is Part.EVEN:
            return factor.sum(dim=-1, keepdim=True).expand(*factor.shape[:-1], self.inputs.shape[1])
        return (factor @ self.weight) * self.inputs


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A dense layer over the non-zero entries of a sparse row.

    ``values`` (N, J) are the entries of each document, padded with zeros; ``weight`` (N, J, O) the
    weights that meet them; ``counts`` (N,) how many entries are real.
    """

    values: Tensor
    weight: Tensor
    counts: Tensor

    @property
    def fan_in(self) -> Tensor:
        return self.counts.to(self.values.dtype)[:, None]

    def pull(self, part: Part, factor: Tensor) -> Tensor:
        if part is Part.EVEN:
            real = torch.arange(self.values.shape[1]) < self.counts[:, None]
            return factor.sum(dim=-1, keepdim=True) * real
        return torch.einsum("kno,njo->knj", factor, self.weight) * self.values


@dataclass(frozen=True, slots=True, eq=False)
class WordBag:
    """z_d = sum_t g_t v_td: a weighted sum of word vectors, led back to whole words.

    ``vectors`` (U, D) of the distinct words, ``ids`` (N, T) rows of it, ``weights`` (N, T) the g_t.
    """

    vectors: Tensor
    ids: Tensor
    weights: Tensor
    lengths: Tensor

    @property
    def fan_in(self) -> Tensor:
        return self.lengths.to(self.weights.dtype)[:, None]

    def pull(self, part: Part, factor: Tensor) -> Tensor:
        if part is Part.EVEN:
            inside = torch.arange(self.ids.shape[1]) < self.lengths[:, None]
            return factor.sum(dim=-1, keepdim=True) * inside
        met = factor @ self.vectors.T
        return met.gather(2, self.ids.expand(factor.shape[0], *self.ids.shape)) * self.weights


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """z_f = sum_t a_tf / L: ``inputs`` (N, T, F), zero beyond each document's ``lengths`` (N,)."""

    inputs: Tensor
    lengths: Tensor

    @property
    def fan_in(self) -> Tensor:
        return self.lengths.to(self.inputs.dtype)[:, None]

    def pull(self, part: Part, factor: Tensor) -> Tensor:
        if part is Part.EVEN:
            inside = torch.arange(self.inputs.shape[1]) < self.lengths[:, None]
            return factor[:, :, None, :] * inside[:, :, None]
        return (factor / self.fan_in)[:, :, None, :] * self.inputs


@dataclass(frozen=True, slots=True, eq=False)
class WinningWindows:
    """A convolution followed by a max over time, led back to whole words: winning windows only.

    ``contributions`` (N, F, H): what each word of the winning window adds to its filter, already summed
    over the D dimensions of its vector; ``start`` (N, F) where that window begins; ``tokens`` T;
    ``fan_in`` H × D, since the inputs of the convolution are the dimensions.
    """

    contributions: Tensor
    start: Tensor
    tokens: int
    dimensions: int

    @property
    def fan_in(self) -> Tensor:
        return self.contributions.new_tensor(float(self.contributions.shape[2] * self.dimensions))

    def pull(self, part: Part, factor: Tensor) -> Tensor:
        targets, documents, filters = factor.shape
        width = self.contributions.shape[2]
        landed = factor.new_zeros((documents * self.tokens, targets))
        row = torch.arange(documents)[:, None] * self.tokens + self.start
        for offset in range(width):
            share = self.contributions[:, :, offset] if part is Part.WEIGHTED else float(self.dimensions)
            values = (factor * share).permute(1, 2, 0).reshape(documents * filters, targets)
            landed.index_add_(0, (row + offset).reshape(-1), values)
        return landed.reshape(documents, self.tokens, targets).permute(2, 0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class WordWindows:
    """A convolution at every position, led back to whole words.

    ``projections`` (U, H, F): what each distinct word adds to each filter at each offset; ``ids`` (N, T)
    rows of it. The outputs are (N, T - H + 1, F).
    """

    projections: Tensor
    ids: Tensor
    dimensions: int

    @property
    def fan_in(self) -> Tensor:
        return self.projections.new_tensor(float(self.projections.shape[1] * self.dimensions))

    def pull(self, part: Part, factor: Tensor) -> Tensor:
        targets, documents, windows, _ = factor.shape
        landed = factor.new_zeros((targets, documents, self.ids.shape[1]))
        for offset in range(self.projections.shape[1]):
            if part is Part.EVEN:
                piece = factor.sum(dim=-1) * self.dimensions
            else:
                met = self.projections[:, offset][self.ids[:, offset : offset + windows]]
                piece = torch.einsum("kntf,ntf->knt", factor, met)
            landed[:, :, offset : offset + windows] += piece
        return landed
