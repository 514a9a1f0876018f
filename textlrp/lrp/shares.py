"""What a rule is: how it shares the relevance of an output among its inputs. Open it before ``rules.py``."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

# ---- the words that rules and maps share


class Part(Enum):
    """Which part of the product of input a_j and weight w_j is shared out."""

    PRODUCT = "a_j w_j"
    POSITIVE = "(a_j w_j)⁺"
    NEGATIVE = "(a_j w_j)⁻"
    SQUARE = "w_j²"
    EVEN = "1"


class Box(NamedTuple):
    """The part (a_j - l_j) w_j⁺ + (a_j - h_j) w_j⁻ of inputs that lie in [l_j, h_j]; both broadcast against them."""

    low: Tensor
    high: Tensor


class Flow(NamedTuple):
    """Input j receives ``part_j × factor × R``."""

    part: Part | Box
    factor: Tensor


class Shares(NamedTuple):
    """What a rule decided for one step: tensors of the outputs' shape (N, ...)."""

    flows: tuple[Flow, ...]
    absorbed: dict[str, Tensor]


class Outputs(Protocol):
    """What a rule may ask about the outputs (N, ...) of a linear step."""

    @property
    def name(self) -> str:
        """The step's name, for messages."""
        ...

    @property
    def outputs(self) -> Tensor:
        """z (N, ...)."""
        ...

    @property
    def bias(self) -> Tensor:
        """b; broadcasts against z."""
        ...

    @property
    def bounds(self) -> Box | None:
        """Where the inputs are known to lie, 0 included; None where nothing is known."""
        ...

    def total(self, part: Part | Box) -> Tensor:
        """sum_j part_j of each output; broadcasts against z."""
        ...


@runtime_checkable
class Rule(Protocol):
    """Anything that turns the outputs of a linear step into shares.

    A rule may also have ``fixed_sign`` and ``on_text``: see :func:`has_fixed_sign` and :func:`remark_on_text`.
    """

    def shares(self, step: Outputs) -> Shares:
        """Shares of each output."""
        ...


def has_fixed_sign(rule: Rule) -> bool:
    """Whether the signs of the shares do not depend on the sign of the output z.

    Such a rule shares the parts of one sign (alpha-beta: of each sign separately), so relevance has the sign of what
    is shared. Where it starts from a negative score, inputs that raise the score receive negative relevance. The
    other rules divide by z, whose sign cancels. A rule says so in its attribute ``fixed_sign``; without it, False.
    """
    return bool(getattr(rule, "fixed_sign", False))


def remark_on_text(rule: Rule) -> str:
    """What a reader must know of this rule at the layer that reads word vectors; empty for most rules.

    Some rules were made for the pixels of an image. A rule says so in its attribute ``on_text``.
    """
    return str(getattr(rule, "on_text", ""))


# ---- what they are made of


class Divided(NamedTuple):
    """1 / denominator (0 where that is empty), and what is absorbed of it: stabilizer, empty."""

    inverse: Tensor
    absorbed: dict[str, Tensor]


def divide(
    denominator: Tensor, stabilizer: float, *, nothing: Tensor | None = None, like: Tensor | None = None
) -> Divided:
    """Divide by a stabilized denominator; all is ``empty`` where it is zero or ``nothing`` is True.

    The result has the shape of ``like`` where that is given.
    """
    if like is not None:
        denominator = denominator.expand_as(like)
    size = denominator.new_tensor(stabilizer)  # two plain numbers in torch.where would make it float32
    added = torch.copysign(size, denominator + 0.0)  # -0.0 + 0.0 is 0.0, and 0 counts as positive
    stabilized = denominator + added
    tiny = torch.finfo(stabilized.dtype).tiny  # the inverse of anything smaller may be infinite
    if nothing is None and stabilizer >= tiny:  # no stabilized denominator is smaller than the stabilizer
        inverse = stabilized.reciprocal()
        return Divided(inverse, {"stabilizer": added * inverse})
    empty = stabilized.abs() < tiny
    if nothing is not None:
        empty = empty | nothing
    inverse = torch.where(empty, 0, 1 / torch.where(empty, 1, stabilized))
    return Divided(inverse, {"empty": empty.to(inverse.dtype), "stabilizer": added * inverse})


def part_products(step: Outputs, *, stabilizer: float, spread: bool) -> Shares:
    """The shares of Zero and Epsilon: numerators a_j w_j, b and ε sign z over z + ε sign z."""
    divided = divide(step.outputs, stabilizer)
    absorbed = divided.absorbed | {"bias": step.bias * divided.inverse}
    products = Flow(Part.PRODUCT, divided.inverse)
    if not spread:
        return Shares((products,), absorbed)
    inputs = step.total(Part.EVEN)
    alone = inputs == 0
    handed_on = absorbed["bias"] + absorbed["stabilizer"]
    even = Flow(Part.EVEN, torch.where(alone, 0, handed_on / inputs.clamp(min=1)))
    return Shares((products, even), absorbed | {cause: absorbed[cause] * alone for cause in ("bias", "stabilizer")})


def one_part(step: Outputs, part: Part | Box, stabilizer: float) -> Shares:
    """The shares of the rules that divide one part by its own sum."""
    divided = divide(step.total(part), stabilizer, like=step.outputs)
    return Shares((Flow(part, divided.inverse),), divided.absorbed)
