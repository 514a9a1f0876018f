"""Handlers of sums, differences, averages and embedding bags."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.products import REFLECTED, operands
from textlrp.lrp.recorded.roles import Role
from textlrp.lrp.recorded.steps import Fold
from textlrp.lrp.recorded.watch import weighted_sum


def addition(call: Call) -> None:
    """A sum or difference of two values, or of a value and a constant, which is a bias."""
    left, right = operands(call)
    alpha = float(call.kwargs.get("alpha", 1))
    factor = -alpha if call.operation in ("sub", "subtract", "rsub") else alpha  # the factor of the right operand
    if call.tracks(left) and call.tracks(right):
        call.sums([left, right], [1, factor])
        return
    source, constant = (left, right) if call.tracks(left) else (right, left)
    one = torch.as_tensor(call.numbers(constant), dtype=source.dtype).detach()
    if not one.isfinite().all():
        call.expands(_masked(call, factor))
        return
    terms = call.trace.constants.terms(constant)
    if len(terms) > 1 and factor == 1:
        call.expands(_one_by_one(call, [term.values for term in terms]))
        return
    bias = factor * one if source is left else one
    weight = source.new_tensor(1.0 if source is left else factor)
    shape = call.outputs[0].shape
    value = call.linear("sum", source, weight, lambda a, w: a.expand(shape) * w, bias=bias)
    if len(terms) == 1:
        call.trace.name_bias(terms[0].step, terms[0].cause)
    elif weight == 1 and source.shape == shape:
        call.trace.folds[value] = Fold(None, bias)
    call.trace.roles.follows(value, [call.names[id(source)]])  # 1 - gate is a gate


def _one_by_one(call: Call, terms: Sequence[Tensor]) -> Callable[..., Tensor]:
    """A sum of a value and of the terms of a constant, added one after the other."""

    def added(first: Tensor, second: Tensor, **_: float) -> Tensor:
        total = first if call.tracks(call.argument(0, "input")) else second
        for term in terms:
            total = total + term
        return total

    return added


def _masked(call: Call, factor: float) -> Callable[..., Tensor]:
    """A sum or difference with infinite entries of a constant, as in a mask, put in place of those of the value."""

    def masked(first: Tensor, second: Tensor, **_: float) -> Tensor:
        left, right = (second, first) if call.operation in REFLECTED else (first, second)
        source, constant = (left, right * factor) if call.tracks(operands(call)[0]) else (right, left)
        source = source * factor if source is right and factor != 1 else source
        finite = constant.isfinite()
        return torch.where(finite, source + torch.where(finite, constant, 0), constant)

    return masked


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
    value = call.linear(kind, inputs, weight, lambda a, w: (a * w).sum(dim=axes, keepdim=keep))
    if call.role(inputs) == Role.LENGTH:  # the mean of squares
        call.trace.roles.set(value, Role.LENGTH)


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
