"""Modified gradients of elementwise activations f: multipliers are multiplied by f(x) / x, with its limit at 0.

In relevance this is the identity rule: an activation passes relevance on unchanged.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from textlrp.lrp.gradients.gradient_tape import absorbed_constant
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, Key, RowMultipliers
from textlrp.lrp.recorded.roles import Role
from textlrp.lrp.recorded.watch import replayed


def activation_gradient(operation: Operation) -> Tensor:
    """An activation; in a product it gates a value, as in a gated layer."""
    result = _elementwise(operation)
    operation.follows(result, operation.tracked[0], at_least=Role.ACTIVATION)
    return result


def unchanged_gradient(operation: Operation) -> Tensor:
    """An elementwise operation that relevance passes through unchanged and that is no activation, as ``clamp``."""
    result = _elementwise(operation)
    operation.follows(result, operation.tracked[0])
    return result


def sigmoid_gradient(operation: Operation) -> Tensor:
    """A sigmoid: a gate, or the probability at the end of the module."""
    result = _elementwise(operation, squash=operation.ordinal)
    operation.set_role(result, Role.GATE)
    return result


def _elementwise(operation: Operation, squash: int | None = None) -> Tensor:
    inputs, result = operation.single(), operation.result()
    name, documents = operation.step_name(), operation.value(inputs).documents
    ratio, of_nothing = _output_per_input(operation, inputs, result)

    def absorbed(multipliers: Tensor | RowMultipliers) -> dict[Key, Tensor]:
        return {} if of_nothing is None else absorbed_constant((name, "empty"), multipliers, of_nothing, documents)

    def rows(multipliers: RowMultipliers) -> Backward:
        if multipliers.position is None:
            return Backward((multipliers.base * (multipliers.scale * ratio),), absorbed(multipliers))
        part = multipliers._replace(base=multipliers.base * multipliers.of_rows(ratio))
        return Backward((part,), absorbed(multipliers))

    return operation.put(
        result,
        [inputs],
        lambda multipliers: Backward((multipliers * ratio,), absorbed(multipliers)),
        documents=documents,
        rows=rows if inputs.dim() > 1 else None,
        squash=squash,
    )


def _output_per_input(operation: Operation, inputs: Tensor, result: Tensor) -> tuple[Tensor, Tensor | None]:
    """f(x) / x, and f(0) where x is 0, which no input receives; None if that is 0 everywhere.

    Where x and f(0) are 0, the ratio is the derivative of f there, which is the limit of f(x) / x.
    """
    ratio = result / inputs
    if math.isfinite(ratio.sum()):  # no input is 0
        return ratio, None
    zero = inputs == 0
    with torch.enable_grad():
        point = torch.zeros_like(inputs).requires_grad_()
        at_zero = replayed(operation.function, operation.args, operation.kwargs, {id(inputs): point})
        (limit,) = torch.autograd.grad(at_zero.sum(), point)
    empty = zero & (result != 0)
    ratio = torch.where(zero, torch.where(empty, 0, limit), ratio)
    return ratio, torch.where(empty, result, 0) if bool(empty.any()) else None
