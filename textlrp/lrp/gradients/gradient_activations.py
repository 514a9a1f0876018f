"""Modified gradients of elementwise activations f: multipliers are multiplied by f(x) / x, with its limit at 0.

In relevance this is the identity rule: an activation passes relevance on unchanged.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, Rows
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


def sigmoid(operation: Operation) -> Tensor:
    """A sigmoid: a gate, or the probability at the end of the module."""
    result = _elementwise(operation, squash=operation.ordinal)
    operation.set_role(result, Role.GATE)
    return result


def _elementwise(operation: Operation, squash: int | None = None) -> Tensor:
    inputs, result = operation.single(), operation.result()
    operation.step_name()
    ratio = _ratio(operation, inputs, result)

    def rows(multipliers: Rows) -> Backward:
        if multipliers.position is None:
            return Backward((multipliers.base * (multipliers.scale * ratio),))
        return Backward((multipliers._replace(base=multipliers.base * multipliers.of_rows(ratio)),))

    return operation.put(
        result,
        [inputs],
        lambda multipliers: Backward((multipliers * ratio,)),
        documents=operation.value(inputs).documents,
        rows=rows if inputs.dim() > 1 else None,
        squash=squash,
    )


def _ratio(operation: Operation, inputs: Tensor, result: Tensor) -> Tensor:
    """f(x) / x; at 0 the derivative of f there, which is the limit of f(x) / x if f(0) = 0."""
    ratio = result / inputs
    if not bool(torch.isnan(ratio.sum())):  # 0 / 0 occurs nowhere
        return ratio
    with torch.enable_grad():
        point = torch.zeros_like(inputs).requires_grad_()
        at_zero = replayed(operation.function, operation.args, operation.kwargs, {id(inputs): point})
        (limit,) = torch.autograd.grad(at_zero.sum(), point)
    return torch.where(inputs == 0, limit, ratio)
