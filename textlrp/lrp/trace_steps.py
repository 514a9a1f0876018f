"""The tape of a forward pass, and the one walk back over it.

A :class:`Trace` lists what a model did to a batch. Each step names the values it reads and the value
it writes, and can lead the relevance (K, N, ...) of what it wrote back to what it read, together with
what it absorbed on the way. :func:`propagate` walks the tape backwards, adds up relevance where a value
was read more than once, and keeps the ledger.

Letters: N documents, T tokens, C classes, K explained targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from textlrp.lrp.kernels.windows import Ids, WindowStarts
from textlrp.lrp.maps import Added, Grid, LinearMap, sum_tensors
from textlrp.lrp.rules import is_plain_share
from textlrp.lrp.shares import Box, Part, Rule

SMALL = 2.0**40
"""Relevance below the smallest number times this stands for a share of 0."""


def without_zeros(values: Tensor) -> Tensor:
    """The same values, with the smallest normal number of the same sign in place of 0."""
    smallest = values.new_tensor(torch.finfo(values.dtype).tiny)
    return torch.where(values == 0, smallest.copysign(values), values)


def sum_outputs(relevance: Tensor) -> Tensor:
    """(K, N, ...) -> (K, N): summed over everything but target and document."""
    return relevance if relevance.dim() == 2 else relevance.flatten(start_dim=2).sum(dim=-1)


Absorbed = dict[str, Tensor]
"""What a step absorbed: cause -> (K, N)."""


class Step(Protocol):
    """One entry of the tape; ``ruled`` says whether a rule decides anything in it."""

    ruled: ClassVar[bool]

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def writes(self) -> str: ...

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        """Relevance (K, N, ...) of the written value -> that of each value read, and what was absorbed."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """An affine step z = map(a) + bias: a rule decides how relevance splits.

    ``outputs`` (N, ...) are z; ``bias`` broadcasts against them. ``direct`` is the map where the model is linear
    in its words, from here on and before. There the share that LRP-0 gives an input of a score is its product a w
    alone, so that the score may be 0: zeros stand as the smallest number (:func:`without_zeros`).
    """

    name: str
    kind: str
    reads: tuple[str]
    writes: str
    map: LinearMap
    bias: Tensor
    outputs: Tensor
    direct: LinearMap | None = None
    ruled: ClassVar[bool] = True

    @property
    def bounds(self) -> Box | None:
        return None if self.map.box is None else self.map.box()

    def total(self, part: Part | Box) -> Tensor:
        return self.map.total(part)

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        if self.direct is not None:
            smallest = relevance.abs() <= torch.finfo(relevance.dtype).tiny * SMALL
            if is_plain_share(rule):
                nothing = (self.outputs == 0) & ~smallest
                counted = torch.where(nothing, 0, relevance / without_zeros(self.outputs))
                absorbed = {"bias": sum_outputs(counted * self.bias), "empty": sum_outputs(relevance * nothing)}
                return [self.direct.pull(Part.PRODUCT, counted)], absorbed
            relevance = torch.where(smallest, 0, relevance)
        shares = rule.shares(self)
        received = sum_tensors([self.map.pull(part, relevance * factor) for part, factor in shares.flows])
        return [received], {cause: sum_outputs(relevance * part) for cause, part in shares.absorbed.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Routing:
    """Relevance only moves: the ReLU, the winner of a max-pool, dropout. ``move`` says where to."""

    name: str
    kind: str
    reads: tuple[str]
    writes: str
    move: Callable[[Tensor], Tensor] = lambda relevance: relevance
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        return [self.move(relevance)], {}


@dataclass(frozen=True, slots=True, eq=False)
class Concat:
    """Several values side by side along the last axis; ``sizes`` are their lengths there."""

    name: str
    reads: tuple[str, ...]
    writes: str
    sizes: tuple[int, ...]
    kind: str = "concat"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        return torch.split(relevance, list(self.sizes), dim=-1), {}


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """Several values of one shape added up: a linear step with weights 1 and no bias; ``inputs`` are those values."""

    name: str
    reads: tuple[str, ...]
    writes: str
    inputs: tuple[Tensor, ...]
    kind: str = "sum"
    ruled: ClassVar[bool] = True

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        side_by_side = torch.stack(self.inputs, dim=-1)
        outputs = side_by_side.sum(dim=-1)
        added = Linear(
            self.name, self.kind, ("",), "", Added(side_by_side), outputs.new_zeros((1,) * outputs.dim()), outputs
        )
        (received,), absorbed = added.back(relevance, rule)
        return received.unbind(dim=-1), absorbed


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """gate × source, read in this order: the source takes all (Arras et al. 2017, arXiv 1706.07206)."""

    name: str
    reads: tuple[str, str]
    writes: str
    kind: str = "product"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        return [torch.zeros_like(relevance), relevance], {}


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The way from word vectors (N, T) or (N, T, D) to words (N, T).

    Sums over D where there is one. ``grid`` makes the ids (N, T) that were looked up; what lands on a word of id 0
    (padding, unknown words, which are zero vectors) is absorbed as ``ignored``.
    """

    name: str
    reads: tuple[str]
    writes: str
    grid: Grid
    kind: str = "lookup"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        words = relevance if relevance.dim() == 3 else relevance.sum(dim=-1)
        read = self.grid() > 0
        return [words * read], {"ignored": (words * ~read).sum(dim=-1)}


class LateSteps(Sequence[Step]):
    """Steps that are written down when the first of them is asked for."""

    def __init__(self, write: Callable[[], tuple[Step, ...]]) -> None:
        self._write = cache(write)

    def __len__(self) -> int:
        return len(self._write())

    def __getitem__(self, place: Any) -> Any:
        return self._write()[place]

    def __iter__(self) -> Iterator[Step]:
        return iter(self._write())


class Windows(NamedTuple):
    """The winning windows of all convolutions of a net, side by side, and the texts that they are of.

    F filters of all widths; S = the sum of their widths. ``products`` (N, S), ``where`` (N, F), ``bounds`` (F + 1,)
    as in :class:`.Winners`; ``outputs`` (N, F) with the bias (F,) of the convolutions; ``words``
    (L,) ids, 0 where unknown; ``starts`` (N + 1,) where each text begins. ``filters`` of each convolution by its
    name, in order; ``lookup`` the name of the step that reads the words, ``output`` the layer that writes the scores.
    """

    products: Tensor
    where: WindowStarts
    bounds: Ids
    outputs: Tensor
    bias: Tensor
    words: Ids
    starts: Ids
    filters: Mapping[str, int]
    lookup: str
    output: Linear
