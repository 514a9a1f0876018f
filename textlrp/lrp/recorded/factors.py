"""The steps of products of two values that both depend on the words, and of a softmax between them.

Which factor receives the relevance is decided by a rule for products (:mod:`textlrp.lrp.product_rules`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from textlrp.errors import ModelError, RuleError, must_be
from textlrp.lrp.product_rules import Halves, SourceOnly, is_product_rule
from textlrp.lrp.recorded.steps import Applied, Bilinear, vector_jacobian_products
from textlrp.lrp.rules import Zero
from textlrp.lrp.shares import Rule, divide
from textlrp.lrp.trace_steps import Absorbed, Linear, sum_outputs


@dataclass(frozen=True, slots=True, eq=False)
class Multiplied:
    """A product of two values, element by element; ``source`` is 0 or 1, or None if neither factor is a gate.

    ``why`` is the message of the error if it is not known which factor receives the relevance.
    """

    name: str
    reads: tuple[str, str]
    writes: str
    source: int | None
    why: str
    kind: str = "product"
    ruled: ClassVar[bool] = True

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        _check_product_rule(self.name, rule)
        if isinstance(rule, Halves):
            return [relevance / 2, relevance / 2], {}
        nothing = torch.zeros_like(relevance)
        if self.source is None:
            if relevance.any():
                raise ModelError(self.why)
            return [nothing, nothing], {}
        return ([nothing, relevance] if self.source == 1 else [relevance, nothing]), {}


@dataclass(frozen=True, slots=True, eq=False)
class MultipliedMatrices:
    """A sum of products of two values, z = apply(left, right), such as attention weights @ values.

    By :class:`.Halves`, LRP-0 distributes relevance among the products, and each of their factors receives half. By
    any other rule the factor ``source`` (0 or 1) receives all: the other one is a constant weight. ``source`` is
    None if neither factor is a gate, and ``why`` the message of the error in this case.
    """

    name: str
    kind: str
    reads: tuple[str, str]
    writes: str
    factors: tuple[Tensor, Tensor]
    apply: Bilinear
    outputs: Tensor
    source: int | None
    why: str
    ruled: ClassVar[bool] = True

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        if isinstance(rule, Halves):
            return self._halves(relevance)
        received = [relevance.new_zeros((*relevance.shape[:2], *factor.shape)) for factor in self.factors]
        if self.source is None:
            _check_product_rule(self.name, rule)
            if relevance.any():
                raise ModelError(self.why)
            return received, {}
        linear = self._weighted_by_gate(self.source)
        (received[self.source],), absorbed = linear.back(relevance, Zero() if isinstance(rule, SourceOnly) else rule)
        return received, absorbed

    @torch.enable_grad()
    def _halves(self, relevance: Tensor) -> tuple[Sequence[Tensor], Absorbed]:
        # in the dtype of the relevance, because a module may multiply in a lower precision
        leaves = [factor.detach().to(relevance.dtype).requires_grad_() for factor in self.factors]
        outputs = self.apply(*leaves)
        divided = divide(outputs.detach(), stabilizer=0.0)
        gradients = vector_jacobian_products(outputs, leaves, relevance * divided.inverse)
        absorbed = {cause: sum_outputs(relevance * share) for cause, share in divided.absorbed.items()}
        return [leaf.detach() / 2 * gradient for leaf, gradient in zip(leaves, gradients, strict=True)], absorbed

    def _weighted_by_gate(self, source: int) -> Linear:
        """The same operation as a linear step from the source alone."""

        def apply(inputs: Tensor, weight: Tensor) -> Tensor:
            return self.apply(inputs, weight) if source == 0 else self.apply(weight, inputs)

        mapped = Applied(self.factors[source], self.factors[1 - source], apply)
        return Linear(self.name, "sum", ("",), "", mapped, self.outputs.new_zeros(1), self.outputs[None])


@dataclass(frozen=True, slots=True, eq=False)
class Softmax:
    """s = softmax(x) along ``axis`` (counted from the end): by :class:`.Halves` the Taylor expansion at x.

    x_i receives x_i (R_i - s_i sum_j R_j), and the constant term of the expansion absorbs the rest (cause
    ``softmax``). Where s_i is 0 or x_i is the smallest number, as at a mask, x_i counts as 0. By :class:`.SourceOnly`
    a softmax receives no relevance; ``why`` is the message of the error if it does. Source: Achtibat et al. 2024
    (arXiv 2402.05602), proposition 3.1.
    """

    name: str
    reads: tuple[str]
    writes: str
    inputs: Tensor
    outputs: Tensor
    axis: int
    why: str
    kind: str = "product"
    ruled: ClassVar[bool] = True

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        _check_product_rule(self.name, rule)
        if not isinstance(rule, Halves):
            if relevance.any():
                raise ModelError(self.why)
            return [torch.zeros_like(relevance)], {}
        outputs = self.outputs.to(relevance.dtype)
        inputs = torch.where(masked(outputs, self.inputs), 0, self.inputs.to(relevance.dtype))
        total = relevance.sum(dim=self.axis, keepdim=True)
        average = (outputs * inputs).sum(dim=self.axis, keepdim=True)
        constant = relevance * (1 - inputs + average)
        return [inputs * (relevance - outputs * total)], {"softmax": sum_outputs(constant)}


def masked(weights: Tensor, scores: Tensor) -> Tensor:
    """Whether each entry of a softmax is masked: its weight is 0, or its score is about the smallest number."""
    return (weights == 0) | (scores <= torch.finfo(scores.dtype).min / 2)


def _check_product_rule(name: str, rule: Rule) -> None:
    if not is_product_rule(rule):
        raise RuleError(
            must_be(f"the rule of layer {name!r}", "one for products", rule, "Pass SourceOnly() or Halves().")
        )
