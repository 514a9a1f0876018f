"""Linear maps bound to their inputs, and how relevance is pulled back through them.

Every part of the products (:class:`textlrp.lrp.rules.Part`) is a sum of one or two products of an *input side* and a
*weight side*: (a w)⁺, say, is a⁺ w⁺ + a⁻ w⁻ (:func:`sides`). So a map needs only to apply itself to such a pair, and
its adjoint; each rule follows. A map answers two questions about a part:

- ``total(part)``: sum_j part_jk of each output k;
- ``pull(part, factor)``: received_j = sum_k part_jk factor_k.

Letters: N documents, T tokens, D embedding dimensions, F filters, H window width, U distinct words of
the batch, J inputs, O outputs, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from textlrp.lrp.kernels import device
from textlrp.lrp.kernels import windows as kernels
from textlrp.lrp.rules import Box, Part


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


@dataclass(frozen=True, slots=True, eq=False)
class WordWindows:
    """A convolution at every position, led back to whole words.

    ``vectors`` (U, D) of the distinct words; ``weight`` (D, H × F), offset by offset; ``ids`` (N, T) rows of
    ``vectors``. The outputs are (N, T - H + 1, F).
    """

    vectors: Tensor
    weight: Tensor
    ids: Tensor
    width: int
    box: Bounds | None = None

    def projections(self, part: Part | Box) -> Tensor:
        """(U, H, F): part_j of each distinct word at each offset, summed over its dimensions."""
        summed = sum_tensors([inputs @ weight for inputs, weight in sides(part, self.vectors, self.weight)])
        return summed.reshape(len(self.vectors), self.width, -1)

    def total(self, part: Part | Box) -> Tensor:
        windows = self.ids.shape[1] - self.width + 1
        met = self.projections(part)
        return sum_tensors([met[:, h][self.ids[:, h : h + windows]] for h in range(self.width)])

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        targets, documents, windows, _ = factor.shape
        landed = factor.new_zeros((targets, documents, self.ids.shape[1]))
        met = self.projections(part)
        for offset in range(self.width):
            landed[:, :, offset : offset + windows] += torch.einsum(
                "kntf,ntf->knt", factor, met[:, offset][self.ids[:, offset : offset + windows]]
            )
        return landed

    def pull_dimensions(self, part: Part | Box, factor: Tensor) -> Tensor:
        targets, documents, windows, filters = factor.shape
        dimensions = self.vectors.shape[1]
        landed = factor.new_zeros((targets, documents, self.ids.shape[1], dimensions))
        for inputs, weight in sides(part, self.vectors, self.weight):
            words = inputs.expand_as(self.vectors)[self.ids]
            by_offset = weight.expand_as(self.weight).reshape(dimensions, self.width, filters)
            for offset in range(self.width):
                reached = slice(offset, offset + windows)
                landed[:, :, reached] += (factor @ by_offset[:, offset].T) * words[:, reached]
        return landed


@dataclass(frozen=True, slots=True, eq=False)
class WinningWindows:
    """A convolution followed by a max over time, led back to whole words: winning windows only.

    ``products`` (N, F, H): what each word of the winning window adds to its filter, summed over the D dimensions of
    its vector; ``start`` (N, F) where that window begins; ``grid`` makes the rows (N, T) of ``vectors`` (U, D) that
    the documents read, row 0 being the zero vector; ``weight`` (D, H × F), offset by offset.
    """

    products: Tensor
    start: Tensor
    grid: Grid
    vectors: Tensor
    weight: Tensor
    box: Bounds | None = None
    _made: dict[Part, Tensor] = field(default_factory=dict, repr=False)

    def contributions(self, part: Part | Box) -> Tensor:
        """(N, F, H), or broadcast against it: part_j of each word of the winning windows."""
        filters, width = self.products.shape[1:]
        if isinstance(part, Box):
            ends = part.low[..., None] * self.weight.clamp(min=0) + part.high[..., None] * self.weight.clamp(max=0)
            return self.products - ends.sum(dim=0).reshape(width, filters).T
        match part:
            case Part.PRODUCT:
                return self.products
            case Part.SQUARE:
                return self.weight.square().sum(dim=0).reshape(width, filters).T.expand_as(self.products)
            case Part.EVEN:
                return self.products.new_tensor(float(len(self.weight))).expand_as(self.products)
        if not self._made:
            by_filter = self._by_filter(self.weight)
            if self._elsewhere:
                signed = device.signed_contributions_on_device(self.vectors, by_filter, self.words, self.start.long())
            else:
                positive, negative = kernels.signed_contributions(
                    self.vectors.numpy(), by_filter.numpy(), self.words.numpy(), self.start.long().numpy()
                )
                signed = torch.from_numpy(positive), torch.from_numpy(negative)
            self._made.update(zip((Part.POSITIVE, Part.NEGATIVE), signed, strict=True))
        return self._made[part]

    @property
    def words(self) -> Tensor:
        """(N, T) rows of ``vectors``."""
        return self.grid()

    @property
    def _elsewhere(self) -> bool:
        """Whether the numbers are not in the CPU's memory."""
        return self.products.device.type != "cpu"

    def total(self, part: Part | Box) -> Tensor:
        return self.contributions(part).sum(dim=2)

    def read_total(self, part: Part | Box) -> Tensor:
        """(N, F): as :meth:`total`, over the words alone that were read."""
        width = self.products.shape[2]
        words = device.winning_words(self.words, self.start.long(), width)
        return (self.contributions(part) * (words > 0)).sum(dim=2)

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        targets, documents, filters = factor.shape
        tokens = self.words.shape[1]
        contributions = self.contributions(part)
        landed = factor.new_zeros((documents * tokens, targets))
        row = torch.arange(documents, device=self.start.device)[:, None] * tokens + self.start
        for offset in range(self.products.shape[2]):
            values = (factor * contributions[:, :, offset]).permute(1, 2, 0).reshape(documents * filters, targets)
            landed.index_add_(0, (row + offset).reshape(-1), values)
        return landed.reshape(documents, tokens, targets).permute(2, 0, 1)

    def pull_dimensions(self, part: Part | Box, factor: Tensor) -> Tensor:
        return sum_tensors(
            [
                self.spread(factor, weight) * inputs
                for inputs, weight in sides(part, self.vectors[self.words], self.weight)
            ]
        )

    def spread(self, factor: Tensor, weight: Tensor) -> Tensor:
        """(K, N, F) -> (K, N, T, D): ``weight``, laid out as the map's own, times the factor of each filter."""
        by_filter, tokens = self._by_filter(weight), self.words.shape[1]
        if self._elsewhere:
            return device.spread_on_device(factor, by_filter, self.start.long(), tokens)
        starts = self.start.long().numpy()
        spread = kernels.spread_over_windows(factor.numpy(), by_filter.numpy(), starts, tokens)
        return torch.from_numpy(spread)

    def _by_filter(self, weight: Tensor) -> Tensor:
        """(D, H × F) -> (F, H, D)."""
        filters, width = self.products.shape[1:]
        return weight.expand_as(self.weight).reshape(-1, width, filters).permute(2, 1, 0).contiguous()


def table_bounds(table: Tensor) -> Box:
    """The smallest and the largest value of each dimension of a table (V + 1, D) of word vectors, 0 included."""
    return Box(table.amin(dim=0).clamp(max=0), table.amax(dim=0).clamp(min=0))


def sum_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of one or more tensors."""
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
