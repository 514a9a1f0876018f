"""What a rule is: how it shares the relevance of an output among its inputs. Open it before ``rules.py``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from textlrp.errors import RuleError
from textlrp.lrp.shares import Box, Flow, Outputs, Part, Rule, Shares, divide, one_part, part_products

__all__ = ["AlphaBeta", "Epsilon", "Flat", "Gamma", "WSquare", "ZBox", "ZPlus", "Zero"]


def is_plain_share(rule: Rule) -> bool:
    """Whether a rule is LRP-0 but for a stabilizer that is there for the division alone."""
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
        return part_products(step, stabilizer=0.0, spread=False)


@dataclass(frozen=True, slots=True)
class Epsilon:
    """LRP-epsilon: share_j = a_j w_j / (z + ε sign z), with sign 0 = +1.

    ``epsilon`` >= 0 keeps small z from blowing up relevance; it absorbs ε sign z of the denominator (cause
    ``stabilizer``), the bias absorbs b. With ``bias="spread"`` both are instead spread evenly over the inputs of
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
        return part_products(step, stabilizer=self.epsilon, spread=self.bias == "spread")


@dataclass(frozen=True, slots=True)
class Gamma:
    """Generalized LRP-gamma: what agrees with the output in sign counts 1 + γ times.

    Where z > 0, share_j = [a_j w_j + γ (a_j w_j)⁺] / [z + γ (sum_j (a_j w_j)⁺ + b⁺)]; where z < 0 the same with ⁻ in
    place of ⁺; an output of exactly 0 gives nothing (``empty``). The bias absorbs b + γ b⁺ or b + γ b⁻ of the
    denominator. Large ``gamma`` leads toward alpha1beta0, 0 is LRP-0. It applies to word vectors, whose signs are
    mixed, because it looks at the sign of the product; for inputs >= 0 it is the gamma rule of Montavon et al. 2019
    (section 10.2.3). Captum's GammaRule neither splits negative inputs nor treats the bias or z < 0: it is the same
    on inputs >= 0 without bias where z > 0, with stabilizer 1e-9.
    Source: Andéol et al. 2021.
    """

    gamma: float = 0.25
    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_size(self, "gamma")
        _check_size(self, "stabilizer")

    def shares(self, step: Outputs) -> Shares:
        z, bias = step.outputs, step.bias
        up, down = self.gamma * (z > 0).to(z.dtype), self.gamma * (z < 0).to(z.dtype)
        favored = up * bias.clamp(min=0) + down * bias.clamp(max=0)
        denominator = z + up * step.total(Part.POSITIVE) + down * step.total(Part.NEGATIVE) + favored
        divided = divide(denominator, self.stabilizer, nothing=z == 0)
        flows = (
            Flow(Part.PRODUCT, divided.inverse),
            Flow(Part.POSITIVE, up * divided.inverse),
            Flow(Part.NEGATIVE, down * divided.inverse),
        )
        return Shares(flows, divided.absorbed | {"bias": (bias + favored) * divided.inverse})


@dataclass(frozen=True, slots=True)
class AlphaBeta:
    """LRP-alpha-beta: share_j = α (a_j w_j)⁺ / (P + b⁺) - β (a_j w_j)⁻ / (N + b⁻), with α - β = 1.

    P and N are the sums of the positive and of the negative products. The bias absorbs α b⁺ / (P + b⁺) -
    β b⁻ / (N + b⁻); with ``bias="ignore"`` (iNNvestigate's ``IB``) b is left out everywhere. A side with nothing in
    it absorbs its α or -β as ``empty``: an output whose inputs all agree in sign conserves only through that entry.
    It applies to word vectors; α = 2, β = 1 doubles contradictions, so relevance of one layer may exceed its score.
    Captum's Alpha1_Beta0_Rule does not split negative inputs and leaves the bias as it is: it is AlphaBeta(1, 0) on
    inputs >= 0 without bias, with stabilizer 1e-9. Source: Bach et al. 2015, eq. 60.
    """

    alpha: float = 2.0
    beta: float = 1.0
    bias: Literal["absorb", "ignore"] = "absorb"
    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "stabilizer"):
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
        divided = divide(step.total(part) + bias, self.stabilizer, like=step.outputs)
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

    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_size(self, "stabilizer")

    def shares(self, step: Outputs) -> Shares:
        return one_part(step, Part.POSITIVE, self.stabilizer)


@dataclass(frozen=True, slots=True)
class WSquare:
    """LRP-w²: share_j = w_j² / sum_j w_j².

    Conserves exactly and ignores both the input and the bias: it says which weights are large, not which words
    were read, so on word vectors it is meant for the first layer alone. What it sends to unknown words or padding is
    ``ignored``. Zennit's WSquare keeps b² unless ``zero_params='bias'``. Source: Montavon et al. 2017, section 4.1.
    """

    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "WSquare at the input was made for pixels: it shares by the size of the weights, whichever words were read."
    )

    def __post_init__(self) -> None:
        _check_size(self, "stabilizer")

    def shares(self, step: Outputs) -> Shares:
        return one_part(step, Part.SQUARE, self.stabilizer)


@dataclass(frozen=True, slots=True)
class Flat:
    """LRP-flat: share_j = 1 / (number of inputs).

    Conserves exactly. It erases the differences between the words of a window, so on text it makes sense only at the
    first layer, to show where a filter looked. What it sends to unknown words or padding is ``ignored``.
    Source: Lapuschkin et al. 2019.
    """

    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "Flat at the input was made for pixels: it shares equally, so every word of a window gets the same share."
    )

    def __post_init__(self) -> None:
        _check_size(self, "stabilizer")

    def shares(self, step: Outputs) -> Shares:
        return one_part(step, Part.EVEN, self.stabilizer)


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
    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "ZBox at the input was made for pixels: it compares each word with the extreme values that the inputs can "
        "take, which mean little for word vectors."
    )

    def __post_init__(self) -> None:
        _check_size(self, "stabilizer")
        if (self.low is None) != (self.high is None):
            raise RuleError(f"{self!r} came; give low and high together, or neither for the model's own bounds.")
        if self.low is not None and self.high is not None:
            finite = _is_number(self.low) and _is_number(self.high)
            if not (finite and self.low <= 0 <= self.high and self.low < self.high):
                raise RuleError(f"{self!r} came; finite low <= 0 <= high are wanted, such as ZBox(-1.0, 1.0).")

    def shares(self, step: Outputs) -> Shares:
        return one_part(step, self._box(step), self.stabilizer)

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
