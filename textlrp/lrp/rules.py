"""The LRP rules: LRP-0, epsilon, gamma, alpha-beta, z⁺, w², flat and z^B.

Open this module to look up the formula and the source of a rule, or to add one. :mod:`textlrp.lrp.shares` defines
what a rule is and has the functions that the rules are built from.

Letters in the formulas: a_j is an input of an output neuron, w_j its weight, b the bias and z = sum_j a_j w_j + b.
Input j receives share_j × R of the relevance R of the output. (x)⁺ = max(x, 0) and (x)⁻ = min(x, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from textlrp.errors import RuleError
from textlrp.lrp.rule_options import check_choice, check_size, is_finite_number
from textlrp.lrp.shares import Box, Flow, Outputs, Part, Rule, Shares, divide, one_part, part_products

__all__ = ["AlphaBeta", "Epsilon", "Flat", "Gamma", "WSquare", "ZBox", "ZPlus", "Zero"]


def is_plain_share(rule: Rule) -> bool:
    """Whether a rule is LRP-0, or LRP-epsilon with a stabilizer so small that it only prevents division by zero."""
    small = Epsilon().epsilon
    return isinstance(rule, Zero) or (isinstance(rule, Epsilon) and rule.epsilon <= small and rule.bias == "absorb")


@dataclass(frozen=True, slots=True)
class Zero:
    """LRP-0: share_j = a_j w_j / z.

    The bias absorbs b / z; everything else is conserved. On nets of ReLU and max-pooling the relevance equals
    gradient × input (Shrikumar et al. 2016; Ancona et al. 2018). The rule applies to any layer of a text model, but
    is noisy where z is small: use it at the top layer. Source: Bach et al. 2015, eq. 56; Montavon et al. 2019,
    section 10.2.1.
    """

    fixed_sign: ClassVar[bool] = False

    def shares(self, step: Outputs) -> Shares:
        return part_products(step, stabilizer=0.0, spread=False)


@dataclass(frozen=True, slots=True)
class Epsilon:
    """LRP-epsilon: share_j = a_j w_j / (z + ε sign z), with sign 0 = +1.

    ``epsilon`` >= 0 keeps relevance from growing without bound where z is small. The stabilizer absorbs
    ε sign z / (z + ε sign z) of the relevance (cause ``stabilizer``) and the bias absorbs b / (z + ε sign z).

    With ``bias="spread"`` both amounts are distributed evenly over the inputs of the output, as in Arras et al. 2017
    (eqs. 5 and 6). Relevance is then conserved exactly, but words that contribute nothing to an output also receive
    some of its relevance. An output without any input absorbs both amounts all the same.

    The rule applies to any layer of a text model. Captum's EpsilonRule differs only in the sign of 0. Raises
    :class:`RuleError` if ``epsilon`` is negative or ``bias`` is unknown. Source: Bach et al. 2015, eq. 58.
    """

    epsilon: float = 1e-6
    bias: Literal["absorb", "spread"] = "absorb"
    fixed_sign: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_size(self, "epsilon")
        check_choice(self, "bias", ("absorb", "spread"))

    def shares(self, step: Outputs) -> Shares:
        return part_products(step, stabilizer=self.epsilon, spread=self.bias == "spread")


@dataclass(frozen=True, slots=True)
class Gamma:
    """Generalized LRP-gamma: products a_j w_j with the sign of the output z get weight 1 + γ, the others weight 1.

    Where z > 0, share_j = [a_j w_j + γ (a_j w_j)⁺] / [z + γ (sum_j (a_j w_j)⁺ + b⁺)]. Where z < 0, ⁻ takes the place
    of ⁺. An output of exactly 0 absorbs all its relevance (cause ``empty``). The bias absorbs b + γ b⁺ (or b + γ b⁻)
    over the denominator. ``gamma=0`` is LRP-0; for large ``gamma`` the rule approaches alpha1-beta0.

    The rule applies to word vectors, which have values of both signs, because it depends on the sign of the product.
    For inputs >= 0 it is the gamma rule of Montavon et al. 2019 (section 10.2.3). Captum's GammaRule does not
    separate negative inputs and does not treat the bias or z < 0. It is the same for inputs >= 0 without bias where
    z > 0, with stabilizer 1e-9. Source: Andéol et al. 2021.
    """

    gamma: float = 0.25
    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_size(self, "gamma")
        check_size(self, "stabilizer")

    def shares(self, step: Outputs) -> Shares:
        z, bias = step.outputs, step.bias
        # masks in the dtype of z: a float times a Boolean tensor is float32, also where z is float64
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
    β b⁻ / (N + b⁻). With ``bias="ignore"`` (``IB`` in iNNvestigate) b is left out of all terms. Where P + b⁺ or
    N + b⁻ is 0, the term absorbs its α or -β (cause ``empty``). An output whose products all have one sign therefore
    conserves relevance only together with that ledger entry.

    The rule applies to word vectors. Because α exceeds 1 for β > 0, the sum of the absolute relevance of a layer may
    exceed the absolute score. Captum's Alpha1_Beta0_Rule does not separate negative inputs and does not treat the
    bias. It equals AlphaBeta(1, 0) for inputs >= 0 without bias, with stabilizer 1e-9. Raises :class:`RuleError`
    unless α - β = 1 and both are >= 0. Source: Bach et al. 2015, eq. 60.
    """

    alpha: float = 2.0
    beta: float = 1.0
    bias: Literal["absorb", "ignore"] = "absorb"
    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "stabilizer"):
            check_size(self, name)
        check_choice(self, "bias", ("absorb", "ignore"))
        if abs(self.alpha - self.beta - 1) > 1e-12 * max(1.0, self.alpha):
            raise RuleError(
                f"alpha - beta must equal 1; got alpha={self.alpha!r}, beta={self.beta!r}. Try AlphaBeta(2, 1)."
            )

    def shares(self, step: Outputs) -> Shares:
        bias = step.bias if self.bias == "absorb" else torch.zeros_like(step.bias)
        positive, positive_absorbed = self._one_sign(step, Part.POSITIVE, self.alpha, bias.clamp(min=0))
        if not self.beta:  # the negative products are not needed, and may be expensive to compute
            return Shares((positive,), positive_absorbed)
        negative, negative_absorbed = self._one_sign(step, Part.NEGATIVE, -self.beta, bias.clamp(max=0))
        absorbed = {cause: entry + negative_absorbed[cause] for cause, entry in positive_absorbed.items()}
        return Shares((positive, negative), absorbed)

    def _one_sign(self, step: Outputs, part: Part, weight: float, bias: Tensor) -> tuple[Flow, dict[str, Tensor]]:
        # the total of a part may have fewer axes than the outputs; each output needs its own denominator
        divided = divide(step.total(part) + bias, self.stabilizer, like=step.outputs)
        absorbed = divided.absorbed | {"bias": bias * divided.inverse}
        return Flow(part, weight * divided.inverse), {cause: weight * share for cause, share in absorbed.items()}


