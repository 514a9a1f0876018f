"""Linear maps of one batch: dense layers, sums, means and bags of word vectors.

A part of the products a w (:class:`textlrp.lrp.shares.Part`) is a sum of one or two products of a factor that depends
on the inputs and one that depends on the weights (:func:`factor_pairs`), such as (a w)⁺ = a⁺ w⁺ + a⁻ w⁻. For every
rule a map therefore needs only two operations:

- ``total(part)``: sum_j part_jk of each output k;
- ``pull(part, factor)``: received_j = sum_k part_jk factor_k, the adjoint.

Open this module to add a kind of layer. Convolutions over words are in :mod:`textlrp.lrp.window_maps`.

Letters: N documents, T tokens, D dimensions, F filters, U distinct words, J inputs, O outputs, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from textlrp.lrp.shares import Box, Part


class FactorPair(NamedTuple):
    """A factor that depends on the inputs, and one that depends on the weights."""

    inputs: Tensor
    weight: Tensor


def factor_pairs(part: Part | Box, inputs: Tensor, weight: Tensor) -> tuple[FactorPair, ...]:
    """Return the pairs whose products add up to ``part``; they have the shapes of ``inputs`` and ``weight``."""
    if isinstance(part, Box):
        return (
            FactorPair(inputs - part.low, weight.clamp(min=0)),
            FactorPair(inputs - part.high, weight.clamp(max=0)),
        )
    match part:
        case Part.PRODUCT:
            return (FactorPair(inputs, weight),)
        case Part.POSITIVE:
            return (
                FactorPair(inputs.clamp(min=0), weight.clamp(min=0)),
                FactorPair(inputs.clamp(max=0), weight.clamp(max=0)),
            )
        case Part.NEGATIVE:
            return (
                FactorPair(inputs.clamp(min=0), weight.clamp(max=0)),
                FactorPair(inputs.clamp(max=0), weight.clamp(min=0)),
            )
        case Part.SQUARE:
            return (FactorPair(torch.ones_like(inputs), weight.square()),)
        case Part.EVEN:
            return (FactorPair(torch.ones_like(inputs), torch.ones_like(weight)),)


Bounds = Callable[[], Box]
"""Returns the bounds of inputs; they are computed only if a rule needs them."""

Grid = Callable[[], Tensor]
"""Returns the ids (N, T) of padded texts; they are padded only if they are needed."""


class LinearMap(Protocol):
    """The linear part of a step, bound to the inputs of one batch."""

    @property
    def box(self) -> Bounds | None:
        """The smallest and the largest possible input, 0 included; None if they are not known."""
        ...

    def total(self, part: Part | Box) -> Tensor:
        """Return sum_j part_jk of each output k, which broadcasts against the outputs (N, ...)."""
        ...

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        """Return sum_k part_jk × factor_k of each input j: (K, N, outputs...) -> (K, N, inputs...)."""
        ...


@runtime_checkable
class VectorMap(LinearMap, Protocol):
    """A linear map that reads word vectors. It can pull relevance to words or to their dimensions."""

    @property
    def vectors(self) -> Tensor:
        """The vectors (U, D) of the distinct words."""
        ...

    def pull_dimensions(self, part: Part | Box, factor: Tensor) -> Tensor:
        """As :meth:`pull`, without the sum over D: (K, N, outputs...) -> (K, N, T, D)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ByDimension:
    """A map over word vectors that pulls relevance to their dimensions (K, N, T, D)."""

    map: VectorMap

    @property
    def box(self) -> Bounds | None:
        return self.map.box

    def total(self, part: Part | Box) -> Tensor:
        return self.map.total(part)

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        return self.map.pull_dimensions(part, factor)


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """z_k = sum_j a_j w_kj: ``inputs`` (N, J), ``weight`` (O, J)."""

    inputs: Tensor
    weight: Tensor
    box: Bounds | None = None

    def total(self, part: Part | Box) -> Tensor:
        return sum_tensors([inputs @ weight.T for inputs, weight in factor_pairs(part, self.inputs, self.weight)])

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        pairs = factor_pairs(part, self.inputs, self.weight)
        return sum_tensors([(factor @ weight) * inputs for inputs, weight in pairs])


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """z = sum_j a_j, elementwise: ``inputs`` (N, ..., J), all weights 1."""

    inputs: Tensor
    box: Bounds | None = None

    def total(self, part: Part | Box) -> Tensor:
        return self._part(part).sum(dim=-1)

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        return factor[..., None] * self._part(part)

    def _part(self, part: Part | Box) -> Tensor:
        return sum_tensors(
            [inputs * weight for inputs, weight in factor_pairs(part, self.inputs, self.inputs.new_ones(1))]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A dense layer over the non-zero entries of a sparse row. Rules see only these entries.

    ``values`` (N, J) are the non-zero entries of each document, padded with zeros; ``weight`` (N, J, O) are the
    weights of these entries; ``counts`` (N,) is the number of entries without padding.
    """

    values: Tensor
    weight: Tensor
    counts: Tensor
    box: Bounds | None = None

    def _factor_pairs(self, part: Part | Box) -> list[FactorPair]:
        # w² and 1 are not 0 at padding. A float32 mask would cost float64 relevance half its digits.
        real = (torch.arange(self.values.shape[1]) < self.counts[:, None]).to(self.values.dtype)
        return [FactorPair(pair.inputs * real, pair.weight) for pair in factor_pairs(part, self.values, self.weight)]

    def total(self, part: Part | Box) -> Tensor:
        return sum_tensors([torch.einsum("nj,njo->no", *pair) for pair in self._factor_pairs(part)])

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        return sum_tensors(
            [torch.einsum("kno,njo->knj", factor, weight) * inputs for inputs, weight in self._factor_pairs(part)]
        )


@dataclass(frozen=True, slots=True, eq=False)
class WordBag:
    """z_d = sum_t g_t v_td: a weighted sum of word vectors; relevance is pulled to words.

    ``vectors`` (U, D) of the distinct words; ``ids`` (N, T) are rows of it; ``weights`` (N, T) are g_t >= 0;
    ``lengths`` (N,) is the number of words without padding.
    """

    vectors: Tensor
    ids: Tensor
    weights: Tensor
    lengths: Tensor
    box: Bounds | None = None

    def _factor_pairs(self, part: Part | Box) -> list[FactorPair]:
        real = (torch.arange(self.ids.shape[1]) < self.lengths[:, None]).to(self.weights.dtype)  # see Features
        return [
            FactorPair(pair.inputs, pair.weight * real) for pair in factor_pairs(part, self.vectors, self.weights)
        ]

    def total(self, part: Part | Box) -> Tensor:
        documents, words = len(self.ids), len(self.vectors)
        row = torch.arange(documents)[:, None]
        return sum_tensors(
            [
                weight.new_zeros(documents, words).index_put_((row, self.ids), weight, accumulate=True) @ inputs
                for inputs, weight in self._factor_pairs(part)
            ]
        )

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        ids, pairs = self.ids.expand(factor.shape[0], *self.ids.shape), self._factor_pairs(part)
        return sum_tensors([(factor @ inputs.T).gather(2, ids) * weight for inputs, weight in pairs])

    def pull_dimensions(self, part: Part | Box, factor: Tensor) -> Tensor:
        return sum_tensors(
            [
                factor[:, :, None, :] * inputs.expand_as(self.vectors)[self.ids] * weight[:, :, None]
                for inputs, weight in self._factor_pairs(part)
            ]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """z_f = sum_t a_tf / L: ``inputs`` (N, T, F), zero beyond the ``lengths`` L (N,) of the documents."""

    inputs: Tensor
    lengths: Tensor
    box: Bounds | None = None

    def _factor_pairs(self, part: Part | Box) -> list[FactorPair]:
        inside = (torch.arange(self.inputs.shape[1]) < self.lengths[:, None]).to(self.inputs.dtype)[:, :, None]
        weight = 1 / self.lengths.to(self.inputs.dtype)[:, None, None]  # 1 / L in int64 would be float32
        return [FactorPair(pair.inputs, pair.weight * inside) for pair in factor_pairs(part, self.inputs, weight)]

    def total(self, part: Part | Box) -> Tensor:
        return sum_tensors([(inputs * weight).sum(dim=1) for inputs, weight in self._factor_pairs(part)])

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        return sum_tensors([factor[:, :, None, :] * (inputs * weight) for inputs, weight in self._factor_pairs(part)])


def table_bounds(table: Tensor) -> Box:
    """Return the smallest and the largest value (D,) of each dimension of word vectors (V + 1, D), 0 included."""
    return Box(table.amin(dim=0).clamp(max=0), table.amax(dim=0).clamp(min=0))


def sum_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """Return the sum of one or more tensors, added from left to right."""
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
