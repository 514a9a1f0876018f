"""Modified gradients of the softmax and of attention.

Under SourceOnly the attention weights are constants. Under Halves what comes to a softmax passes through it by Taylor
expansion: R_i = x_i (R_i - s_i sum R) (Achtibat et al. 2024, arXiv 2402.05602, proposition 3.1).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from textlrp.errors import ModelError
from textlrp.lrp.gradients.document_axis import sum_by_document
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, Kind


def softmax(operation: Operation) -> Tensor:
    inputs, axis = operation.single(), operation.argument(1, "dim", -1)
    value, result = operation.value(inputs), operation.result()
    name = operation.tape.names.step_name(operation.name)
    axis = axis % inputs.dim() - inputs.dim()
    if value.documents is not None and value.documents.axis == axis:
        raise operation.mixes()
    why = str(operation.refuse("a softmax may only be the last operation of the module, or weigh other values."))

    def constant(gradient: Tensor) -> Backward:
        if bool(gradient.any()):
            raise ModelError(why)
        return Backward((None,))

    def taylor(gradient: Tensor) -> Backward:
        weighted = gradient * result
        received = weighted - result * weighted.sum(dim=axis, keepdim=True)
        inside = torch.where(result == 0, 0, received * inputs)
        absorbed = sum_by_document(weighted, value.documents) - sum_by_document(inside, value.documents)
        return Backward((received,), {(name, "softmax"): absorbed})

    back = taylor if operation.halves else constant
    return operation.put(
        result,
        [inputs],
        back,
        documents=value.documents,
        kind=Kind.GATE,
        squash=operation.squashes,
        saved=[inputs, result],
    )


def attention(operation: Operation) -> Any:
    return operation.record(_attention, *operation.args, **operation.kwargs)


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
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    weights = (query @ key.transpose(-2, -1)) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(weights.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        weights = weights.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        weights = weights + attn_mask
    return F.softmax(weights, dim=-1) @ value


def multi_head_attention(operation: Operation) -> Any:
    raise operation.refuse("the fast engine does not know this operation.")
