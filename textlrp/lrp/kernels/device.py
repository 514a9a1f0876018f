"""The loops of :mod:`textlrp.lrp.kernels.windows` as torch operations, for tensors that are not in the CPU's memory.

They give the same windows: of equals the first wins. No more than about :data:`NUMBERS` are held at once.

Letters: N documents, T words of the longest, U words with projections, D embedding dimensions, F filters, H width.
"""

from __future__ import annotations

import torch
from torch import Tensor

NUMBERS = 1 << 27
"""Numbers held at once: 512 MiB in float32."""


def winning_windows_on_device(projections: Tensor, ids: Tensor, lengths: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """What each word of the largest windows adds (N, F, H), and where these windows begin (N, F) int64.

    ``projections`` (U, H × F), row 0 zeros; ``ids`` (N, T) rows of it, padded with 0; ``lengths`` (N,).
    """
    documents, filters = len(ids), projections.shape[1] // width
    by_offset = projections.view(len(projections), width, filters)
    windows = ids.shape[1] - width + 1
    starts = torch.empty((documents, filters), dtype=torch.int64, device=ids.device)
    places = torch.arange(windows, device=ids.device)
    together = max(1, NUMBERS // max(1, windows * filters))
    for begin in range(0, documents, together):
        own = ids[begin : begin + together]
        z = sum(by_offset[:, h][own[:, h : h + windows]] for h in range(width))
        beyond = places >= (lengths[begin : begin + together, None] - width + 1).clamp(min=1)
        starts[begin : begin + together] = z.masked_fill(beyond[:, :, None], -torch.inf).argmax(dim=1)  # type: ignore[union-attr]
    offsets, each = torch.arange(width, device=ids.device), torch.arange(filters, device=ids.device)
    words = winning_words(ids, starts, width)
    return by_offset[words, offsets, each[:, None]], starts


def winning_words(ids: Tensor, starts: Tensor, width: int) -> Tensor:
    """(N, F, H): the rows of the words in the windows that begin at ``starts`` (N, F)."""
    row = torch.arange(len(ids), device=ids.device)[:, None, None]
    return ids[row, starts[:, :, None] + torch.arange(width, device=ids.device)]


def signed_contributions_on_device(
    vectors: Tensor, weight: Tensor, ids: Tensor, starts: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, F, H) twice: the positive and the negative products of each word of the winning windows, summed over D.

    ``vectors`` (U, D), ``weight`` (F, H, D), ``ids`` (N, T), ``starts`` (N, F).
    """
    words = winning_words(ids, starts, weight.shape[1])
    positive, negative = (vectors.new_zeros(words.shape) for _ in range(2))
    together = max(1, NUMBERS // max(1, len(ids) * weight.shape[1] * weight.shape[2]))
    for begin in range(0, weight.shape[0], together):
        some = slice(begin, begin + together)
        products = vectors[words[:, some]] * weight[some]
        positive[:, some] = products.clamp(min=0).sum(dim=3)
        negative[:, some] = products.clamp(max=0).sum(dim=3)
    return positive, negative


def spread_on_device(factor: Tensor, weight: Tensor, starts: Tensor, tokens: int) -> Tensor:
    """(K, N, F) of winning windows -> (K, N, T, D): each filter's weights (F, H, D) times its factor."""
    targets, documents, _ = factor.shape
    spread = factor.new_zeros((targets, documents * tokens, weight.shape[2]))
    row = torch.arange(documents, device=starts.device)[:, None] * tokens + starts
    for h in range(weight.shape[1]):
        for k in range(targets):
            values = factor[k, :, :, None] * weight[:, h]
            spread[k].index_add_(0, (row + h).reshape(-1), values.reshape(-1, weight.shape[2]))
    return spread.view(targets, documents, tokens, -1)
