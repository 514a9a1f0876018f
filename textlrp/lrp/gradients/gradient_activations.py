"""Modified gradients of elementwise activations f: the multiplier is multiplied by f(x) / x, with its limit at 0.

In relevance this is the identity rule: an activation passes relevance on unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, Kind
from textlrp.lrp.recorded.watch import replayed


def activation(operation: Operation) -> Tensor:
    """An elementwise activation of one value."""
    kind = Kind.BOUNDED if operation.name in ("tanh", "erf") else Kind.ACTIVATION
    return elementwise(operation, kind)


def sigmoid(operation: Operation) -> Tensor:
    """A sigmoid: an activation whose result is a gate, or the probability at the end of the module."""
    return elementwise(operation, Kind.GATE, squash=operation.squashes)


def elementwise(operation: Operation, kind: Kind, squash: int | None = None) -> Tensor:
    inputs = operation.single()
    value = operation.value(inputs)
    operation.tape.names.step_name(operation.name)
    result = operation.result()
    if value.kind in (Kind.GATE, Kind.BOUNDED, Kind.LENGTH):
        kind = value.kind
    known = _RATIOS.get(operation.name)
    ratio = known(operation, inputs) if known else _quotient(operation, inputs, result)
    return operation.put(
        result,
        [inputs],
        lambda gradient: Backward((gradient * ratio,)),
        documents=value.documents,
        kind=kind,
        squash=squash,
    )


def _gelu(operation: Operation, inputs: Tensor) -> Tensor:
    if operation.argument(1, "approximate", "none") == "tanh":
        inner = math.sqrt(2 / math.pi) * (inputs + 0.044715 * inputs.pow(3))
        return inner.tanh_().add_(1).mul_(0.5)
    return (inputs * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)


def _relu(operation: Operation, inputs: Tensor) -> Tensor:
    return (inputs > 0).to(inputs.dtype)


def _silu(operation: Operation, inputs: Tensor) -> Tensor:
    return inputs.sigmoid()


_RATIOS: dict[str, Callable[[Operation, Tensor], Tensor]] = {"gelu": _gelu, "relu": _relu, "silu": _silu}


def _quotient(operation: Operation, inputs: Tensor, result: Tensor) -> Tensor:
    """f(x) / x; at 0 the derivative of f, which is the limit if f(0) = 0."""
    zero = inputs == 0
    quotient = result / torch.where(zero, 1, inputs)
    if not bool(zero.any()):
        return quotient
    with torch.enable_grad():
        point = torch.zeros_like(inputs).requires_grad_()
        at_zero = replayed(operation.function, operation.args, operation.kwargs, {id(inputs): point})
        (limit,) = torch.autograd.grad(at_zero.sum(), point)
    return torch.where(zero, limit, quotient)
