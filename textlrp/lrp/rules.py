"""Rules: how the relevance of an output is shared out among its inputs.

Letters: of one output, a_j are its inputs, w_j their weights, b its bias, z = sum_j a_j w_j + b, and R its
relevance; x⁺ = max(x, 0) and x⁻ = min(x, 0).

Every rule divides *parts* of the products (input × weight) by a denominator. A rule is a frozen value that
looks at the outputs of a step and says, for each, what fraction of its relevance goes where:

- *flows*: to the inputs, in proportion to a part (:class:`Part`, :class:`Box`);
- *absorbed*: to nobody, with its cause (``bias``, ``stabiliser``, ``empty``).

The fractions of an output sum to one; that is the law of conservation in one line.

Two things hold for all rules. ``stabiliser`` >= 0 is added to a denominator with the denominator's own sign (0 counts
as positive) and absorbs its share; it is 0 unless asked for. A denominator of zero shares nothing and absorbs all of
R as ``empty``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from textlrp.errors import RuleError

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


def is_plain_share(rule: Rule) -> bool:
    """Whether a rule is LRP-0 but for a stabiliser that is there for the division alone."""
    guard = Epsilon().epsilon
    return isinstance(rule, Zero) or (isinstance(rule, Epsilon) and rule.epsilon <= guard and rule.bias == "absorb")


# ---- the rules


@dataclass(frozen=True, slots=True)
class Zero:
    """LRP-0: share_j = a_j w_j / z.

    Conserves all but the bias, which absorbs b / z. On ReLU and max-pool nets it equals gradient × input
    (Shrikumar et al. 2016; Ancona et al. 2018). On word vectors it applies anywhere, but is noisy where z is small:
    choose it for the top layer. Source: Bach et al. 2015, eq. 56; Montavon et al. 2019, section 10.2.1.
    """

    fixed_sign: ClassVar[bool] = False

    def shares(self, step: Outputs) -> Shares:
        return _products(step, stabiliser=0.0, spread=False)


@dataclass(frozen=True, slots=True)
class Epsilon:
    """LRP-epsilon: share_j = a_j w_j / (z + ε sign z), with sign 0 = +1.

    ``epsilon`` >= 0 keeps small z from blowing up relevance; it absorbs ε sign z of the denominator (cause
    ``stabiliser``), the bias absorbs b. With ``bias="spread"`` both are instead spread evenly over the inputs of
    the output, as Arras et al. 2017 (eqs. 5 and 6) do: relevance is then conserved exactly, but words that an
    output never looked at receive some. Where there is no input they are absorbed after all. On word vectors it
    applies to any layer. Captum's EpsilonRule is the same but for the sign of 0.
    Source: Bach et al. 2015, eq. 58.

    Raises :class:`RuleError` on a negative ``epsilon`` or an unknown ``bias``.
    """

    epsilon: float = 1e-6
    bias: Literal["absorb", "spread"] = "absorb"
    fixed_sign: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_size(self, "epsilon")
        _check_choice(self, "bias", ("absorb", "spread"))

    def shares(self, step: Outputs) -> Shares:
        return _products(step, stabiliser=self.epsilon, spread=self.bias == "spread")


@dataclass(frozen=True, slots=True)
class Gamma:
    """Generalised LRP-gamma: what agrees with the output in sign counts 1 + γ times.

    Where z > 0, share_j = [a_j w_j + γ (a_j w_j)⁺] / [z + γ (sum_j (a_j w_j)⁺ + b⁺)]; where z < 0 the same with ⁻ in
    place of ⁺; an output of exactly 0 gives nothing (``empty``). The bias absorbs b + γ b⁺ or b + γ b⁻ of the
    denominator. Large ``gamma`` leads towards alpha1beta0, 0 is LRP-0. It applies to word vectors, whose signs are
    mixed, because it looks at the sign of the product; for inputs >= 0 it is the gamma rule of Montavon et al. 2019
    (section 10.2.3). Captum's GammaRule neither splits negative inputs nor treats the bias or z < 0: it is the same
    on inputs >= 0 without bias where z > 0, with stabiliser 1e-9.
    Source: Andéol et al. 2021.
    """

    gamma: float = 0.25
    stabiliser: float = 0.0
    fixed_sign: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_size(self, "gamma")
        _check_size(self, "stabiliser")

    def shares(self, step: Outputs) -> Shares:
        z, bias = step.outputs, step.bias
        up, down = self.gamma * (z > 0).to(z.dtype), self.gamma * (z < 0).to(z.dtype)
        favoured = up * bias.clamp(min=0) + down * bias.clamp(max=0)
        denominator = z + up * step.total(Part.POSITIVE) + down * step.total(Part.NEGATIVE) + favoured
        divided = _divide(denominator, self.stabiliser, nothing=z == 0)
        flows = (
            Flow(Part.PRODUCT, divided.inverse),
            Flow(Part.POSITIVE, up * divided.inverse),
            Flow(Part.NEGATIVE, down * divided.inverse),
        )
        return Shares(flows, divided.absorbed | {"bias": (bias + favoured) * divided.inverse})


@dataclass(frozen=True, slots=True)
class AlphaBeta:
    """LRP-alpha-beta: share_j = α (a_j w_j)⁺ / (P + b⁺) - β (a_j w_j)⁻ / (N + b⁻), with α - β = 1.

    P and N are the sums of the positive and of the negative products. The bias absorbs α b⁺ / (P + b⁺) -
    β b⁻ / (N + b⁻); with ``bias="ignore"`` (iNNvestigate's ``IB``) b is left out everywhere. A side with nothing in
    it absorbs its α or -β as ``empty``: an output whose inputs all agree in sign conserves only through that entry.
    It applies to word vectors; α = 2, β = 1 doubles contradictions, so relevance of one layer may exceed its score.
    Captum's Alpha1_Beta0_Rule does not split negative inputs and leaves the bias as it is: it is AlphaBeta(1, 0) on
    inputs >= 0 without bias, with stabiliser 1e-9. Source: Bach et al. 2015, eq. 60.
    """

    alpha: float = 2.0
    beta: float = 1.0
    bias: Literal["absorb", "ignore"] = "absorb"
    stabiliser: float = 0.0
    fixed_sign: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "stabiliser"):
            _check_size(self, name)
        _check_choice(self, "bias", ("absorb", "ignore"))
        if abs(self.alpha - self.beta - 1) > 1e-12 * max(1.0, self.alpha):
            raise RuleError(
                f"alpha={self.alpha!r}, beta={self.beta!r} came; alpha - beta = 1 is wanted, such as AlphaBeta(2, 1)."
            )

    def shares(self, step: Outputs) -> Shares:
        bias = step.bias if self.bias == "absorb" else torch.zeros_like(step.bias)
        for_it, flows = self._side(step, Part.POSITIVE, self.alpha, bias.clamp(min=0))
        if not self.beta:
            return Shares((flows,), for_it)
        against, counter = self._side(step, Part.NEGATIVE, -self.beta, bias.clamp(max=0))
        return Shares((flows, counter), {cause: part + against[cause] for cause, part in for_it.items()})

    def _side(self, step: Outputs, part: Part, weight: float, bias: Tensor) -> tuple[dict[str, Tensor], Flow]:
        divided = _divide(step.total(part) + bias, self.stabiliser, like=step.outputs)
        absorbed = divided.absorbed | {"bias": bias * divided.inverse}
        return {cause: weight * share for cause, share in absorbed.items()}, Flow(part, weight * divided.inverse)


@dataclass(frozen=True, slots=True)
class ZPlus:
    """LRP-z⁺: share_j = (a_j w_j)⁺ / sum_j (a_j w_j)⁺.

    Conserves exactly and ignores the bias: the form of Deep Taylor decomposition. An output with no positive product
    absorbs all as ``empty``. It shows only what speaks for a class; on word vectors it applies, with the positive
    products taken over both signs of the input. Zennit's ZPlus keeps b⁺ unless ``zero_params='bias'``.
    Source: Montavon et al. 2017 (Deep Taylor), section 4.2.
    """

    stabiliser: float = 0.0
    fixed_sign: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_size(self, "stabiliser")

    def shares(self, step: Outputs) -> Shares:
        return _one_part(step, Part.POSITIVE, self.stabiliser)


@dataclass(frozen=True, slots=True)
class WSquare:
    """LRP-w²: share_j = w_j² / sum_j w_j².

    Conserves exactly and ignores both the input and the bias: it says which weights are large, not which words
    were read, so on word vectors it is meant for the first layer alone. What it sends to unknown words or padding is
    ``unread``. Zennit's WSquare keeps b² unless ``zero_params='bias'``. Source: Montavon et al. 2017, section 4.1.
    """

    stabiliser: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "WSquare at the input was made for pixels: it shares by the size of the weights, whichever words were read."
    )

    def __post_init__(self) -> None:
        _check_size(self, "stabiliser")

    def shares(self, step: Outputs) -> Shares:
        return _one_part(step, Part.SQUARE, self.stabiliser)


@dataclass(frozen=True, slots=True)
class Flat:
    """LRP-flat: share_j = 1 / (number of inputs).

    Conserves exactly. It erases the differences between the words of a window, so on text it makes sense only at the
    first layer, to show where a filter looked. What it sends to unknown words or padding is ``unread``.
    Source: Lapuschkin et al. 2019.
    """

    stabiliser: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "Flat at the input was made for pixels: it shares equally, so every word of a window gets the same share."
    )

    def __post_init__(self) -> None:
        _check_size(self, "stabiliser")

    def shares(self, step: Outputs) -> Shares:
        return _one_part(step, Part.EVEN, self.stabiliser)


@dataclass(frozen=True, slots=True)
class ZBox:
    """LRP-z^B: share_j = [a_j w_j - l_j w_j⁺ - h_j w_j⁻] / sum_j of the same, for inputs in [l_j, h_j].

    Conserves exactly and ignores the bias. It is for the layer that reads the input. ``low`` and ``high`` are None
    (the model's own bounds: the smallest and largest value of each dimension of the word vectors, 0 included; [0, 1]
    for TF-IDF) or one number each, low <= 0 <= high. Word vectors have no bounds of their own, so on them it measures
    against the most extreme word in each dimension. Source: Montavon et al. 2017, section 4.3.

    Raises :class:`RuleError` where a layer's inputs have no known bounds.
    """

    low: float | None = None
    high: float | None = None
    stabiliser: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "ZBox at the input was made for pixels: it compares each word with the extreme values that the inputs can "
        "take, which mean little for word vectors."
    )

    def __post_init__(self) -> None:
        _check_size(self, "stabiliser")
        if (self.low is None) != (self.high is None):
            raise RuleError(f"{self!r} came; give low and high together, or neither for the model's own bounds.")
        if self.low is not None and self.high is not None:
            finite = _is_number(self.low) and _is_number(self.high)
            if not (finite and self.low <= 0 <= self.high and self.low < self.high):
                raise RuleError(f"{self!r} came; finite low <= 0 <= high are wanted, such as ZBox(-1.0, 1.0).")

    def shares(self, step: Outputs) -> Shares:
        return _one_part(step, self._box(step), self.stabiliser)

    def _box(self, step: Outputs) -> Box:
        if self.low is not None and self.high is not None:
            return Box(step.outputs.new_tensor(self.low), step.outputs.new_tensor(self.high))
        if step.bounds is None:
            raise RuleError(
                f"ZBox needs to know between which bounds the inputs of layer {step.name!r} lie, and only word "
                "vectors and TF-IDF have known ones, for a dense layer or a convolution that reads them; name the "
                "bounds, ZBox(low=..., high=...), or give this layer another rule."
            )
        return step.bounds


RULES: tuple[type[Any], ...] = (Zero, Epsilon, Gamma, AlphaBeta, ZPlus, WSquare, Flat, ZBox)
"""Every rule there is."""


# ---- what they are made of


class _Divided(NamedTuple):
    """1 / denominator (0 where that is empty), and what is absorbed of it: stabiliser, empty."""

    inverse: Tensor
    absorbed: dict[str, Tensor]


def _divide(
    denominator: Tensor, stabiliser: float, *, nothing: Tensor | None = None, like: Tensor | None = None
) -> _Divided:
    """Divide by a stabilised denominator; all is ``empty`` where it is zero or ``nothing`` is True.

    The result has the shape of ``like`` where that is given.
    """
    if like is not None:
        denominator = denominator.expand_as(like)
    size = denominator.new_tensor(stabiliser)  # two plain numbers in torch.where would make it float32
    added = torch.copysign(size, denominator + 0.0)  # -0.0 + 0.0 is 0.0, and 0 counts as positive
    stabilised = denominator + added
    tiny = torch.finfo(stabilised.dtype).tiny  # the inverse of anything smaller may be infinite
    if nothing is None and stabiliser >= tiny:  # no stabilised denominator is smaller than the stabilizer
        inverse = stabilised.reciprocal()
        return _Divided(inverse, {"stabiliser": added * inverse})
    empty = stabilised.abs() < tiny
    if nothing is not None:
        empty = empty | nothing
    inverse = torch.where(empty, 0, 1 / torch.where(empty, 1, stabilised))
    return _Divided(inverse, {"empty": empty.to(inverse.dtype), "stabiliser": added * inverse})


def _products(step: Outputs, *, stabiliser: float, spread: bool) -> Shares:
    """The shares of Zero and Epsilon: numerators a_j w_j, b and ε sign z over z + ε sign z."""
    divided = _divide(step.outputs, stabiliser)
    absorbed = divided.absorbed | {"bias": step.bias * divided.inverse}
    products = Flow(Part.PRODUCT, divided.inverse)
    if not spread:
        return Shares((products,), absorbed)
    inputs = step.total(Part.EVEN)
    alone = inputs == 0
    handed_on = absorbed["bias"] + absorbed["stabiliser"]
    even = Flow(Part.EVEN, torch.where(alone, 0, handed_on / inputs.clamp(min=1)))
    return Shares((products, even), absorbed | {cause: absorbed[cause] * alone for cause in ("bias", "stabiliser")})


def _one_part(step: Outputs, part: Part | Box, stabiliser: float) -> Shares:
    """The shares of the rules that divide one part by its own sum."""
    divided = _divide(step.total(part), stabiliser, like=step.outputs)
    return Shares((Flow(part, divided.inverse),), divided.absorbed)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_size(rule: Any, name: str) -> None:
    """Raise :class:`RuleError` unless this field is a finite number >= 0."""
    value = getattr(rule, name)
    if not (_is_number(value) and value >= 0):
        usual = type(rule).__dataclass_fields__[name].default
        raise RuleError(
            f"{name}={value!r} came; a finite number >= 0 is wanted, such as {type(rule).__name__}({name}={usual!r})."
        )


def _check_choice(rule: Any, name: str, choices: tuple[str, ...]) -> None:
    """Raise :class:`RuleError` unless this field is one of these."""
    if getattr(rule, name) not in choices:
        raise RuleError(f"{name}={getattr(rule, name)!r} came; {' or '.join(map(repr, choices))} is wanted.")
