"""The relevance of words for each pooled filter of a CNN.

Letters: L words that the model reads, T words with padding, F filters, W windows, H window width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import add

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from textlrp.arrays import Array
from textlrp.explainers.similar.embedding_features import FeatureRelevance, embedding_of, words_and_ignored
from textlrp.lrp.shares import Flow, Rule
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Linear, Lookup
from textlrp.lrp.window_maps import WinningWindows, WordWindows
from textlrp.text.batches import Batch


def winners_relevance(trace: Trace, rules: Mapping[str, Rule], batch: Batch, length: int) -> FeatureRelevance:
    """Max pooling: the relevance of a filter is in the one window that it chose."""
    row, column, share, ledger = [], [], [], _FilterLedger()
    for first, step, values in _convolution_steps(trace):
        assert isinstance(step.map, WinningWindows)
        shares = rules[step.name].shares(step)
        parts = (step.map.contributions(part) * factor[..., None] for part, factor in shares.flows)
        on_window = (reduce(add, parts) * values[..., None])[0]  # (F, H)
        filters, width = step.map.products.shape[1:]
        row.append((step.map.start[0].numpy()[:, None] + np.arange(width)).ravel())
        column.append(np.repeat(np.arange(first, first + filters), width))
        share.append(on_window.numpy().ravel())
        ledger.add(step.name, first, values, shares.absorbed)
    values = embedding_of(trace)
    # a text that is shorter than a window has padding after its last word
    ids = np.append(batch.text(0), 0)
    rows = np.minimum(np.concatenate(row), length)
    read = ids[rows] > 0
    columns, found = np.concatenate(column), np.concatenate(share)
    ignored = np.zeros(values.shape[1], dtype=found.dtype)
    np.add.at(ignored, columns[~read], found[~read])
    shape = (length, values.shape[1])
    relevance = sparse.csr_matrix((found[read], (rows[read], columns[read])), shape=shape)
    relevance.sort_indices()
    entries = ledger.entries(values) | {(trace.steps[0].name, "ignored"): ignored}
    return FeatureRelevance(values[0].numpy(), None, relevance, entries)


def windows_relevance(trace: Trace, rules: Mapping[str, Rule], batch: Batch, length: int) -> FeatureRelevance:
    """Mean pooling: the relevance of a filter is in all windows, and that of a window in its words."""
    on_words, ledger = [], _FilterLedger()
    lookup = trace.steps[0]
    assert isinstance(lookup, Lookup)
    for first, step, values in _convolution_steps(trace):
        assert isinstance(step.map, WordWindows)
        mean = next(each for each in trace.steps if each.name == step.name.replace("conv", "mean"))
        assert isinstance(mean, Linear)
        pooling = rules[mean.name].shares(mean)
        of_windows = reduce(add, (mean.map.pull(p, (values * factor)[None]) for p, factor in pooling.flows))[0]
        ledger.add(mean.name, first, values, pooling.absorbed)
        shares = rules[step.name].shares(step)
        on_words.append(_words_of_windows(step.map, of_windows, shares.flows))
        absorbed = {cause: (of_windows * share).sum(dim=1) for cause, share in shares.absorbed.items()}
        ledger.add(step.name, first, torch.ones_like(values), absorbed)
    values = embedding_of(trace)
    words = torch.cat(on_words, dim=1)
    return words_and_ignored(values, words, ledger.tensors(values), lookup.name, lookup.grid()[0], length)


def _words_of_windows(map: WordWindows, of_windows: Tensor, flows: tuple[Flow, ...]) -> Tensor:
    """The relevance (T, F) of words, given that of the windows (1, W, F) of each filter."""
    windows = of_windows.shape[1]
    found = of_windows.new_zeros((map.ids.shape[1], of_windows.shape[2]))
    for part, factor in flows:
        projections, flowing = map.projections(part), (of_windows * factor)[0]
        for offset in range(map.width):
            reached = slice(offset, offset + windows)
            found[reached] += flowing * projections[:, offset][map.ids[0, reached]]
    return found


def _convolution_steps(trace: Trace) -> Iterator[tuple[int, Linear, Tensor]]:
    """The convolutions of a CNN, each with the index of its first filter and its part of the embedding (1, F)."""
    embedding, first = embedding_of(trace), 0
    for step in trace.steps:
        if isinstance(step, Linear) and step.kind == "convolution":
            filters = step.bias.shape[-1]
            yield first, step, embedding[:, first : first + filters]
            first += filters


class _FilterLedger:
    """What the layers of all convolutions absorbed, collected for the features of all of them."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], tuple[int, Tensor]] = {}

    def add(self, step: str, first: int, values: Tensor, shares: Mapping[str, Tensor]) -> None:
        """Add the ``values`` (1, F) times the absorbed ``shares`` of the filters from number ``first`` on."""
        for cause, share in shares.items():
            self._parts[step, cause] = (first, (values * share).expand_as(values))

    def tensors(self, like: Tensor) -> dict[tuple[str, str], Tensor]:
        found = {}
        for key, (first, part) in self._parts.items():
            found[key] = torch.zeros_like(like)
            found[key][:, first : first + part.shape[1]] = part
        return found

    def entries(self, like: Tensor) -> dict[tuple[str, str], Array]:
        return {key: entry[0].numpy() for key, entry in self.tensors(like).items()}
