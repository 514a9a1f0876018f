"""The way back through a convolutional net with max pooling, in one sweep: :func:`propagate` for that one tape.

Only the winning windows carry relevance, and how a window's relevance splits over its words does not depend on the
class. So the rules are asked once per filter, and each filter hands what it gets of every class straight to its
words: nothing of size (K × N × F) or (K × N × T × D) is made. Every rule goes this way, for a rule says no more than
which parts of the products flow and what is absorbed.

Letters: N documents, L words of all of them end to end, C classes, K of them explained, F filters, H window width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from textlrp.lrp.composite import Composite
from textlrp.lrp.kernels import window_relevance
from textlrp.lrp.kernels.threads import torch_on_one_thread
from textlrp.lrp.kernels.windows import Floats, Ids
from textlrp.lrp.maps import Dense, sides, sum_tensors
from textlrp.lrp.shares import Box, Flow, Part, Rule, Shares
from textlrp.lrp.trace import Trace, layers_of
from textlrp.lrp.trace_steps import Linear, Windows
from textlrp.lrp.window_maps import WinningWindows


class FusedRelevance(NamedTuple):
    """``relevance`` (L, K) of all words, text after text, and the ledger: E ``keys`` (step, cause) of its ``entries``
    (N, K, E)."""

    relevance: Floats
    keys: tuple[tuple[str, str], ...]
    entries: Floats

    @property
    def ledger(self) -> dict[tuple[str, str], Floats]:
        """{(step, cause): (N, K)}."""
        return dict(zip(self.keys, np.moveaxis(self.entries, -1, 0), strict=True))


@torch_on_one_thread()
def propagate_fused(trace: Trace, composite: Composite, classes: Ids | None) -> FusedRelevance:
    """Propagate the scores of ``classes`` (N, K) of each text to its words, as :func:`propagate` does.

    None for ``classes`` is all C in their order. ``trace`` must have its ``windows``. Raises :class:`RuleError` as
    :func:`propagate` does.
    """
    windows = trace.windows
    assert windows is not None
    output = windows.output
    rule_of = _rules(trace, composite)
    chosen: Any = ... if classes is None else (np.arange(len(classes))[:, None], classes)
    shares = rule_of(output.name).shares(output)
    seed = trace.scores.numpy()[chosen]
    parts = _flowing_parts(output, shares, chosen, seed)
    own = _window_shares(trace, windows, [rule_of(name) for name in windows.filters])
    relevance = np.empty((len(windows.words), seed.shape[1]), dtype=seed.dtype)
    ignored = np.empty_like(seed)
    window_relevance.propagate_winners(
        own.shares,
        own.scale,
        windows.bounds,
        parts.sides,
        parts.weights,
        parts.factors,
        windows.where,
        windows.words,
        windows.starts,
        classes,
        relevance,
        ignored,
    )
    absorbed = {cause: entry.expand_as(trace.scores).numpy() for cause, entry in shares.absorbed.items()}
    keys = [(output.name, cause) for cause in absorbed]
    keys += [(name, cause) for name in windows.filters for cause in own.absorbed]
    entries = np.empty((*seed.shape, len(keys) + 1), dtype=seed.dtype)
    for place, entry in enumerate(absorbed.values()):
        entries[..., place] = seed * entry[chosen]
    filters = list(windows.filters.values())
    entries[..., len(absorbed) : -1] = _absorbed(filters, own.absorbed, parts, classes)
    entries[..., -1] = ignored
    return FusedRelevance(relevance, (*keys, (windows.lookup, "ignored")), entries)


def _rules(trace: Trace, composite: Composite) -> Callable[[str], Rule]:
    """The rule of a layer by its name; raises :class:`RuleError` where the composite names one that is not there."""
    if not composite.layers:  # all layers of such a tape are weighted and take the default
        return lambda name: composite.default
    layers = [layer for layer in layers_of(trace) if layer is not None]
    composite.check(layers)
    return {layer.name: composite.rule_for(layer) for layer in layers}.__getitem__


class _WindowShares(NamedTuple):
    """What becomes of the relevance of the filters of all widths; S = the sum of their widths.

    ``shares`` (N, S) × ``scale`` (N, F) go to the words of each window; ``absorbed``: cause -> fraction (N, F), or
    broadcast against it.
    """

    shares: Floats
    scale: Floats
    absorbed: dict[str, Tensor]


def _window_shares(trace: Trace, windows: Windows, rules: Sequence[Rule]) -> _WindowShares:
    """Ask the rule of each convolution which fraction goes to each word of a window and which is absorbed."""
    if all(rule == rules[0] for rule in rules):  # asked once
        shares = rules[0].shares(_SideBySide(trace, windows))
        if len(shares.flows) == 1 and shares.flows[0].part is Part.PRODUCT:
            scale = shares.flows[0].factor.expand_as(windows.outputs).contiguous()
            return _WindowShares(windows.products.numpy(), scale.numpy(), shares.absorbed)
        sizes = list(windows.filters.values())
        pieces = [
            (part, torch.split(factor.expand_as(windows.outputs), sizes, dim=1)) for part, factor in shares.flows
        ]
        flows = [[Flow(part, own[place]) for part, own in pieces] for place in range(len(sizes))]
        absorbed = shares.absorbed
    else:
        found = [rule.shares(step) for step, rule in zip(_convolutions(trace, windows), rules, strict=True)]
        flows, absorbed = [list(own.flows) for own in found], {}
        for cause in dict.fromkeys(cause for own in found for cause in own.absorbed):
            nothing = windows.outputs.new_zeros(())
            entries = [
                own.absorbed.get(cause, nothing).expand(len(windows.outputs), filters)
                for own, filters in zip(found, windows.filters.values(), strict=True)
            ]
            absorbed[cause] = torch.cat(entries, dim=1)
    words = [
        _word_shares(step, own).flatten(1) for step, own in zip(_convolutions(trace, windows), flows, strict=True)
    ]
    return _WindowShares(torch.cat(words, dim=1).numpy(), torch.ones_like(windows.outputs).numpy(), absorbed)


def _convolutions(trace: Trace, windows: Windows) -> list[Linear]:
    return [step for step in trace.steps if isinstance(step, Linear) and step.name in windows.filters]


class _SideBySide:
    """The outputs of all convolutions as those of one step, so that a rule they share is asked once."""

    def __init__(self, trace: Trace, windows: Windows) -> None:
        self._convolutions = partial(_convolutions, trace, windows)
        self.name = next(iter(windows.filters))
        self.outputs = windows.outputs
        self.bias = windows.bias

    @property
    def bounds(self) -> Box | None:
        return self._convolutions()[0].bounds

    def total(self, part: Part | Box) -> Tensor:
        return torch.cat([step.total(part).expand_as(step.outputs) for step in self._convolutions()], dim=1)


class _Parts(NamedTuple):
    """What flows from the scores to the filters: sides (P, N, F), weights (P, F, C), factors (P, N, K)."""

    sides: Floats
    weights: Floats
    factors: Floats


def _flowing_parts(output: Linear, shares: Shares, chosen: Any, seed: Floats) -> _Parts:
    map = output.map
    assert isinstance(map, Dense)
    found: list[tuple[Floats, Floats, Floats]] = []
    for part, factor in shares.flows:
        wanted = _full(factor, output).numpy()[chosen] * seed
        for side in sides(part, map.inputs, map.weight):
            inputs = side.inputs.expand_as(map.inputs).numpy()
            # behind a ReLU no input is negative, so that one of two sides is often zero
            if not found or (inputs.any() and wanted.any()):
                weight = side.weight.expand_as(map.weight).numpy()
                found.append((np.ascontiguousarray(inputs), np.ascontiguousarray(weight.T), wanted))
    if len(found) == 1:
        inputs, weights, factors = found[0]
        return _Parts(inputs[None], weights[None], factors[None])
    return _Parts(*(np.stack(column) for column in zip(*found, strict=True)))


def _absorbed(filters: Sequence[int], absorbed: Mapping[str, Tensor], parts: _Parts, classes: Ids | None) -> Floats:
    """(N, K, W × Q): what each of W convolutions absorbs for each of Q causes, from the fractions (N, F) of these.

    ``filters`` of each convolution; ``classes`` (N, K) are those to explain; None for all C in their order.
    """
    documents, targets = parts.factors.shape[1:]
    found = np.zeros((len(filters), len(absorbed), documents, targets), dtype=parts.factors.dtype)
    for side, weight, factor in zip(*parts, strict=True):
        given = np.empty((len(absorbed), *side.shape), dtype=side.dtype)
        for place, fraction in enumerate(absorbed.values()):
            np.multiply(fraction.numpy(), side, out=given[place])
        first = 0
        for own, count in zip(found, filters, strict=True):
            last = first + count
            own += _arriving(given[..., first:last], weight[first:last], classes) * factor
            first = last
    return found.reshape(-1, documents, targets).transpose(1, 2, 0)


def _arriving(values: Floats, weight: Floats, classes: Ids | None) -> Floats:
    """``values`` (Q, N, F) @ ``weight`` (F, C), at the ``classes`` (N, K) alone; None for all."""
    if classes is not None and 4 * classes.shape[1] < weight.shape[1]:  # few of many: each document's own columns
        return np.asarray(np.einsum("qnf,nkf->qnk", values, weight.T[classes]))
    # by torch, for a second pool of threads, which numpy's products bring, takes the processor from the loops
    every = (torch.from_numpy(values) @ torch.from_numpy(weight)).numpy()
    return every if classes is None else np.take_along_axis(every, classes[None], axis=2)


def _word_shares(step: Linear, flows: Sequence[Flow]) -> Tensor:
    """(N, F, H): the fraction of a filter's relevance that each word of its window gets."""
    map = step.map
    assert isinstance(map, WinningWindows)
    return sum_tensors([map.contributions(part) * factor[..., None] for part, factor in flows])


def _full(entry: Tensor, step: Linear) -> Tensor:
    return entry.expand_as(step.outputs).contiguous()
