"""The handler of ``multi_head_attention_forward``, the function behind ``nn.MultiheadAttention``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from textlrp.lrp.recorded.attention import attention_weights
from textlrp.lrp.recorded.calls import Call


def multi_head_attention(call: Call) -> None:
    """Projections, attention of each head and the output projection, recorded as these operations."""
    if call.argument(13, "training", True) and call.argument(10, "dropout_p"):
        raise call.refuse("its dropout_p is not 0 and training is True.", "Pass training=False in eval mode.")
    if call.argument(21, "static_k") is not None or call.argument(22, "static_v") is not None:
        raise call.refuse("static_k and static_v are not supported.", "Pass key and value instead.")
    call.expands(multi_head_forward)


def multi_head_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """(T, N, D), (S, N, D), (S, N, D), or all without N -> (T, N, D) and the attention weights."""
    batched = query.dim() == 3
    if not batched:
        query, key, value = (each.unsqueeze(1) for each in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    separate: Sequence[Tensor | None] = (q_proj_weight, k_proj_weight, v_proj_weight)
    weights = separate if in_proj_weight is None or use_separate_proj_weight else in_proj_weight.chunk(3)
    biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    inputs = (query, key, value)
    q, k, v = (F.linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True) if w is not None)
    documents, width = query.shape[1], query.shape[2]
    added = 0
    if bias_k is not None and bias_v is not None:
        k, v = (torch.cat([x, bias.repeat(1, documents, 1)]) for x, bias in ((k, bias_k), (v, bias_v)))
        added += 1
    # (T, N, D) -> (N, heads, T, D / heads)
    q, k, v = (x.reshape(len(x), documents, num_heads, -1).permute(1, 2, 0, 3) for x in (q, k, v))
    if add_zero_attn:
        k, v = (F.pad(x, (0, 0, 0, 1)) for x in (k, v))
        added += 1
    mask = _mask(attn_mask, key_padding_mask, (documents, num_heads, q.shape[2], k.shape[2] - added), query.dtype)
    mask = None if mask is None else F.pad(mask, (0, added))
    found = attention_weights((q @ k.transpose(-2, -1)) * (width // num_heads) ** -0.5, mask)
    result = F.linear((found @ v).permute(2, 0, 1, 3).reshape(-1, documents, width), out_proj_weight, out_proj_bias)
    if need_weights and average_attn_weights:
        found = found.mean(dim=1)
    if not batched:
        result, found = result.squeeze(1), found.squeeze(0)
    return result, found if need_weights else None


def _mask(
    attention: Tensor | None, padding: Tensor | None, shape: tuple[int, int, int, int], dtype: torch.dtype
) -> Tensor | None:
    """The sum of both masks as (N, heads, T, S), with -inf where attention is not allowed; None without any mask."""
    masks = []
    if attention is not None:
        masks.append(_added_mask(attention, dtype).reshape(-1 if attention.dim() == 3 else 1, *shape[2:]))
        masks[0] = masks[0].reshape(shape) if attention.dim() == 3 else masks[0]
    if padding is not None:
        masks.append(_added_mask(padding, dtype)[:, None, None, :])
    return sum(masks[1:], masks[0]).expand(shape) if masks else None


def _added_mask(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask that is added to the scores; a mask of bool is True where attention is not allowed."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, -torch.inf)