@dataclass(frozen=True, slots=True)
class ZPlus:
    """LRP-z⁺: share_j = (a_j w_j)⁺ / sum_j (a_j w_j)⁺.

    Conserves relevance exactly and leaves out the bias, as Deep Taylor decomposition does. An output without a
    positive product absorbs all its relevance (cause ``empty``). The relevance shows only evidence that supports a
    class. The rule applies to word vectors: the products are positive where input and weight have the same sign,
    whichever sign that is. Zennit's ZPlus includes b⁺ unless ``zero_params='bias'``. Source: Montavon et al. 2017
    (Deep Taylor), section 4.2.
    """

    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_size(self, "stabilizer")

    def shares(self, step: Outputs) -> Shares:
        return one_part(step, Part.POSITIVE, self.stabilizer)


@dataclass(frozen=True, slots=True)
class WSquare:
    """LRP-w²: share_j = w_j² / sum_j w_j².

    Conserves relevance exactly. Depends neither on the inputs nor on the bias: the relevance shows which weights are
    large and not which words were read. Use it only at the first layer of a text model. Relevance that reaches
    unknown words or padding is absorbed (cause ``ignored``). Zennit's WSquare includes b² unless
    ``zero_params='bias'``.
    Source: Montavon et al. 2017, section 4.1.
    """

    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "WSquare at the input was made for pixels: the shares depend on the size of the weights alone, and not on "
        "which words were read."
    )

    def __post_init__(self) -> None:
        check_size(self, "stabilizer")

    def shares(self, step: Outputs) -> Shares:
        return one_part(step, Part.SQUARE, self.stabilizer)


