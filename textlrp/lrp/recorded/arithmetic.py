"""Handlers of arithmetic operations: sums, differences, products, matrix products, averages and embedding bags."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.steps import Fold
from textlrp.lrp.recorded.watch import weighted_sum

_WHICH_GATE = (
    "it multiplies two values that both depend on the words, and it is not clear which of them is the gate (a gate "
    "is the result of a sigmoid or softmax)."
)
"""Of gate × source the source gets all relevance, so exactly one of two factors must be a gate."""


def _operands(call: Call) -> tuple[Any, Any]:
    """The left and the right operand; the reflected operators of Python have them in reverse order."""
    left, right = call.argument(0, "input"), call.argument(1, "other")
    return (right, left) if call.operation in ("radd", "rsub", "rmul", "rdiv", "rtruediv") else (left, right)


def addition(call: Call) -> None:
    """A sum or difference of two values, or of a value and a constant, which is a bias."""
    left, right = _operands(call)
    alpha = float(call.kwargs.get("alpha", 1))
    factor = -alpha if call.operation in ("sub", "subtract", "rsub") else alpha  # the factor of the right operand
    if call.tracks(left) and call.tracks(right):
        call.sums([left, right], [1, factor])
        return
    source, constant = (left, right) if call.tracks(left) else (right, left)
    one = torch.as_tensor(call.numbers(constant), dtype=source.dtype).detach()
    bias = factor * one if source is left else one
    gated = call.gate(source)
    weight = source.new_tensor(1.0 if source is left else factor)
    shape = call.outputs[0].shape
    value = call.linear("sum", source, weight, lambda a, w: a.expand(shape) * w, bias=bias)
    if weight == 1 and source.shape == shape:
        call.trace.folds[value] = Fold(None, bias)
    if gated:  # 1 - gate is a gate
        call.trace.gates.add(value)


def multiplication(call: Call) -> None:
    """Of gate × source the source gets all relevance; through a constant factor or divisor relevance passes."""
    left, right = _operands(call)
    dividing = "div" in call.operation
    if call.tracks(left) and call.tracks(right):
        if dividing:
            raise call.refuse("it divides by a value that depends on the words.")
        if call.gate(left) == call.gate(right):
            call.stops(str(call.refuse(_WHICH_GATE)))
        else:
            call.product(*((left, right) if call.gate(left) else (right, left)))
        return
    source, constant = (left, right) if call.tracks(left) else (right, left)
    if dividing and source is right:
        raise call.refuse("it divides by a value that depends on the words.")
    factor = torch.as_tensor(call.numbers(constant))
    blocked = None if dividing or bool((factor != 0).all()) else (factor == 0).expand(call.outputs[0].shape)
    call.passes(blocked=blocked)


# ---- with matrices


def matrix_product(call: Call) -> None:
    """A dense layer without bias, or a sum that is weighted by a gate (attention)."""
    left = call.argument(0, "input")
    right = call.argument(1, "other", call.kwargs.get("mat2", call.kwargs.get("vec")))
    if call.operation == "rmatmul":
        left, right = right, left
    if call.tracks(left) and call.tracks(right):
        if call.gate(left) == call.gate(right):
            call.stops(str(call.refuse(_WHICH_GATE)))
            return
        gate_left = call.gate(left)
        kind, constant = "sum", call.numbers(left if gate_left else right)
    else:
        gate_left = not call.tracks(left)
        kind, constant = "dense", left if gate_left else right
    if gate_left:
        call.linear(kind, right, constant, lambda a, w: w @ a, layer=(constant,))
    else:
        call.linear(kind, left, constant, torch.matmul, layer=(constant,))


def einsum(call: Call) -> None:
    """As :func:`matrix_product`, for ``einsum`` with two operands."""
    equation, *given = call.args
    operands = list(given[0]) if isinstance(given[0], (list, tuple)) else given
    if not isinstance(equation, str) or len(operands) != 2:
        raise call.refuse("only two operands are supported.")
    gates = [call.gate(each) if call.tracks(each) else None for each in operands]
    if gates in ([True, True], [False, False]):
        call.stops(str(call.refuse(_WHICH_GATE)))
        return
    position = gates.index(False) if False in gates else gates.index(True)
    source, constant = operands[position], operands[1 - position]

    def apply(a: Tensor, w: Tensor) -> Tensor:
        result: Tensor = torch.einsum(equation, *((a, w) if position == 0 else (w, a)))
        return result

    call.linear("dense" if None in gates else "sum", source, call.numbers(constant), apply, layer=(constant,))


# ---- averages and sums


def mean_or_sum(call: Call) -> None:
    """A mean or sum over some axes, or over all."""
    inputs, axes = call.argument(0, "input"), call.argument(1, "dim", call.kwargs.get("axis"))
    if axes is None or axes == ():
        axes = tuple(range(inputs.dim()))
    kind = call.operation.removeprefix("nan")
    count = inputs.numel() // max(1, call.outputs[0].numel())
    keep = call.argument(2, "keepdim", False)
    weight = torch.full_like(call.numbers(inputs), 1 / count if kind == "mean" else 1.0)
    call.linear(kind, inputs, weight, lambda a, w: (a * w).sum(dim=axes, keepdim=keep))


def average_pool_1d(call: Call) -> None:
    """Average pooling over one axis, as a matrix with the weight of each position in each window."""
    inputs = call.argument(0, "input")
    length = inputs.shape[-1]
    units = torch.eye(length, dtype=inputs.dtype)[None]
    weight = call.function(units, *call.args[1:], **{k: v for k, v in call.kwargs.items() if k != "input"})[0]
    call.linear("mean", inputs, weight, torch.matmul, connected=(weight != 0).to(weight.dtype))


def average_pool_2d(call: Call) -> None:
    """Average pooling over two axes."""
    inputs = call.argument(0, "input")
    options = {name: value for name, value in call.kwargs.items() if name != "input"}
    weight = torch.ones_like(call.numbers(inputs))
    call.linear("mean", inputs, weight, lambda a, w: call.function(a * w, *call.args[1:], **options))


def embedding_bag(call: Call) -> None:
    """The weighted sum, mean or maximum of the word vectors of a text."""
    lookups, vectors = call.args
    if lookups.offsets is not None and lookups.offsets.tolist() not in ([0], [0, lookups.ids.numel()]):
        raise call.refuse(
            f"offsets must be [0], one bag of all {lookups.ids.numel()} ids; got {lookups.offsets.tolist()}.",
            "textlrp calls a module with the ids (1, T) of one text. If your forward takes offsets, wrap it in a "
            "module whose forward(ids) calls it with ids.flatten() and torch.tensor([0]).",
        )
    if lookups.mode == "max":
        call.moves()
        return
    weight = lookups.bag_weights().to(vectors.dtype)
    connected = (weight != 0).to(weight.dtype)
    call.linear("bag", vectors, weight, weighted_sum, layer=(lookups.table,), connected=connected)
