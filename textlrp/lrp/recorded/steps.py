"""The steps of a recorded trace: bilinear operations, operations that only move values, and look-ups of word vectors.

The values keep the layout that the external module gave them. One text is recorded at a time, so relevance has the
shape (K, 1, *shape of the value): K targets, one document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from textlrp.errors import ModelError
from textlrp.lrp.maps import Bounds, FactorPair, factor_pairs, sum_tensors
from textlrp.lrp.shares import Box, Part, Rule
from textlrp.lrp.trace_steps import Absorbed, Linear, sum_outputs

Bilinear = Callable[[Tensor, Tensor], Tensor]
"""apply(input, weight), linear in each of the two."""


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """The linear map z = scale × apply(a, w), with ``inputs`` a and ``weight`` w in the layout of the module.

    ``connected`` is 1 for the weights that connect an input with an output, and None if all do. It is needed to count
    inputs (:attr:`.Part.EVEN`). ``scale`` > 0, one number per output, is a factor of every weight of that output.
    """

    inputs: Tensor
    weight: Tensor
    apply: Bilinear
    box: Bounds | None = None
    connected: Tensor | None = None
    scale: Tensor | None = None

    def total(self, part: Part | Box) -> Tensor:
        total = sum_tensors([self.apply(inputs, weight) for inputs, weight in self._factor_pairs(part)])
        return self._scaled(part, total)[None]

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        factor = self._scaled(part, factor)
        return sum_tensors([self._adjoint(weight, factor) * inputs for inputs, weight in self._factor_pairs(part)])

    def _factor_pairs(self, part: Part | Box) -> tuple[FactorPair, ...]:
        if part is Part.EVEN and self.connected is not None:
            return (FactorPair(torch.ones_like(self.inputs), self.connected),)
        return factor_pairs(part, self.inputs, self.weight)

    def _scaled(self, part: Part | Box, value: Tensor) -> Tensor:
        if self.scale is None or part is Part.EVEN:
            return value
        return value * (self.scale.square() if part is Part.SQUARE else self.scale)

    @torch.enable_grad()
    def _adjoint(self, weight: Tensor, factor: Tensor) -> Tensor:
        """The adjoint of apply(·, weight): (K, 1, outputs) -> (K, 1, inputs)."""
        # apply is linear in the inputs, so its derivative is the same at any point, and zeros will do
        inputs = torch.zeros_like(self.inputs, requires_grad=True)
        return vector_jacobian_products(self.apply(inputs, weight.detach()), [inputs], factor)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """An operation that only moves values. ``function`` of the ``inputs`` repeats it.

    Relevance is propagated by the derivative of ``function``, which is 1 from where a value was taken and 0
    elsewhere. Max-pooling therefore sends relevance to the input that the operation itself chose, also among equal
    inputs; ``amax`` shares it evenly among them. Relevance of an output that is no input (padding, a constant) is
    absorbed as ``ignored``: ``reached`` is 0 there, and None if there is no such output.
    """

    name: str
    reads: tuple[str, ...]
    writes: str
    function: Callable[[Sequence[Tensor]], Tensor]
    inputs: tuple[Tensor, ...]
    reached: Tensor | None = None
    kind: str = "move"
    ruled: ClassVar[bool] = False

    @torch.enable_grad()
    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        absorbed: Absorbed = {}
        if self.reached is not None:
            absorbed["ignored"] = sum_outputs(relevance * (1 - self.reached))
        # in the dtype of the relevance, because a module may compute in a lower precision
        leaves = [value.detach().to(relevance.dtype).clone().requires_grad_() for value in self.inputs]
        # clones, because the operation may work in place, which autograd does not allow on a leaf
        result = self.function([leaf.clone() for leaf in leaves])
        return vector_jacobian_products(result, leaves, relevance), absorbed


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """An elementwise operation of one value, through which relevance passes unchanged.

    It is an activation or a product with a constant. Where the constant is zero (``blocked``), relevance is absorbed
    (cause ``ignored``).
    """

    name: str
    kind: str
    reads: tuple[str]
    writes: str
    blocked: Tensor | None = None
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        if self.blocked is None:
            return [relevance], {}
        return [relevance * ~self.blocked], {"ignored": sum_outputs(relevance * self.blocked)}


@dataclass(frozen=True, slots=True, eq=False)
class Stopped:
    """An operation through which relevance cannot be propagated; ``why`` is the message of the error.

    The error is raised only if relevance other than 0 arrives: a gate receives none. ``shapes`` are those of the
    values read.
    """

    name: str
    reads: tuple[str, ...]
    writes: str
    why: str
    shapes: tuple[torch.Size, ...]
    kind: str = "stop"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        if relevance.any():
            raise ModelError(self.why)
        return [relevance.new_zeros((*relevance.shape[:2], *shape)) for shape in self.shapes], {}


@dataclass(frozen=True, slots=True, eq=False)
class TokenLookup:
    """The look-up of word vectors (..., D) for the words (1, T): sums relevance over D and by word.

    ``positions`` (...) has the index of the word of each vector, -1 for none; ``read`` is False for vectors of
    padding, whose relevance is absorbed (cause ``ignored``). Relevance of any other vector without a word, such as
    that of [CLS], is absorbed too (cause ``special``).
    """

    name: str
    reads: tuple[str]
    writes: str
    positions: Tensor
    read: Tensor
    words: int
    kind: str = "lookup"
    ruled: ClassVar[bool] = False

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        per_id = relevance.sum(dim=-1).flatten(start_dim=2)
        # columns T and T + 1, after the words, collect the relevance of padding and of vectors without a word
        column = torch.where(self.positions >= 0, self.positions, self.words + 1)
        column = torch.where(self.read, column, self.words).reshape(-1)
        on_words = per_id.new_zeros((*per_id.shape[:2], self.words + 2)).index_add_(2, column, per_id)
        absorbed = {"ignored": on_words[..., self.words]}
        if bool((self.read & (self.positions < 0)).any()):
            absorbed["special"] = on_words[..., self.words + 1]
        return [on_words[..., : self.words]], absorbed


@dataclass(frozen=True, slots=True, eq=False)
class NamedShift:
    """The addition of a constant that has a name in the ledger; its bias is absorbed as ``cause``."""

    layer: Linear
    cause: str
    ruled: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def kind(self) -> str:
        return self.layer.kind

    @property
    def reads(self) -> tuple[str, ...]:
        return self.layer.reads

    @property
    def writes(self) -> str:
        return self.layer.writes

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        received, absorbed = self.layer.back(relevance, rule)
        return received, {self.cause if cause == "bias" else cause: entry for cause, entry in absorbed.items()}


class Fold(NamedTuple):
    """A step that can be folded into the weighted step before it: its outputs × ``scale`` (F,) + ``shift``."""

    scale: Tensor | None
    shift: Tensor


def vector_jacobian_products(result: Tensor, leaves: Sequence[Tensor], relevance: Tensor) -> list[Tensor]:
    """Return relevance (K, 1, *result) times the derivative of ``result`` by each leaf: (K, 1, *leaf)."""
    per_target = [
        torch.autograd.grad(result, list(leaves), each[0], retain_graph=True, materialize_grads=True)
        for each in relevance
    ]
    return [torch.stack([grads[place] for grads in per_target])[:, None] for place in range(len(leaves))]
