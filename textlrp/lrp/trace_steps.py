"""The steps of a trace: linear, routing, concatenation, sum, product and look-up.

Each step propagates the relevance (K, N, ...) of the value that it wrote to the values that it read, and returns what
was absorbed. Open this module to add a kind of step; :mod:`textlrp.lrp.trace` puts steps together.

Letters: N documents, T tokens, C classes, D embedding dimensions, K explained targets.
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
"""Relevance of a magnitude up to the smallest normal number times this represents a share of 0."""


def without_zeros(values: Tensor) -> Tensor:
    """Return the values with 0 replaced by the smallest normal number of the same sign."""
    smallest = values.new_tensor(torch.finfo(values.dtype).tiny)
    return torch.where(values == 0, smallest.copysign(values), values)


def sum_outputs(relevance: Tensor) -> Tensor:
    """(K, N, ...) -> (K, N): sum over all axes except target and document."""
    return relevance if relevance.dim() == 2 else relevance.flatten(start_dim=2).sum(dim=-1)


Absorbed = dict[str, Tensor]
"""Relevance that a step absorbed: cause -> (K, N)."""


class Step(Protocol):
    """One step of a trace; ``ruled`` is whether it needs a rule."""

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
        """Return the relevance (K, N, ...) of each value read, and what was absorbed.

        ``relevance`` (K, N, ...) is that of the written value.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """An affine step z = map(a) + bias, through which a rule distributes relevance.

    ``outputs`` (N, ...) are z; ``bias`` broadcasts against them.

    ``direct`` is set if the whole model is linear in its words: the map, with zeros replaced by the smallest normal
    number (:func:`without_zeros`). In such a model LRP-0 from a score z gives an input (a w / z) × z = a w, also
    where z = 0. The division 0 / 0 is avoided because no factor is exactly 0.
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
            # Relevance this small is not that of a real score. It is the smallest normal number, which represents a
            # score of 0, or a share of it. LRP-0 divides it by an output that is 0 in the same sense, so that an
            # input gets a w. For every other rule it is 0.
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
    """A step through which relevance only moves: ReLU, max-pooling, dropout.

    ``move`` maps the relevance (K, N, ...) of the output to that of the input. Max-pooling moves all relevance of an
    output to the first of its largest inputs.
    """

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
    """Several values concatenated along the last axis; ``sizes`` are their lengths along it."""

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
    """The sum of several values of one shape: a linear step with weights 1 and no bias; ``inputs`` are the values."""

    name: str
    reads: tuple[str, ...]
    writes: str
    inputs: tuple[Tensor, ...]
    kind: str = "sum"
    ruled: ClassVar[bool] = True

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        # in the dtype of the relevance, because a module may add in a lower precision
        terms = torch.stack(self.inputs, dim=-1).to(relevance.dtype)
        outputs = terms.sum(dim=-1)
        no_bias = outputs.new_zeros((1,) * outputs.dim())
        added = Linear(self.name, self.kind, ("",), "", Added(terms), no_bias, outputs)
        (received,), absorbed = added.back(relevance, rule)
        return received.unbind(dim=-1), absorbed


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """gate × source, read in this order: the source receives all relevance (Arras et al. 2017, arXiv 1706.07206)."""

    name: str
    reads: tuple[str, str]
    writes: str
    kind: str = "product"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        return [torch.zeros_like(relevance), relevance], {}


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """The look-up of word vectors: sums relevance (K, N, T, D) over the dimensions to that of the words (K, N, T).

    Relevance (K, N, T) that a map has already summed is taken as it is. ``grid`` returns the ids (N, T) that were
    looked up. Relevance that reaches a word of id 0 (padding and unknown words, which are zero vectors) is absorbed
    (cause ``ignored``).
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


class LazySteps(Sequence[Step]):
    """Steps that are created when the first of them is accessed: the fused sweep often needs none of them."""

    def __init__(self, create: Callable[[], tuple[Step, ...]]) -> None:
        self._create = cache(create)

    def __len__(self) -> int:
        return len(self._create())

    def __getitem__(self, position: Any) -> Any:
        return self._create()[position]

    def __iter__(self) -> Iterator[Step]:
        return iter(self._create())


class Windows(NamedTuple):
    """The winning windows of all convolutions of a net, and the texts that they belong to.

    F is the number of filters of all convolutions, S the sum of their widths, L the number of words of all texts.
    ``products`` (N, S), ``where`` (N, F) and ``bounds`` (F + 1,) are as in :class:`.Winners`. ``outputs`` (N, F)
    include the ``bias`` (F,). ``words`` (L,) are ids, 0 for unknown words, text after text; ``starts`` (N + 1,) are
    the positions at which the texts begin. ``filters`` has the number of filters of each convolution by its name, in
    order. ``lookup`` is the name of the step that reads the words, ``output`` the layer that writes the scores.
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
