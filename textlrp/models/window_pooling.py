"""Pooling over the windows of a convolution, and its gradient, without building the windows. Used in training.

Letters: N texts, U distinct words, H width, F filters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from textlrp.lrp.kernels import means as mean_kernels
from textlrp.lrp.kernels import windows as kernels
from textlrp.models.packing import Packed


class WindowMax(torch.autograd.Function):
    """Max pooling: word projections (U, H × F) -> largest windows (N, F), without the bias."""

    @staticmethod
    def forward(ctx: Any, projections: Tensor, packed: Packed, width: int) -> Tensor:
        best, where = kernels.winning_windows(projections.detach().numpy(), packed.ids, packed.starts, width)
        ctx.saved = (packed, width, where)
        return torch.from_numpy(best)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        packed, width, where = ctx.saved
        on_words = kernels.scatter_winners(
            gradients[0].contiguous().numpy(), where, packed.ids, packed.starts, width, len(packed.distinct)
        )
        return torch.from_numpy(on_words), None, None


class WindowMean(torch.autograd.Function):
    """Mean pooling: word projections (U, H × F) and bias (F,) -> mean (N, F) of the ReLU over all windows."""

    @staticmethod
    def forward(ctx: Any, projections: Tensor, bias: Tensor, packed: Packed, width: int) -> Tensor:
        arrays = projections.detach().numpy(), bias.detach().numpy()
        ctx.saved = (*arrays, packed, width)
        return torch.from_numpy(mean_kernels.mean_windows(*arrays, packed.ids, packed.starts, width))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        projections, bias, packed, width = ctx.saved
        on_words, on_bias = mean_kernels.scatter_means(
            gradients[0].contiguous().numpy(), projections, bias, packed.ids, packed.starts, width
        )
        return torch.from_numpy(on_words), torch.from_numpy(on_bias), None, None
