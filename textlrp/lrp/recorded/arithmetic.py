"""What products, sums and differences mean for relevance: of two values, or of one and a constant."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from textlrp.lrp.recorded.calls import Call, register
from textlrp.lrp.recorded.steps import Fold

_WHICH_GATE = (
    "it multiplies two values that both depend on the words, and which of them is the gate is not clear (a gate "
    "comes from a sigmoid or softmax)."
)


def _pair(call: Call) -> tuple[Any, Any]:
    left, right = call.argument(0, "input"), call.argument(1, "other")
    return (right, left) if call.operation in ("radd", "rsub", "rmul", "rdiv", "rtruediv") else (left, right)


@register("add", "radd", "sub", "subtract", "rsub")
def _(call: Call) -> None:
    left, right = _pair(call)
    alpha = float(call.kwargs.get("alpha", 1))
    factor = -alpha if call.operation in ("sub", "subtract", "rsub") else alpha  # of the right one
    if call.tracks(left) and call.tracks(right):
        return call.sums([left, right], [1, factor])
    source, constant = (left, right) if call.tracks(left) else (right, left)
    one = torch.as_tensor(call.numbers(constant), dtype=source.dtype).detach()
    bias = factor * one if source is left else one
    gated = call.gate(source)
    weight = source.new_tensor(1.0 if source is left else factor)
    shape = call.outputs[0].shape
    value = call.linear("sum", source, weight, lambda a, w: a.expand(shape) * w, bias=bias)
    if weight == 1 and source.shape == shape:
        call.recorder.folds[value] = Fold(None, bias)
    if gated:  # 1 - gate is a gate
        call.recorder.gates.add(value)
    return None


@register("mul", "rmul", "multiply", "div", "truediv", "divide", "true_divide", "rdiv", "rtruediv")
def _(call: Call) -> None:
    left, right = _pair(call)
    dividing = "div" in call.operation
    if call.tracks(left) and call.tracks(right):
        if dividing:
            raise call.refuse("it divides by a value that depends on the words.")
        if call.gate(left) == call.gate(right):
            call.stops(str(call.refuse(_WHICH_GATE)))
            return None
        gate, source = (left, right) if call.gate(left) else (right, left)
        return call.product(gate, source)
    source, constant = (left, right) if call.tracks(left) else (right, left)
    if dividing and source is right:
        raise call.refuse("it divides by a value that depends on the words.")
    factor = torch.as_tensor(call.numbers(constant))
    blocked = None if dividing or bool((factor != 0).all()) else (factor == 0).expand(call.outputs[0].shape)
    call.passes(blocked=blocked)
    return None


# ---- with matrices


@register("matmul", "mm", "bmm", "mv", "rmatmul")
def _(call: Call) -> None:
    left, right = (
        call.argument(0, "input"),
        call.argument(1, "other", call.kwargs.get("mat2", call.kwargs.get("vec"))),
    )
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


@register("einsum")
def _(call: Call) -> None:
    equation, *given = call.args
    operands = list(given[0]) if isinstance(given[0], (list, tuple)) else given
    if not isinstance(equation, str) or len(operands) != 2:
        raise call.refuse("only two operands are known.")
    gates = [call.gate(each) if call.tracks(each) else None for each in operands]
    if gates in ([True, True], [False, False]):
        call.stops(str(call.refuse(_WHICH_GATE)))
        return
    place = gates.index(False) if False in gates else gates.index(True)
    source, constant = operands[place], operands[1 - place]

    def apply(a: Tensor, w: Tensor) -> Tensor:
        result: Tensor = torch.einsum(equation, *((a, w) if place == 0 else (w, a)))
        return result

    call.linear("dense" if None in gates else "sum", source, call.numbers(constant), apply, layer=(constant,))
