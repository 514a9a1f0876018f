"""The rules for products of two values that both depend on the words: attention, gates and gated layers.

All other rules distribute relevance among the inputs of a linear step. These two decide which factor of a product
receives it. They are placed at the kind ``"product"`` of a :class:`~textlrp.lrp.composite.Composite`. Open this
module to see how relevance passes through attention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from textlrp.errors import RuleError
from textlrp.lrp.shares import Outputs

__all__ = ["Halves", "SourceOnly"]


@dataclass(frozen=True, slots=True)
class SourceOnly:
    """Products of a gate and a source: the source receives all relevance, and the gate is a constant.

    Gates are attention weights (a softmax), the results of a sigmoid, the activation of a gated layer, and the length
    or deviation that a value is divided by. A softmax receives no relevance. In a product of two values where neither
    is a gate, propagation raises :class:`ModelError`: use :class:`Halves`. Sources: Arras et al. 2017 (arXiv
    1706.07206), section 3.2, for the gates of recurrent layers; Ali et al. 2022 (arXiv 2202.07304), section 3.2, for
    attention (CP-LRP).
    """

    fixed_sign: ClassVar[bool] = False

    def shares(self, step: Outputs) -> NoReturn:
        raise _not_a_product(self, step)


@dataclass(frozen=True, slots=True)
class Halves:
    """Products of two values: each factor receives half, and a softmax propagates by its Taylor expansion.

    For s = softmax(x) and relevance R of s, x_i receives x_i (R_i - s_i sum_j R_j). The constant term of the
    expansion absorbs sum_i R_i (1 - x_i + sum_j s_j x_j), cause ``softmax``. The result of a sigmoid, the length or
    deviation that a value is divided by, and a factor that is a function of the other one, as in x × sigmoid(x),
    are gates: the other factor receives all, as by :class:`SourceOnly`. Source: Achtibat et al. 2024 (arXiv
    2402.05602), propositions 3.1 (softmax) and 3.3 (products) and section 3.3 (AttnLRP).
    """

    fixed_sign: ClassVar[bool] = False

    def shares(self, step: Outputs) -> NoReturn:
        raise _not_a_product(self, step)


PRODUCT_RULES: tuple[type[Any], ...] = (SourceOnly, Halves)
"""The rules for products."""


def is_product_rule(rule: object) -> bool:
    """Whether a rule is one for products."""
    return isinstance(rule, PRODUCT_RULES)


def _not_a_product(rule: object, step: Outputs) -> RuleError:
    return RuleError(
        f"{rule!r} is for products of two values that depend on the words; layer {step.name!r} is not one. Place it "
        f"at the kind 'product': Composite({{'product': {rule!r}}}, default=Zero())."
    )
