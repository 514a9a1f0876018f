"""The rule protocol, and the divisions that all rules are built from.

A rule decides which parts of the products a_j w_j the relevance of an output follows to the inputs, and what is
absorbed on the way. Open this module before :mod:`textlrp.lrp.rules`, or to write a rule of your own.

Letters: N documents; a_j, w_j, b and z as in :mod:`textlrp.lrp.rules`; R the relevance of an output.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

# ---- what a rule reads and returns


class Part(Enum):
    """A part of the product of input a_j and weight w_j that relevance can be distributed by."""

    PRODUCT = "a_j w_j"
    POSITIVE = "(a_j w_j)⁺"
    NEGATIVE = "(a_j w_j)⁻"
    SQUARE = "w_j²"
    EVEN = "1"


class Box(NamedTuple):
    """The part (a_j - l_j) w_j⁺ + (a_j - h_j) w_j⁻, for inputs in [l_j, h_j].

    ``low`` l and ``high`` h broadcast against the inputs.
    """

    low: Tensor
    high: Tensor


class Flow(NamedTuple):
    """One flow of relevance: input j receives ``part_j × factor × R``."""

    part: Part | Box
    factor: Tensor


class Shares(NamedTuple):
    """The decision of a rule for one step: its flows, and the absorbed fraction of R by cause.

    All tensors have the shape (N, ...) of the outputs.
    """

    flows: tuple[Flow, ...]
    absorbed: dict[str, Tensor]


class Outputs(Protocol):
    """The outputs (N, ...) of a linear step, as a rule sees them."""

    @property
    def name(self) -> str:
        """The name of the step, for error messages."""
        ...

    @property
    def outputs(self) -> Tensor:
        """z (N, ...)."""
        ...

    @property
    def bias(self) -> Tensor:
        """b, which broadcasts against z."""
        ...

    @property
    def bounds(self) -> Box | None:
        """The smallest and the largest possible input, 0 included; None if they are not known."""
        ...

    def total(self, part: Part | Box) -> Tensor:
        """sum_j part_j of each output, which broadcasts against z."""
        ...


@runtime_checkable
class Rule(Protocol):
    """An object that decides how the relevance of the outputs of a linear step is distributed.

    A rule may also have the attributes ``fixed_sign`` and ``on_text``: see :func:`has_fixed_sign` and
    :func:`remark_on_text`.
    """

    def shares(self, step: Outputs) -> Shares:
        """Return the flows to the inputs and the absorbed fractions of each output."""
        ...


def has_fixed_sign(rule: Rule) -> bool:
    """Whether the signs of the shares are independent of the sign of the output z.

    Such a rule distributes relevance by parts of one sign (alpha-beta: by each sign separately), so that inputs get
    the sign of the relevance that is distributed. If propagation starts from a negative score, inputs that raise the
    score receive negative relevance. The other rules divide by z, and its sign cancels. A rule declares this in its
    attribute ``fixed_sign``; the default is False.
    """
    return bool(getattr(rule, "fixed_sign", False))


def remark_on_text(rule: Rule) -> str:
    """A caution for readers if this rule is used at the layer that reads word vectors; empty for most rules.

    Rules that were made for the pixels of an image have one, in their attribute ``on_text``.
    """
    return str(getattr(rule, "on_text", ""))


# ---- divisions


class Divided(NamedTuple):
    """1 / denominator (0 where that is empty), and the fractions absorbed as ``stabilizer`` and ``empty``."""

    inverse: Tensor
    absorbed: dict[str, Tensor]


def divide(
    denominator: Tensor, stabilizer: float, *, nothing: Tensor | None = None, like: Tensor | None = None
) -> Divided:
    """Invert ``denominator`` + ``stabilizer`` × its sign.

    Where the sum is 0, or ``nothing`` is True, the inverse is 0 and all relevance is absorbed (cause ``empty``). If
    ``like`` is given, the result has its shape.
    """
    if like is not None:
        denominator = denominator.expand_as(like)
    # In the denominator's dtype: a float32 ε, or a float32 tensor that torch.where makes of two Python numbers, would
    # cost float64 results half their digits.
    size = denominator.new_tensor(stabilizer)
    # copysign reads the sign bit. Adding 0.0 turns -0.0 into +0.0, so that sign 0 = +1 for both.
    added = torch.copysign(size, denominator + 0.0)
    stabilized = denominator + added
    # The reciprocal of a subnormal number may overflow to infinity, so such a denominator counts as 0.
    tiny = torch.finfo(stabilized.dtype).tiny
    # The stabilizer has the sign of the denominator, so |stabilized| >= stabilizer and the test for 0 can be skipped.
    if nothing is None and stabilizer >= tiny:
        inverse = stabilized.reciprocal()
        return Divided(inverse, {"stabilizer": added * inverse})
    empty = stabilized.abs() < tiny
    if nothing is not None:
        empty = empty | nothing
    # the inner torch.where avoids a division by 0; an inf must not reach a flow, because 0 × inf is NaN
    inverse = torch.where(empty, 0, 1 / torch.where(empty, 1, stabilized))
    return Divided(inverse, {"empty": empty.to(inverse.dtype), "stabilizer": added * inverse})


def part_products(step: Outputs, *, stabilizer: float, spread: bool) -> Shares:
    """Return the shares of LRP-0 and LRP-epsilon: a_j w_j, b and ε sign z, each divided by z + ε sign z.

    With ``spread`` the parts of b and ε sign z are distributed evenly over the inputs.
    """
    divided = divide(step.outputs, stabilizer)
    absorbed = divided.absorbed | {"bias": step.bias * divided.inverse}
    products = Flow(Part.PRODUCT, divided.inverse)
    if not spread:
        return Shares((products,), absorbed)
    count = step.total(Part.EVEN)
    no_inputs = count == 0
    distributed = absorbed["bias"] + absorbed["stabilizer"]
    even = Flow(Part.EVEN, torch.where(no_inputs, 0, distributed / count.clamp(min=1)))
    kept = {cause: absorbed[cause] * no_inputs for cause in ("bias", "stabilizer")}
    return Shares((products, even), absorbed | kept)


def one_part(step: Outputs, part: Part | Box, stabilizer: float) -> Shares:
    """Return the shares of a rule that divides one part by the sum of that part: share_j = part_j / sum_j part_j."""
    divided = divide(step.total(part), stabilizer, like=step.outputs)
    return Shares((Flow(part, divided.inverse),), divided.absorbed)
