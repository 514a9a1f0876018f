"""Modified gradients of the softmax and of attention.

By :class:`.SourceOnly` attention weights are constants. By :class:`.Halves` what comes to a softmax is propagated by
its Taylor expansion: R_i = x_i (R_i - s_i sum R) (Achtibat et al. 2024, arXiv 2402.05602, proposition 3.1).

Letters: N documents, K targets, H heads, T queries, S keys, D features of a head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from textlrp.lrp.gradients.document_axis import sum_by_document
from textlrp.lrp.gradients.gradient_moves import sum_to_shape
from textlrp.lrp.gradients.gradient_products import rows_times, times_columns, transposed_times
from textlrp.lrp.gradients.gradient_tape import absorbed_constant
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward
from textlrp.lrp.recorded.attention import attention_weights
from textlrp.lrp.recorded.factors import masked
from textlrp.lrp.recorded.multi_head import multi_head_forward
from textlrp.lrp.recorded.roles import Role

_SOFTMAX_AS_VALUE = (
    "it has no rule. A softmax may only be the last operation of the module, or weigh other values as a gate "
    '(attention). To propagate through it, pass rule="attnlrp".'
)


def softmax_gradient(operation: Operation) -> Tensor:
    """Attention weights, or the probabilities at the end."""
    inputs, result = operation.single(), operation.result()
    value, given = operation.value(inputs), operation.argument(1, "dim")
    if given is None:
        raise operation.refuse("its dim is not given. Pass dim=-1, or the axis that it sums to 1 along.")
    axis = given % inputs.dim() - inputs.dim()
    operation.check_axes(inputs, axis)
    if operation.name != "softmax" or not operation.halves:
        why = str(operation.refuse(_SOFTMAX_AS_VALUE))
        operation.tape.names.module_name() or operation.step_name()
        result = operation.stop(result, why, value.documents, squash=operation.ordinal)
    else:
        name = operation.tape.names.module_name() or operation.step_name()
        seen, scores = _without_masked(result, inputs)

        def back(multipliers: Tensor) -> Backward:
            total = (multipliers * result).sum(dim=axis, keepdim=True)
            received = (multipliers - total) * seen
            absorbed = sum_by_document(total, value.documents) - sum_by_document(received * scores, value.documents)
            return Backward((received,), {(name, "softmax"): absorbed})

        result = operation.put(
            result, [inputs], back, documents=value.documents, squash=operation.ordinal, saved=[inputs, result]
        )
    operation.set_role(result, Role.WEIGHT)
    return result


def _without_masked(weights: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """The weights of a softmax and the scores that it read, both 0 where they are masked."""
    unseen = masked(weights, scores)
    if not bool(unseen.any()):
        return weights, scores
    return weights.masked_fill(unseen, 0), scores.masked_fill(unseen, 0)


def attention_gradient(operation: Operation) -> Tensor:
    """``scaled_dot_product_attention``: softmax(query key^T scale + mask) value."""
    if operation.argument(4, "dropout_p", 0.0):
        raise operation.refuse("its dropout_p is not 0. Pass dropout_p=0.0 in eval mode.")
    query, key, value = (operation.argument(at, name) for at, name in enumerate(("query", "key", "value")))
    documents, weights, scores = operation.documents(), *_weights_and_scores(operation, query, key)
    groups = _query_heads_per_key(operation, query, key)
    names, mask = operation.tape.names, operation.argument(3, "attn_mask")
    added = mask.detach() if mask is not None and mask.is_floating_point() else None
    mask_key = ("", "") if added is None else (names.step_name("add"), "bias")
    key_of_softmax = (names.module_name() or names.step_name("softmax"), "softmax")
    tracked = operation.tracks(query) and operation.tracks(key) and operation.tracks(value)
    if (
        not tracked
        or (documents is not None and documents.axis > -3)
        or (groups > 1 and documents is not None and documents.axis == -3)
    ):
        raise operation.refuse("the fast engine supports attention within documents only.")
    spread = value if groups == 1 else value.repeat_interleave(groups, -3)
    spread_key = key if groups == 1 else key.repeat_interleave(groups, -3)
    seen = weights if added is None else _without_masked(weights, scores)[0]  # other masks are -inf: a weight of 0
    scale, mixed = _scale(operation, query), weights @ spread

    def of_source(multipliers: Tensor) -> Backward:
        return Backward((None, None, _ungrouped(times_columns(weights.mT, multipliers), value, groups)))

    def halves(multipliers: Tensor) -> Backward:
        multipliers = multipliers * 0.5
        total = (multipliers * mixed).sum(dim=-1, keepdim=True)  # weights × their multipliers, summed over the keys
        received = rows_times(multipliers, spread.mT).sub_(total).mul_(seen)
        entries = {} if added is None else absorbed_constant(mask_key, received, added, documents)
        to_query = sum_to_shape(rows_times(received, spread_key * (0.5 * scale)), query.shape)
        parts = (
            to_query,
            _ungrouped(transposed_times(received, query * (0.5 * scale)), key, groups),
            _ungrouped(times_columns(weights.mT, multipliers), value, groups),
        )
        # relevance of the scores: half of query · to_query is that of the query, the other half that of the key
        of_scores = 2 * sum_by_document(to_query * query, documents)
        absorbed = sum_by_document(total, documents) - of_scores - sum(entries.values())
        return Backward(parts, {key_of_softmax: absorbed, **entries})

    return operation.put(
        mixed.clone(),  # the module may change its result in place
        [query, key, value],
        halves if operation.halves else of_source,
        documents=documents,
        saved=[query, key, value],
    )


def _weights_and_scores(operation: Operation, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """The attention weights (N, H, T, S), and the scores that they are the softmax of."""
    groups = _query_heads_per_key(operation, query, key)
    key = key if groups == 1 else key.repeat_interleave(groups, -3)
    scores = (query * _scale(operation, query)) @ key.mT
    mask = operation.argument(3, "attn_mask")
    if operation.argument(5, "is_causal", False):
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is None:
        return torch.softmax(scores, dim=-1), scores
    added = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return attention_weights(scores, mask), added


def _scale(operation: Operation, query: Tensor) -> float:
    given = operation.argument(6, "scale", operation.kwargs.get("scale"))
    return 1 / math.sqrt(query.shape[-1]) if given is None else float(given)


def _query_heads_per_key(operation: Operation, query: Tensor, key: Tensor) -> int:
    """The number of query heads for each head of keys and values."""
    grouped = operation.argument(7, "enable_gqa", operation.kwargs.get("enable_gqa", False))
    return query.shape[-3] // key.shape[-3] if grouped else 1


def _ungrouped(multipliers: Tensor, value: Tensor, groups: int) -> Tensor:
    """Sum multipliers (K, ..., H, S, D) over the query heads that share a head of keys and values."""
    if groups > 1:
        multipliers = multipliers.reshape(*multipliers.shape[:-3], -1, groups, *multipliers.shape[-2:]).sum(dim=-3)
    return sum_to_shape(multipliers, value.shape)


def multi_head_attention_gradient(operation: Operation) -> Any:
    """``multi_head_attention_forward``: the operations that it is made of."""
    if operation.argument(13, "training", True) and operation.argument(10, "dropout_p"):
        raise operation.refuse("its dropout_p is not 0 and training is True. Pass training=False in eval mode.")
    if operation.argument(21, "static_k") is not None or operation.argument(22, "static_v") is not None:
        raise operation.refuse("static_k and static_v are not supported.")
    return operation.record(multi_head_forward, *operation.args, **operation.kwargs)
