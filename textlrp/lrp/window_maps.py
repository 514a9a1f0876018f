"""Linear maps of convolutions over words: of all windows, or only of those that win a max-pool.

Letters: N documents, T tokens, D embedding dimensions, F filters, H window width, U distinct words of the batch,
K targets. Part_j as in :mod:`textlrp.lrp.maps`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from textlrp.lrp.kernels import device, window_relevance
from textlrp.lrp.maps import Bounds, Grid, factor_pairs, sum_tensors
from textlrp.lrp.shares import Box, Part


@dataclass(frozen=True, slots=True, eq=False)
class WordWindows:
    """A convolution at all positions; relevance is pulled to words.

    ``vectors`` (U, D) of the distinct words; ``weight`` (D, H × F), with the F filters of each offset in the window
    together; ``ids`` (N, T) are rows of ``vectors``. The outputs are (N, T - H + 1, F).
    """

    vectors: Tensor
    weight: Tensor
    ids: Tensor
    width: int
    box: Bounds | None = None

    def projections(self, part: Part | Box) -> Tensor:
        """Return part_j (U, H, F) of each distinct word at each offset of the window, summed over its dimensions."""
        summed = sum_tensors([inputs @ weight for inputs, weight in factor_pairs(part, self.vectors, self.weight)])
        return summed.reshape(len(self.vectors), self.width, -1)

    def total(self, part: Part | Box) -> Tensor:
        windows = self.ids.shape[1] - self.width + 1
        projections = self.projections(part)
        return sum_tensors([projections[:, h][self.ids[:, h : h + windows]] for h in range(self.width)])

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        targets, documents, windows, _ = factor.shape
        on_words = factor.new_zeros((targets, documents, self.ids.shape[1]))
        projections = self.projections(part)
        for offset in range(self.width):
            on_words[:, :, offset : offset + windows] += torch.einsum(
                "kntf,ntf->knt", factor, projections[:, offset][self.ids[:, offset : offset + windows]]
            )
        return on_words

    def pull_dimensions(self, part: Part | Box, factor: Tensor) -> Tensor:
        targets, documents, windows, filters = factor.shape
        dimensions = self.vectors.shape[1]
        on_words = factor.new_zeros((targets, documents, self.ids.shape[1], dimensions))
        for inputs, weight in factor_pairs(part, self.vectors, self.weight):
            words = inputs.expand_as(self.vectors)[self.ids]
            by_offset = weight.expand_as(self.weight).reshape(dimensions, self.width, filters)
            for offset in range(self.width):
                reached = slice(offset, offset + windows)
                on_words[:, :, reached] += (factor @ by_offset[:, offset].T) * words[:, reached]
        return on_words


@dataclass(frozen=True, slots=True, eq=False)
class WinningWindows:
    """A convolution followed by max-pooling over time: only the winning windows; relevance is pulled to words.

    ``products`` (N, F, H) are the products a w of each word of the winning window of a filter, summed over the D
    dimensions of its vector. ``start`` (N, F) is where that window begins. ``grid`` returns the rows (N, T) of
    ``vectors`` (U, D) that the documents read; row 0 is the zero vector. ``weight`` (D, H × F) has the F filters of
    each offset in the window together.
    """

    products: Tensor
    start: Tensor
    grid: Grid
    vectors: Tensor
    weight: Tensor
    box: Bounds | None = None
    _signed: dict[Part, Tensor] = field(
        default_factory=dict, repr=False
    )  # the positive and the negative parts, cached

    def contributions(self, part: Part | Box) -> Tensor:
        """Return part_j of each word of the winning windows, summed over D: (N, F, H) or broadcast against it."""
        filters, width = self.products.shape[1:]
        if isinstance(part, Box):
            # sum_d [a w - l w⁺ - h w⁻]: the last two terms do not depend on the word
            ends = part.low[..., None] * self.weight.clamp(min=0) + part.high[..., None] * self.weight.clamp(max=0)
            return self.products - ends.sum(dim=0).reshape(width, filters).T
        match part:
            case Part.PRODUCT:
                return self.products
            case Part.SQUARE:
                return self.weight.square().sum(dim=0).reshape(width, filters).T.expand_as(self.products)
            case Part.EVEN:
                return self.products.new_tensor(float(len(self.weight))).expand_as(self.products)
        # The signs of the D products of a word differ, so (a w)⁺ cannot be had from ``products``, their sum.
        if not self._signed:
            by_filter = self._by_filter(self.weight)
            if self._on_accelerator:
                signed = device.signed_contributions_on_device(self.vectors, by_filter, self.words, self.start.long())
            else:
                positive, negative = window_relevance.signed_contributions(
                    self.vectors.numpy(), by_filter.numpy(), self.words.numpy(), self.start.long().numpy()
                )
                signed = torch.from_numpy(positive), torch.from_numpy(negative)
            self._signed.update(zip((Part.POSITIVE, Part.NEGATIVE), signed, strict=True))
        return self._signed[part]

    @property
    def words(self) -> Tensor:
        """The rows (N, T) of ``vectors``."""
        return self.grid()

    @property
    def _on_accelerator(self) -> bool:
        return self.products.device.type != "cpu"

    def total(self, part: Part | Box) -> Tensor:
        return self.contributions(part).sum(dim=2)

    def read_total(self, part: Part | Box) -> Tensor:
        """As :meth:`total`, without unknown words and padding: (N, F)."""
        width = self.products.shape[2]
        words = device.winning_words(self.words, self.start.long(), width)
        return (self.contributions(part) * (words > 0)).sum(dim=2)

    def pull(self, part: Part | Box, factor: Tensor) -> Tensor:
        targets, documents, filters = factor.shape
        tokens = self.words.shape[1]
        contributions = self.contributions(part)
        # index_add_ along axis 0 of (N × T, K): several filters may add to one word, and its K numbers are contiguous
        on_words = factor.new_zeros((documents * tokens, targets))
        row = torch.arange(documents, device=self.start.device)[:, None] * tokens + self.start
        for offset in range(self.products.shape[2]):
            values = (factor * contributions[:, :, offset]).permute(1, 2, 0).reshape(documents * filters, targets)
            on_words.index_add_(0, (row + offset).reshape(-1), values)
        return on_words.reshape(documents, tokens, targets).permute(2, 0, 1)

    def pull_dimensions(self, part: Part | Box, factor: Tensor) -> Tensor:
        pairs = factor_pairs(part, self.vectors[self.words], self.weight)
        return sum_tensors([self.spread(factor, weight) * inputs for inputs, weight in pairs])

    def spread(self, factor: Tensor, weight: Tensor) -> Tensor:
        """Add ``weight`` (D, H × F), times the factor of each filter, over its window: (K, N, F) -> (K, N, T, D)."""
        by_filter, tokens = self._by_filter(weight), self.words.shape[1]
        if self._on_accelerator:
            return device.spread_on_device(factor, by_filter, self.start.long(), tokens)
        starts = self.start.long().numpy()
        spread = window_relevance.spread_over_windows(factor.numpy(), by_filter.numpy(), starts, tokens)
        return torch.from_numpy(spread)

    def _by_filter(self, weight: Tensor) -> Tensor:
        """(D, H × F) -> (F, H, D)."""
        filters, width = self.products.shape[1:]
        return weight.expand_as(self.weight).reshape(-1, width, filters).permute(2, 1, 0).contiguous()
