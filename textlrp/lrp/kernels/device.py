"""The loops of :mod:`textlrp.lrp.kernels.windows` and ``window_relevance`` as torch operations, for accelerators.

They choose the same windows as the compiled loops: among equal windows the first one wins. Large batches are computed
in chunks, so that an intermediate tensor has at most about :data:`NUMBERS` elements.

Letters: N documents, T tokens of the longest document, U words with projections, D embedding dimensions, F filters,
H window width, K targets.
"""

from __future__ import annotations

import torch
from torch import Tensor

NUMBERS = 1 << 27
"""The largest number of elements of an intermediate tensor: 512 MiB in float32."""


def winning_windows_on_device(projections: Tensor, ids: Tensor, lengths: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return the products (N, F, H) of each word of the winning windows, and where these windows begin (N, F) int64.

    ``projections`` (U, H × F), row 0 zeros; ``ids`` (N, T) are rows of it, padded with 0; ``lengths`` (N,).
    """
    documents, filters = len(ids), projections.shape[1] // width
    by_offset = projections.view(len(projections), width, filters)
    windows = ids.shape[1] - width + 1
    starts = torch.empty((documents, filters), dtype=torch.int64, device=ids.device)
    positions = torch.arange(windows, device=ids.device)
    chunk = max(1, NUMBERS // max(1, windows * filters))
    for begin in range(0, documents, chunk):
        rows = ids[begin : begin + chunk]
        # added offset by offset, in the order of the compiled loop: repeated phrases make exact ties, and another
        # order of summation could break them in favor of a later window
        z = sum(by_offset[:, h][rows[:, h : h + windows]] for h in range(width))
        # a document shorter than the window has one window, at 0
        beyond = positions >= (lengths[begin : begin + chunk, None] - width + 1).clamp(min=1)
        # among equal values argmax returns the first
        starts[begin : begin + chunk] = z.masked_fill(beyond[:, :, None], -torch.inf).argmax(dim=1)  # type: ignore[union-attr]
    offsets, each_filter = torch.arange(width, device=ids.device), torch.arange(filters, device=ids.device)
    words = winning_words(ids, starts, width)
    return by_offset[words, offsets, each_filter[:, None]], starts


def winning_words(ids: Tensor, starts: Tensor, width: int) -> Tensor:
    """Return the ids (N, F, H) of the words in the windows that begin at ``starts`` (N, F)."""
    row = torch.arange(len(ids), device=ids.device)[:, None, None]
    return ids[row, starts[:, :, None] + torch.arange(width, device=ids.device)]


def signed_contributions_on_device(
    vectors: Tensor, weight: Tensor, ids: Tensor, starts: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the positive and the negative products (N, F, H) of each word of the winning windows, summed over D.

    ``vectors`` (U, D), ``weight`` (F, H, D), ``ids`` (N, T) rows of ``vectors``, ``starts`` (N, F).
    """
    words = winning_words(ids, starts, weight.shape[1])
    positive, negative = (vectors.new_zeros(words.shape) for _ in range(2))
    chunk = max(1, NUMBERS // max(1, len(ids) * weight.shape[1] * weight.shape[2]))
    for begin in range(0, weight.shape[0], chunk):
        filters = slice(begin, begin + chunk)
        products = vectors[words[:, filters]] * weight[filters]
        positive[:, filters] = products.clamp(min=0).sum(dim=3)
        negative[:, filters] = products.clamp(max=0).sum(dim=3)
    return positive, negative


def spread_on_device(factor: Tensor, weight: Tensor, starts: Tensor, tokens: int) -> Tensor:
    """Add the weights (F, H, D) of each filter times its factor, at its winning window: (K, N, F) -> (K, N, T, D)."""
    targets, documents, _ = factor.shape
    spread = factor.new_zeros((targets, documents * tokens, weight.shape[2]))
    row = torch.arange(documents, device=starts.device)[:, None] * tokens + starts
    for h in range(weight.shape[1]):
        for k in range(targets):
            values = factor[k, :, :, None] * weight[:, h]
            spread[k].index_add_(0, (row + h).reshape(-1), values.reshape(-1, weight.shape[2]))
    return spread.view(targets, documents, tokens, -1)
