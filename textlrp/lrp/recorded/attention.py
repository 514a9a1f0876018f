"""Handlers of attention: the softmax, and torch's attention function as the operations that it is made of.

Open this module if an attention function is refused or recorded incorrectly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.factors import Softmax


def softmax(call: Call) -> None:
    """Attention weights, or the probabilities at the end; a rule for products decides if relevance passes."""
    why = str(
        call.refuse(
            "it has no rule.",
            "A softmax may only be the last operation of the module, or weigh other values as a gate (attention). To "
            'propagate through it, pass rule="attnlrp".',
        )
    )
    axis = call.argument(1, "dim")
    if call.operation != "softmax" or axis is None:
        call.squashes(call.stops(why))
        return
    inputs, z = call.argument(0, "input"), call.outputs[0]
    name = call.trace.module_name() or call.trace.step_name("softmax")
    value = call.trace.write(z, "softmax")
    axis = axis if axis < 0 else axis - z.dim()
    call.trace.steps.append(
        Softmax(name, (call.names[id(inputs)],), value, call.numbers(inputs), z.detach().clone(), axis, why)
    )
    call.squashes(value)


def scaled_dot_product_attention(call: Call) -> None:
    """softmax(query key^T scale + mask) value, recorded as these operations."""
    if call.argument(4, "dropout_p", 0.0):
        raise call.refuse("its dropout_p is not 0.", "Pass dropout_p=0.0 in eval mode.")
    call.expands(_attention)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """(..., T, D), (..., S, D), (..., S, E) -> (..., T, E)."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scores = (query @ key.transpose(-2, -1)) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    return attention_weights(scores, attn_mask) @ value


def attention_weights(scores: Tensor, mask: Tensor | None) -> Tensor:
    """The softmax of masked scores; a row of which every score is masked gets weights of 0, as in torch."""
    if mask is None:
        return F.softmax(scores, dim=-1)
    if mask.dtype == torch.bool:
        allowed = mask
        scores = scores.masked_fill(~mask, -torch.inf)
    else:
        allowed = mask != -torch.inf
        scores = scores + mask
    nothing = ~allowed.any(dim=-1, keepdim=True)
    if not nothing.any():
        return F.softmax(scores, dim=-1)
    return F.softmax(scores.masked_fill(nothing, 0.0), dim=-1).masked_fill(nothing, 0.0)
