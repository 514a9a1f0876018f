"""Handlers of layers that normalize: their statistics, lengths and deviations are constants (Ali et al. 2022)."""

from __future__ import annotations

import torch

from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.steps import Fold


def batch_norm(call: Call) -> None:
    """A diagonal linear step with the running statistics, folded into the weighted step before it if possible."""
    inputs = call.argument(0, "input")
    mean, variance = call.argument(1, "running_mean"), call.argument(2, "running_var")
    weight, bias, training = call.argument(3, "weight"), call.argument(4, "bias"), call.argument(5, "training", False)
    if mean is None or variance is None or training is True:
        raise call.refuse(
            "it normalizes by the statistics of the batch.",
            "Use running statistics: track_running_stats=True and eval mode.",
        )
    scale = (variance + call.argument(7, "eps", 1e-5)).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (-1, *(1 for _ in inputs.shape[2:]))
    value = call.linear(
        "norm", inputs, scale.reshape(shape), torch.mul, bias=shift.reshape(shape), layer=(mean, weight)
    )
    call.trace.folds[value] = Fold(scale.detach(), shift.reshape(shape).detach())


def layer_norm(call: Call) -> None:
    """Subtracting the mean is a linear step; the deviation is a constant (Ali et al. 2022, arXiv 2202.07304)."""
    inputs, over = call.argument(0, "input"), call.argument(1, "normalized_shape")
    weight, bias, eps = call.argument(2, "weight"), call.argument(3, "bias"), call.argument(4, "eps", 1e-5)
    numbers, axes = call.numbers(inputs), len(over)
    deviation = (numbers.flatten(-axes).var(dim=-1, unbiased=False) + eps).rsqrt()
    size = numbers.flatten(-axes).shape[-1]
    centering = torch.eye(size, dtype=numbers.dtype) - 1 / size
    if weight is not None:
        centering = centering * weight.reshape(-1)
    call.linear(
        "norm",
        inputs,
        centering,
        lambda a, w: (a.flatten(-axes) @ w).reshape(a.shape),
        bias=bias,
        layer=(weight, bias),
        scale=deviation.reshape(*deviation.shape, *(1 for _ in over)),
    )


def divided_by_length(call: Call) -> None:
    """``rms_norm`` and ``normalize``: each value is divided by a length, which is a constant."""
    weight = call.argument(2, "weight") if call.operation == "rms_norm" else None
    blocked = None if weight is None or bool((weight != 0).all()) else (weight == 0).expand(call.outputs[0].shape)
    call.passes(blocked=blocked)
