"""Steps of a recorded trace: any bilinear operation, anything that only moves numbers, and the look-up of words.

The values of a foreign module keep whatever layout it gave them. One text is recorded at a time, so a relevance here
is (K, 1, *shape of the value): K targets, one document.
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
from textlrp.lrp.trace_steps import Absorbed, sum_outputs

Bilinear = Callable[[Tensor, Tensor], Tensor]
"""apply(input, weight), linear in each."""


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """z = scale × apply(a, w): ``inputs`` a and ``weight`` w as the module had them.

    ``connected`` says which weights connect an input with an output at all, where not all do. ``scale`` > 0, one
    number per output, is part of every weight of that output.
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
        """(K, 1, outputs) -> (K, 1, inputs)."""
        inputs = torch.zeros_like(self.inputs, requires_grad=True)
        return led_through(self.apply(inputs, weight.detach()), [inputs], factor)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Numbers that only change places: ``function`` of the ``inputs`` again, led back by its own derivative.

    So a max-pool sends relevance where the operation itself takes its number from. What lands on a number that came
    from none of the inputs (padding, a constant) is absorbed as ``ignored``; ``reached`` is 0 there.
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
        leaves = [value.detach().clone().requires_grad_() for value in self.inputs]
        result = self.function([leaf.clone() for leaf in leaves])  # a clone may be changed in place
        return led_through(result, leaves, relevance), absorbed


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """Relevance passes through unchanged: an activation, or a product with a constant.

    Where the constant is zero (``blocked``), it is absorbed as ``ignored``.
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
    """A value that nothing may be led back through; ``why`` is the sentence to raise.

    ``shapes`` are those of the values read.
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
    """The way from word vectors (..., D) to the words (1, T) they were looked up for.

    ``positions`` (...) say which word each vector belongs to, -1 for none; ``read`` is False for a vector that stands
    for no word. What lands there is absorbed as ``ignored``.
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
        place = torch.where(self.read & (self.positions >= 0), self.positions, self.words).reshape(-1)
        on_words = per_id.new_zeros((*per_id.shape[:2], self.words + 1)).index_add_(2, place, per_id)
        return [on_words[..., : self.words]], {"ignored": on_words[..., self.words]}


class Fold(NamedTuple):
    """What makes a step part of the weighted one before it: its outputs times ``scale`` (F,), plus ``shift``."""

    scale: Tensor | None
    shift: Tensor


def led_through(result: Tensor, leaves: Sequence[Tensor], relevance: Tensor) -> list[Tensor]:
    """Relevance (K, 1, *result) led back to each leaf (K, 1, *leaf) by the derivative of ``result``."""
    per_target = [
        torch.autograd.grad(result, list(leaves), each[0], retain_graph=True, materialize_grads=True)
        for each in relevance
    ]
    return [torch.stack([grads[place] for grads in per_target])[:, None] for place in range(len(leaves))]