@dataclass(frozen=True, slots=True)
class Flat:
    """LRP-flat: share_j = 1 / (number of inputs).

    Conserves relevance exactly. All words of a window receive the same share. Use it only at the first layer of a
    text model, to show which window activated a filter. Relevance that reaches unknown words or padding is absorbed
    (cause ``ignored``). Source: Lapuschkin et al. 2019.
    """

    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "Flat at the input was made for pixels: all words of a window receive the same share, whatever they mean."
    )

    def __post_init__(self) -> None:
        check_size(self, "stabilizer")

    def shares(self, step: Outputs) -> Shares:
        return one_part(step, Part.EVEN, self.stabilizer)


@dataclass(frozen=True, slots=True)
class ZBox:
    """LRP-z^B: share_j = [a_j w_j - l_j w_j⁺ - h_j w_j⁻] / sum_j of the same, for inputs in [l_j, h_j].

    Conserves relevance exactly and leaves out the bias. Use it at the layer that reads the input. ``low`` and
    ``high`` are one number each, low <= 0 <= high, or both None for the bounds of the model: the smallest and the
    largest value of each dimension of the word vectors, 0 included, or [0, 1] for TF-IDF. Word vectors have no
    natural bounds, so the rule compares each word with the most extreme value in each dimension.
    Source: Montavon et al. 2017, section 4.3.

    Raises :class:`RuleError` if only one bound is given, if not low <= 0 <= high (both finite), and during
    propagation if no bounds of the inputs of a layer are known.
    """

    low: float | None = None
    high: float | None = None
    stabilizer: float = 0.0
    fixed_sign: ClassVar[bool] = True
    on_text: ClassVar[str] = (
        "ZBox at the input was made for pixels: it compares each word with the smallest and largest possible input, "
        "which have little meaning for word vectors."
    )

    def __post_init__(self) -> None:
        check_size(self, "stabilizer")
        if (self.low is None) != (self.high is None):
            raise RuleError(
                f"low and high must both be numbers or both be None; got {self!r}. Pass both, such as "
                "ZBox(-1.0, 1.0), or neither to use the bounds of the model."
            )
        if self.low is not None and self.high is not None:
            finite = is_finite_number(self.low) and is_finite_number(self.high)
            if not (finite and self.low <= 0 <= self.high and self.low < self.high):
                raise RuleError(
                    f"low and high must be finite numbers with low <= 0 <= high and low < high; got {self!r}. "
                    "Try ZBox(-1.0, 1.0)."
                )

    def shares(self, step: Outputs) -> Shares:
        return one_part(step, self._box(step), self.stabilizer)

    def _box(self, step: Outputs) -> Box:
        if self.low is not None and self.high is not None:
            return Box(step.outputs.new_tensor(self.low), step.outputs.new_tensor(self.high))
        if step.bounds is None:
            raise RuleError(
                f"ZBox needs to know the smallest and the largest possible input of layer {step.name!r}. They are "
                "known only for a dense layer or a convolution that reads word vectors or TF-IDF values. Pass the "
                "bounds, ZBox(low=..., high=...), or give this layer another rule."
            )
        return step.bounds


RULES: tuple[type[Any], ...] = (Zero, Epsilon, Gamma, AlphaBeta, ZPlus, WSquare, Flat, ZBox)
"""All rules of this package."""
