"""Linear maps bound to their inputs, and how relevance is pulled back through them.

Every part of the products (:class:`textlrp.lrp.shares.Part`) is a sum of one or two products of an *input side* and a
*weight side*: (a w)⁺, say, is a⁺ w⁺ + a⁻ w⁻ (:func:`sides`). So a map needs only to apply itself to such a pair, and
its adjoint; each rule follows. A map answers two questions about a part:

- ``total(part)``: sum_j part_jk of each output k;
- ``pull(part, factor)``: received_j = sum_k part_jk factor_k.

Letters: N documents, T tokens, D embedding dimensions, F filters, H window width, U distinct words of
the batch, J inputs, O outputs, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from textlrp.lrp.shares import Box, Part


class Side(NamedTuple):
    """A factor for the inputs and one for the weights."""

    inputs: Tensor
    weight: Tensor


def sides(part: Part | Box, inputs: Tensor, weight: Tensor) -> tuple[Side, ...]:
    """The pairs whose products add up to ``part``; each has the shapes of ``inputs`` and ``weight``."""
    if isinstance(part, Box):
        return (
            Side(inputs - part.low, weight.clamp(min=0)),
            Side(inputs - part.high, weight.clamp(max=0)),
        )
    match part:
        case Part.PRODUCT:
            return (Side(inputs, weight),)
        case Part.POSITIVE:
            return (
                Side(inputs.clamp(min=0), weight.clamp(min=0)),
                Side(inputs.clamp(max=0), weight.clamp(max=0)),
            )
        case Part.NEGATIVE:
            return (
                Side(inputs.clamp(min=0), weight.clamp(max=0)),
                Side(inputs.clamp(max=0), weight.clamp(min=0)),
            )
        case Part.SQUARE:
            return (Side(torch.ones_like(inputs), weight.square()),)
        case Part.EVEN:
            return (Side(torch.ones_like(inputs), torch.ones_like(weight)),)


Bounds = Callable[[], Box]
"""Bounds that are worked out only when a rule asks for them."""

Grid = Callable[[], Tensor]
"""Texts one under the other, (N, T), padded only when somebody asks for them."""


class LinearMap(Protocol):
    """The linear part of a step, bound to the inputs of one batch."""

    @property
    def box(self) -> Bounds | None:
        """Tells where the inputs are known to lie, 0 included; None where nothing is known."""
        ...

    def total(self, part: Part | Box) -> Tensor:
        """sum_j part_jk of each output k; broadcasts against the outputs (N, ...)."""
        ...

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        """(K, N, outputs...) -> (K, N, inputs...): sum over the outputs k of part_jk × factor_k."""
        ...


@runtime_checkable
class VectorMap(LinearMap, Protocol):
    """A linear map that reads word vectors, and leads relevance back to whole words or to their dimensions."""

    @property
    def vectors(self) -> Tensor:
        """(U, D) of the distinct words."""
        ...

    def pull_dimensions(self, part: Part | Box, factor: Tensor) -> Tensor:
        """(K, N, outputs...) -> (K, N, T, D); summed over D it is :meth:`pull`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ByDimension:
    """A map over word vectors that leads relevance back to their dimensions (K, N, T, D)."""

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
        return sum_tensors([side.inputs @ side.weight.T for side in sides(part, self.inputs, self.weight)])

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        return sum_tensors([(factor @ side.weight) * side.inputs for side in sides(part, self.inputs, self.weight)])


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
        return sum_tensors([inputs * weight for inputs, weight in sides(part, self.inputs, self.inputs.new_ones(1))])


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A dense layer over the non-zero entries of a sparse row: no rule sees the others.

    ``values`` (N, J) are the entries of each document, padded with zeros; ``weight`` (N, J, O) the
    weights that meet them; ``counts`` (N,) how many entries are real.
    """

    values: Tensor
    weight: Tensor
    counts: Tensor
    box: Bounds | None = None

    def _sides(self, part: Part | Box) -> list[Side]:
        real = (torch.arange(self.values.shape[1]) < self.counts[:, None]).to(self.values.dtype)
        return [Side(side.inputs * real, side.weight) for side in sides(part, self.values, self.weight)]

    def total(self, part: Part | Box) -> Tensor:
        return sum_tensors([torch.einsum("nj,njo->no", *side) for side in self._sides(part)])

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        return sum_tensors(
            [torch.einsum("kno,njo->knj", factor, weight) * inputs for inputs, weight in self._sides(part)]
        )


@dataclass(frozen=True, slots=True, eq=False)
class WordBag:
    """z_d = sum_t g_t v_td: a weighted sum of word vectors, led back to whole words.

    ``vectors`` (U, D) of the distinct words, ``ids`` (N, T) rows of it, ``weights`` (N, T) the g_t >= 0, ``lengths``
    (N,) how many of them are real.
    """

    vectors: Tensor
    ids: Tensor
    weights: Tensor
    lengths: Tensor
    box: Bounds | None = None

    def _sides(self, part: Part | Box) -> list[Side]:
        real = (torch.arange(self.ids.shape[1]) < self.lengths[:, None]).to(self.weights.dtype)
        return [Side(side.inputs, side.weight * real) for side in sides(part, self.vectors, self.weights)]

    def total(self, part: Part | Box) -> Tensor:
        documents, words = len(self.ids), len(self.vectors)
        row = torch.arange(documents)[:, None]
        return sum_tensors(
            [
                weight.new_zeros(documents, words).index_put_((row, self.ids), weight, accumulate=True) @ inputs
                for inputs, weight in self._sides(part)
            ]
        )

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        ids = self.ids.expand(factor.shape[0], *self.ids.shape)
        return sum_tensors([(factor @ inputs.T).gather(2, ids) * weight for inputs, weight in self._sides(part)])

    def pull_dimensions(self, part: Part | Box, factor: Tensor) -> Tensor:
        return sum_tensors(
            [
                factor[:, :, None, :] * inputs.expand_as(self.vectors)[self.ids] * weight[:, :, None]
                for inputs, weight in self._sides(part)
            ]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """z_f = sum_t a_tf / L: ``inputs`` (N, T, F), zero beyond each document's ``lengths`` (N,)."""

    inputs: Tensor
    lengths: Tensor
    box: Bounds | None = None

    def _sides(self, part: Part | Box) -> list[Side]:
        inside = (torch.arange(self.inputs.shape[1]) < self.lengths[:, None]).to(self.inputs.dtype)[:, :, None]
        weight = 1 / self.lengths.to(self.inputs.dtype)[:, None, None]
        return [Side(side.inputs, side.weight * inside) for side in sides(part, self.inputs, weight)]

    def total(self, part: Part | Box) -> Tensor:
        return sum_tensors([(inputs * weight).sum(dim=1) for inputs, weight in self._sides(part)])

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        return sum_tensors([factor[:, :, None, :] * (inputs * weight) for inputs, weight in self._sides(part)])


def table_bounds(table: Tensor) -> Box:
    """The smallest and the largest value of each dimension of a table (V + 1, D) of word vectors, 0 included."""
    return Box(table.amin(dim=0).clamp(max=0), table.amax(dim=0).clamp(min=0))


def sum_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of one or more tensors."""
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
