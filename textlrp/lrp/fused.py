"""The fused sweep: :func:`.propagate` for convolutional nets with max-pooling, in one pass over the filters.

Two facts make it fast. After max-pooling over time only the winning window of a filter has relevance. And the
fractions by which a filter distributes its relevance to the words of that window do not depend on the class. So each
rule is evaluated once per filter, for all classes together, and the relevance of a filter is added directly to its
words. No tensor of the size K × N × F or K × N × T × D is created. The sweep works for every rule, because a rule
only decides which parts of the products flow and which fraction is absorbed.

Open this module if relevance of a CNN must be faster, or differs from :func:`.propagate`. The two compute the same
sums in a different order, so that results agree only up to rounding. The compiled loop is in
:mod:`textlrp.lrp.kernels.window_relevance`.

Letters: N documents, L words of all documents, C classes, K explained classes, F filters of all convolutions,
S the sum of the widths of all filters, H window width, P flows (parts of the products) of the output layer.
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
from textlrp.lrp.maps import Dense, factor_pairs, sum_tensors
from textlrp.lrp.shares import Box, Flow, Part, Rule, Shares
from textlrp.lrp.trace import Trace, layers_of
from textlrp.lrp.trace_steps import Linear, Windows
from textlrp.lrp.window_maps import WinningWindows


class FusedRelevance(NamedTuple):
    """The relevance and the ledger of one batch.

    ``relevance`` (L, K) of all words, text after text; the ledger as E ``keys`` (step, cause) and their ``entries``
    (N, K, E).
    """

    relevance: Floats
    keys: tuple[tuple[str, str], ...]
    entries: Floats

    @property
    def ledger(self) -> dict[tuple[str, str], Floats]:
        """The ledger {(step, cause): (N, K)}."""
        return dict(zip(self.keys, np.moveaxis(self.entries, -1, 0), strict=True))


@torch_on_one_thread()
def propagate_fused(trace: Trace, composite: Composite, classes: Ids | None) -> FusedRelevance:
    """Propagate the scores of ``classes`` (N, K) of each text to its words.

    The result equals that of :func:`.propagate` up to rounding. If ``classes`` is None, all C classes are propagated
    in their order. ``trace`` must have ``windows``. Raises :class:`RuleError` as :func:`.propagate` does.
    """
    windows = trace.windows
    assert windows is not None
    output = windows.output
    rule_of = _rules(trace, composite)
    chosen: Any = ... if classes is None else (np.arange(len(classes))[:, None], classes)
    shares = rule_of(output.name).shares(output)
    seed = trace.scores.numpy()[chosen]
    flows = _output_flows(output, shares, chosen, seed)
    window_shares = _window_shares(trace, windows, [rule_of(name) for name in windows.filters])
    # in the dtype of the scores; the loop sets every entry
    relevance = np.empty((len(windows.words), seed.shape[1]), dtype=seed.dtype)
    ignored = np.empty_like(seed)
    window_relevance.propagate_winners(
        window_shares.shares,
        window_shares.scale,
        windows.bounds,
        flows.inputs,
        flows.weights,
        flows.factors,
        windows.where,
        windows.words,
        windows.starts,
        classes,
        relevance,
        ignored,
    )
    # The ledger is computed from the fractions that the rules absorb, and never as score - relevance: otherwise its
    # sum could not reveal an error.
    absorbed = {cause: entry.expand_as(trace.scores).numpy() for cause, entry in shares.absorbed.items()}
    keys = [(output.name, cause) for cause in absorbed]
    keys += [(name, cause) for name in windows.filters for cause in window_shares.absorbed]
    entries = np.empty((*seed.shape, len(keys) + 1), dtype=seed.dtype)
    for column, entry in enumerate(absorbed.values()):
        entries[..., column] = seed * entry[chosen]
    filters = list(windows.filters.values())
    entries[..., len(absorbed) : -1] = _absorbed(filters, window_shares.absorbed, flows, classes)
    entries[..., -1] = ignored
    return FusedRelevance(relevance, (*keys, (windows.lookup, "ignored")), entries)


def _rules(trace: Trace, composite: Composite) -> Callable[[str], Rule]:
    """Return a function from the name of a layer to its rule.

    Raises :class:`RuleError` if the composite names a layer that the trace does not have.
    """
    if not composite.layers:  # convolutions and the output layer have the default; the steps need not be created
        return lambda name: composite.default
    layers = [layer for layer in layers_of(trace) if layer is not None]
    composite.check(layers)
    return {layer.name: composite.rule_for(layer) for layer in layers}.__getitem__


class _WindowShares(NamedTuple):
    """How each filter distributes its relevance.

    A word of the winning window receives the fraction ``shares`` (N, S) × ``scale`` (N, F). ``absorbed`` is
    cause -> fraction (N, F), or broadcasts against it.
    """

    shares: Floats
    scale: Floats
    absorbed: dict[str, Tensor]


def _window_shares(trace: Trace, windows: Windows, rules: Sequence[Rule]) -> _WindowShares:
    """Evaluate the rule of each convolution: the fractions for the words of each window, and those absorbed."""
    if all(rule == rules[0] for rule in rules):  # one rule is evaluated once for the filters of all convolutions
        shares = rules[0].shares(_AllConvolutions(trace, windows))
        if len(shares.flows) == 1 and shares.flows[0].part is Part.PRODUCT:
            # LRP-0 and epsilon: the forward pass has computed the products a w. The factor 1 / (z + ε sign z) is
            # passed as ``scale``; the loop multiplies by it once per filter, and the products are not copied.
            scale = shares.flows[0].factor.expand_as(windows.outputs).contiguous()
            return _WindowShares(windows.products.numpy(), scale.numpy(), shares.absorbed)
        sizes = list(windows.filters.values())
        factors = [
            (part, torch.split(factor.expand_as(windows.outputs), sizes, dim=1)) for part, factor in shares.flows
        ]
        flows = [[Flow(part, split[layer]) for part, split in factors] for layer in range(len(sizes))]
        absorbed = shares.absorbed
    else:
        per_layer = [rule.shares(step) for step, rule in zip(_convolutions(trace, windows), rules, strict=True)]
        flows, absorbed = [list(layer.flows) for layer in per_layer], {}
        for cause in dict.fromkeys(cause for layer in per_layer for cause in layer.absorbed):
            nothing = windows.outputs.new_zeros(())
            entries = [
                layer.absorbed.get(cause, nothing).expand(len(windows.outputs), filters)
                for layer, filters in zip(per_layer, windows.filters.values(), strict=True)
            ]
            absorbed[cause] = torch.cat(entries, dim=1)
    words = [
        _word_shares(step, layer).flatten(1) for step, layer in zip(_convolutions(trace, windows), flows, strict=True)
    ]
    return _WindowShares(torch.cat(words, dim=1).numpy(), torch.ones_like(windows.outputs).numpy(), absorbed)


def _convolutions(trace: Trace, windows: Windows) -> list[Linear]:
    return [step for step in trace.steps if isinstance(step, Linear) and step.name in windows.filters]


class _AllConvolutions:
    """The outputs of all convolutions as the outputs of one step, so that their common rule is evaluated once."""

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


class _OutputFlows(NamedTuple):
    """The flows from the scores to the filters: ``inputs`` (P, N, F), ``weights`` (P, F, C), ``factors`` (P, N, K).

    Filter f receives sum_p inputs[p, n, f] weights[p, f, class] factors[p, n, k] of the relevance of a class.
    """

    inputs: Floats
    weights: Floats
    factors: Floats


def _output_flows(output: Linear, shares: Shares, chosen: Any, seed: Floats) -> _OutputFlows:
    map = output.map
    assert isinstance(map, Dense)
    flows: list[tuple[Floats, Floats, Floats]] = []
    for part, factor in shares.flows:
        seeded = factor.expand_as(output.outputs).contiguous().numpy()[chosen] * seed
        for pair in factor_pairs(part, map.inputs, map.weight):
            inputs = pair.inputs.expand_as(map.inputs).numpy()
            # After a ReLU no input is negative, so that one of the two pairs of a signed part is often 0 throughout.
            # The first pair is always kept: the loop needs at least one.
            if not flows or (inputs.any() and seeded.any()):
                weight = pair.weight.expand_as(map.weight).numpy()
                flows.append((np.ascontiguousarray(inputs), np.ascontiguousarray(weight.T), seeded))
    if len(flows) == 1:
        inputs, weights, factors = flows[0]
        return _OutputFlows(inputs[None], weights[None], factors[None])
    return _OutputFlows(*(np.stack(column) for column in zip(*flows, strict=True)))


def _absorbed(
    filters: Sequence[int], absorbed: Mapping[str, Tensor], flows: _OutputFlows, classes: Ids | None
) -> Floats:
    """The relevance that each of W convolutions absorbs for each of Q causes: (N, K, W × Q).

    ``filters`` is the number of filters of each convolution; ``absorbed`` the fractions (N, F) by cause; ``classes``
    (N, K) as in :func:`propagate_fused`.
    """
    documents, targets = flows.factors.shape[1:]
    entries = np.zeros((len(filters), len(absorbed), documents, targets), dtype=flows.factors.dtype)
    for inputs, weight, factor in zip(*flows, strict=True):
        values = np.empty((len(absorbed), *inputs.shape), dtype=inputs.dtype)
        for row, fraction in enumerate(absorbed.values()):
            np.multiply(fraction.numpy(), inputs, out=values[row])
        first = 0
        for layer, count in zip(entries, filters, strict=True):
            last = first + count
            layer += _times_weight(values[..., first:last], weight[first:last], classes) * factor
            first = last
    return entries.reshape(-1, documents, targets).transpose(1, 2, 0)


def _times_weight(values: Floats, weight: Floats, classes: Ids | None) -> Floats:
    """``values`` (Q, N, F) @ ``weight`` (F, C) at the ``classes`` (N, K), or at all classes: (Q, N, K)."""
    if classes is not None and 4 * classes.shape[1] < weight.shape[1]:  # few classes of many: gather their columns
        return np.asarray(np.einsum("qnf,nkf->qnk", values, weight.T[classes]))
    # torch and not numpy: the threads of numpy's BLAS are a second pool, which would compete with those of the loops
    every = (torch.from_numpy(values) @ torch.from_numpy(weight)).numpy()
    return every if classes is None else np.take_along_axis(every, classes[None], axis=2)


def _word_shares(step: Linear, flows: Sequence[Flow]) -> Tensor:
    """The fraction of the relevance of a filter that each word of its window receives: (N, F, H)."""
    map = step.map
    assert isinstance(map, WinningWindows)
    return sum_tensors([map.contributions(part) * factor[..., None] for part, factor in flows])
