"""What each torch operation means for relevance: one small function per operation, in one table.

An operation that is not here stops the recording with its name and place. To teach one, decorate a function with
:func:`textlrp.register`; it gets a :class:`.Call` and says what happens, mostly in one word::

    @textlrp.register(torch.special.erf)
    def _(call):
        call.passes()          # an activation: relevance passes through

    @textlrp.register(torch.cumsum)
    def _(call):               # a linear operation: give it as apply(input, weight)
        call.linear("sum", call.argument(0, "input"), torch.ones(()),
                    lambda a, w: torch.cumsum(a * w, dim=call.argument(1, "dim")))
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from textlrp.lrp.recorded.calls import Call, register
from textlrp.lrp.recorded.randomness import names
from textlrp.lrp.recorded.steps import Fold
from textlrp.lrp.recorded.watch import MOVES, weighted_sum


@register(
    *names(
        "relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish softplus tanh tanhshrink softsign hardtanh "
        "hardswish threshold clamp clamp_min clip neg negative positive dropout alpha_dropout feature_dropout "
        "feature_alpha_dropout dropout1d dropout2d contiguous clone to float double type type_as "
        "requires_grad alias identity"
    )
)
def _(call: Call) -> None:
    call.passes()


@register("detach", "data")
def _(call: Call) -> None:
    """What a module cuts off from its gradient is a constant for relevance too."""


@register("sigmoid", "hardsigmoid", "logsigmoid")
def _(call: Call) -> None:
    value = call.passes()
    call.recorder.squash(value, call.operation)


@register("softmax", "log_softmax", "softmin")
def _(call: Call) -> None:
    where = call.recorder.place(call.operation)
    value = call.stops(
        f"relevance came to {where}, which shares a whole out among its inputs and has no rule; it may only stand at "
        "the end or weigh other values (attention)."
    )
    call.recorder.squash(value, call.operation)


@register(*MOVES)
@register(
    *names(
        "max_pool1d max_pool2d max_pool1d_with_indices max_pool2d_with_indices adaptive_max_pool1d "
        "adaptive_max_pool2d adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices amax amin topk sort"
    )
)
def _(call: Call) -> None:
    call.moves()


@register("max", "min", "maximum", "minimum", "fmax", "fmin")
def _(call: Call) -> None:
    other = call.argument(1, "other")
    if isinstance(other, Tensor) and len(call.tracked) == 1:  # as a ReLU is the larger of x and 0
        call.passes()
    else:
        call.moves()


@register("setitem")
def _(call: Call) -> None:
    def put(target: Tensor, index: Any, value: Any) -> Tensor:
        filled = target.clone()
        filled[index] = value
        return filled

    call.moves(into=call.args[0], like=put)


@register("glu")
def _(call: Call) -> None:
    """a × sigmoid(b) of two halves (a, b): the source takes all."""
    call.moves(like=lambda a, dim=-1: a.chunk(2, dim)[0])


# ---- layers with weights


@register("linear")
def _(call: Call) -> None:
    inputs, weight, bias = call.argument(0, "input"), call.argument(1, "weight"), call.argument(2, "bias")
    if call.tracks(weight) or call.tracks(bias):
        raise call.refuse("its weights depend on the words.")
    value = call.linear("dense", inputs, weight, F.linear, bias=bias, layer=(weight, bias))
    if call.outputs[0].dim() == 2:
        call.recorder.scalable.add(value)


@register("conv1d", "conv2d")
def _(call: Call) -> None:
    inputs, weight, bias = call.argument(0, "input"), call.argument(1, "weight"), call.argument(2, "bias")
    if call.tracks(weight):
        raise call.refuse("its weights depend on the words.")
    options = (call.argument(3, "stride", 1), call.argument(4, "padding", 0), call.argument(5, "dilation", 1),
               call.argument(6, "groups", 1))  # fmt: skip
    convolve = getattr(torch, call.operation)

    def apply(a: Tensor, w: Tensor) -> Tensor:
        result: Tensor = convolve(a, w, None, *options)
        return result

    shaped = None if bias is None else bias.reshape(-1, *(1 for _ in weight.shape[2:]))
    value = call.linear("convolution", inputs, weight, apply, bias=shaped, layer=(weight, bias))
    if inputs.dim() == weight.dim():
        call.recorder.scalable.add(value)


@register("addmm")
def _(call: Call) -> None:
    bias, inputs, weight = call.argument(0, "input"), call.argument(1, "mat1"), call.argument(2, "mat2")
    plain = call.kwargs.get("beta", 1) == 1 == call.kwargs.get("alpha", 1)
    if call.tracks(weight) or call.tracks(bias) or not plain:
        raise call.refuse("only bias + words @ weights is known.")
    call.linear("dense", inputs, weight, torch.matmul, bias=bias, layer=(weight, bias))


@register("batch_norm")
def _(call: Call) -> None:
    inputs, mean, variance = (
        call.argument(0, "input"),
        call.argument(1, "running_mean"),
        call.argument(2, "running_var"),
    )
    weight, bias, training = call.argument(3, "weight"), call.argument(4, "bias"), call.argument(5, "training", False)
    if mean is None or variance is None or training is True:
        raise call.refuse("it normalises by the batch itself; only running statistics are known.")
    scale = (variance + call.argument(7, "eps", 1e-5)).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (-1, *(1 for _ in inputs.shape[2:]))
    value = call.linear(
        "norm", inputs, scale.reshape(shape), torch.mul, bias=shift.reshape(shape), layer=(mean, weight)
    )
    call.recorder.folds[value] = Fold(scale.detach(), shift.reshape(shape).detach())


@register("layer_norm")
def _(call: Call) -> None:
    inputs, over = call.argument(0, "input"), call.argument(1, "normalized_shape")
    weight, bias, eps = call.argument(2, "weight"), call.argument(3, "bias"), call.argument(4, "eps", 1e-5)
    numbers, axes = call.numbers(inputs), len(over)
    deviation = (numbers.flatten(-axes).var(dim=-1, unbiased=False) + eps).rsqrt()
    size = numbers.flatten(-axes).shape[-1]
    centring = torch.eye(size, dtype=numbers.dtype) - 1 / size
    if weight is not None:
        centring = centring * weight.reshape(-1)
    call.linear(
        "norm",
        inputs,
        centring,
        lambda a, w: (a.flatten(-axes) @ w).reshape(a.shape),
        bias=bias,
        layer=(weight, bias),
        scale=deviation.reshape(*deviation.shape, *(1 for _ in over)),
    )


# ---- averages and sums


@register("mean", "sum", "nanmean", "nansum")
def _(call: Call) -> None:
    inputs, axes = call.argument(0, "input"), call.argument(1, "dim", call.kwargs.get("axis"))
    if axes is None or axes == ():
        axes = tuple(range(inputs.dim()))
    kind = call.operation.removeprefix("nan")
    count = inputs.numel() // max(1, call.outputs[0].numel())
    keep = call.argument(2, "keepdim", False)
    weight = torch.full_like(call.numbers(inputs), 1 / count if kind == "mean" else 1.0)
    call.linear(kind, inputs, weight, lambda a, w: (a * w).sum(dim=axes, keepdim=keep))


@register("avg_pool1d", "adaptive_avg_pool1d")
def _(call: Call) -> None:
    inputs = call.argument(0, "input")
    length = inputs.shape[-1]
    units = torch.eye(length, dtype=inputs.dtype)[None]  # what each place gives to each window
    weight = call.function(units, *call.args[1:], **{k: v for k, v in call.kwargs.items() if k != "input"})[0]
    call.linear("mean", inputs, weight, torch.matmul, connected=(weight != 0).to(weight.dtype))


@register("avg_pool2d", "adaptive_avg_pool2d")
def _(call: Call) -> None:
    inputs = call.argument(0, "input")
    options = {name: value for name, value in call.kwargs.items() if name != "input"}
    weight = torch.ones_like(call.numbers(inputs))
    call.linear("mean", inputs, weight, lambda a, w: call.function(a * w, *call.args[1:], **options))


@register("bag")
def _(call: Call) -> None:
    vectors, lookups = call.args
    if lookups.offsets is not None and lookups.offsets.tolist() not in ([0], [0, lookups.ids.numel()]):
        raise call.refuse(
            f"its offsets {lookups.offsets.tolist()} do not make one bag of the text's {lookups.ids.numel()} ids. "
            "textlrp calls a module with the ids (1, T) of one text; if its forward takes offsets, explain a module "
            "around it whose forward(ids) calls it with ids.flatten() and torch.tensor([0])."
        )
    if lookups.mode == "max":
        return call.moves()
    weight = lookups.bag_weights().to(vectors.dtype)
    call.linear(
        "bag",
        vectors,
        weight,
        weighted_sum,
        layer=(lookups.table,),
        connected=(weight != 0).to(weight.dtype),
    )
    return None
