"""The way back through a convolutional net with max pooling, in one sweep: :func:`propagate` for that one tape.

Only the winning windows carry relevance, and how a window's relevance splits over its words does not depend on the
class. So the rules are asked once per filter, and each filter hands what it gets of every class straight to its
words: nothing of size (K × N × F) or (K × N × T × D) is made. Every rule goes this way, for a rule says no more than
which parts of the products flow and what is absorbed.

Letters: N documents, L words of all of them end to end, C classes, K of them explained, F filters, H window width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp import kernels
from textlrp.lrp.composite import Composite
from textlrp.lrp.kernels import Floats, Ids
from textlrp.lrp.maps import Dense, WinningWindows, sides
from textlrp.lrp.rules import Box, Flow, Part, Rule, Shares
from textlrp.lrp.trace import Concat, Linear, Lookup, Routing, Trace, layers_of, sum_tensors


class Landed(NamedTuple):
    """``relevance`` (L, K) of all words, text after text, and the ``ledger`` {(step, cause): (N, K)}."""

    relevance: Floats
    ledger: dict[tuple[str, str], Floats]


class WindowTape(NamedTuple):
    """The steps of a tape that reads word vectors, keeps winning windows, and ends in one dense layer."""

    lookup: Lookup
    convolutions: tuple[Linear, ...]
    output: Linear


def window_tape(trace: Trace) -> WindowTape | None:
    """The steps of a tape that :func:`land` can lead back; None for any other."""
    lookup, *middle = trace.steps
    if not (isinstance(lookup, Lookup) and len(middle) >= 4 and len(middle) % 2 == 0):
        return None
    *pairs, concat, output = middle
    convolutions, relus = pairs[::2], pairs[1::2]
    known = (
        all(isinstance(step, Linear) and isinstance(step.map, WinningWindows) for step in convolutions)
        and all(isinstance(step, Routing) and step.kind == "relu" for step in relus)
        and isinstance(concat, Concat)
        and isinstance(output, Linear)
        and isinstance(output.map, Dense)
    )
    return WindowTape(lookup, tuple(convolutions), output) if known else None  # type: ignore[arg-type]


def land(trace: Trace, composite: Composite, classes: Ids, lengths: Ids) -> Landed:
    """Lead the scores of ``classes`` (N, K) of each text back to its words, as :func:`propagate` does.

    ``lengths`` (N,) words of each text; ``trace`` must be a :func:`window_tape`. Raises :class:`RuleError` as
    :func:`propagate` does.
    """
    tape = window_tape(trace)
    assert tape is not None
    layers = layers_of(trace)
    composite.check([layer for layer in layers if layer is not None])
    rule_of = {layer.name: composite.rule_for(layer) for layer in layers if layer is not None}
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = _read_ids(tape.lookup.read, lengths)

    output = tape.output
    shares = rule_of[output.name].shares(output)
    chosen = (np.arange(len(classes))[:, None], classes)
    seed = trace.scores.numpy()[chosen]
    parts = _parts(output, shares, chosen, seed)
    relevance = np.zeros((len(ids), classes.shape[1]), dtype=seed.dtype)
    unread = np.zeros_like(seed)
    ledger = {
        (output.name, cause): seed * _full(entry, output).numpy()[chosen] for cause, entry in shares.absorbed.items()
    }
    windows = _window_shares(tape.convolutions, rule_of)
    entries = np.zeros((len(tape.convolutions), len(windows.causes), *seed.shape), dtype=seed.dtype)
    kernels.land_winners(
        windows.shares,
        windows.bounds,
        windows.step,
        parts.sides,
        parts.weights,
        parts.factors,
        windows.absorbed,
        windows.where,
        ids,
        starts,
        classes,
        relevance,
        unread,
        entries,
    )
    for step, own in zip(tape.convolutions, entries, strict=True):
        ledger |= {(step.name, cause): entry for cause, entry in zip(windows.causes, own, strict=True)}
    ledger[(tape.lookup.name, "unread")] = unread
    return Landed(relevance, ledger)


class _WindowShares(NamedTuple):
    """What becomes of the relevance of the filters of all widths; shapes as in :func:`kernels.land_winners`."""

    shares: Floats
    bounds: Ids
    step: Ids
    where: NDArray[np.int32]
    causes: tuple[str, ...]
    absorbed: Floats


def _window_shares(convolutions: Sequence[Linear], rule_of: Mapping[str, Rule]) -> _WindowShares:
    """Ask the rule of each convolution which fraction goes to each word of a window and which is absorbed."""
    flows, absorbed = _shares_of_all(convolutions, [rule_of[step.name] for step in convolutions])
    shares, sizes = [], []
    for step, own in zip(convolutions, flows, strict=True):
        assert isinstance(step.map, WinningWindows)
        shares.append(_word_shares(step.map, own).flatten(1))
        sizes.append(step.map.products.shape[1:])
    filters, widths = np.array(sizes, dtype=np.int64).T
    return _WindowShares(
        torch.cat(shares, dim=1).numpy(),
        np.concatenate([[0], np.cumsum(np.repeat(widths, filters))]),
        np.repeat(np.arange(len(widths)), filters),
        torch.cat([step.map.start for step in convolutions], dim=1).numpy().astype(np.int32),  # type: ignore[attr-defined]
        tuple(absorbed),
        torch.stack(list(absorbed.values())).numpy(),
    )


@dataclass(frozen=True, slots=True)
class _SideBySide:
    """The outputs of several convolutions as those of one step, so that a rule they share is asked once."""

    name: str
    steps: tuple[Linear, ...]
    outputs: Tensor
    bias: Tensor

    @property
    def bounds(self) -> Box | None:
        return self.steps[0].bounds

    def total(self, part: Part | Box) -> Tensor:
        return torch.cat([step.total(part).expand_as(step.outputs) for step in self.steps], dim=1)


def _shares_of_all(
    convolutions: Sequence[Linear], rules: Sequence[Rule]
) -> tuple[list[list[Flow]], dict[str, Tensor]]:
    """The flows of each convolution, and what is absorbed of all filters (N, F): cause -> fraction."""
    if all(rule == rules[0] for rule in rules):
        outputs = torch.cat([step.outputs for step in convolutions], dim=1)
        bias = torch.cat([step.bias for step in convolutions])
        every = rules[0].shares(_SideBySide(convolutions[0].name, tuple(convolutions), outputs, bias))
        sizes = [step.outputs.shape[1] for step in convolutions]
        pieces = [(part, torch.split(factor.expand_as(outputs), sizes, dim=1)) for part, factor in every.flows]
        flows = [[Flow(part, own[place]) for part, own in pieces] for place in range(len(sizes))]
        return flows, {cause: entry.expand_as(outputs) for cause, entry in every.absorbed.items()}
    found = [rule.shares(step) for step, rule in zip(convolutions, rules, strict=True)]
    absorbed = {}
    for cause in dict.fromkeys(cause for own in found for cause in own.absorbed):
        entries = [
            own.absorbed.get(cause, step.outputs.new_zeros(())).expand_as(step.outputs)
            for step, own in zip(convolutions, found, strict=True)
        ]
        absorbed[cause] = torch.cat(entries, dim=1)
    return [list(own.flows) for own in found], absorbed


class _Parts(NamedTuple):
    """What flows from the scores to the filters: sides (P, N, F), weights (P, F, C), factors (P, N, K)."""

    sides: Floats
    weights: Floats
    factors: Floats


def _parts(output: Linear, shares: Shares, chosen: tuple[Ids, Ids], seed: Floats) -> _Parts:
    map = output.map
    assert isinstance(map, Dense)
    found: list[tuple[Tensor, Tensor, Floats]] = []
    for part, factor in shares.flows:
        wanted = _full(factor, output).numpy()[chosen] * seed
        for side in sides(part, map.inputs, map.weight):
            inputs, weight = side.inputs.expand_as(map.inputs), side.weight.expand_as(map.weight)
            if bool(inputs.any()) and wanted.any():  # behind a ReLU no input is negative
                found.append((inputs, weight.T, wanted))
    if not found:
        found.append((torch.zeros_like(map.inputs), map.weight.T, np.zeros_like(seed)))
    return _Parts(
        torch.stack([inputs for inputs, _, _ in found]).numpy(),
        torch.stack([weight for _, weight, _ in found]).numpy(),
        np.stack([factor for _, _, factor in found]),
    )


def _word_shares(map: WinningWindows, flows: Sequence[Flow]) -> Tensor:
    """(N, F, H): the fraction of a filter's relevance that each word of its window gets."""
    return sum_tensors([map.contributions(part) * factor[..., None] for part, factor in flows])


def _full(entry: Tensor, step: Linear) -> Tensor:
    return entry.expand_as(step.outputs).contiguous()


def _read_ids(read: Tensor, lengths: Sequence[int] | Ids) -> Ids:
    """(L,) 1 where the model knows the word, 0 where not: all that the landing asks of an id."""
    inside = np.arange(read.shape[1]) < np.asarray(lengths)[:, None]
    return read.numpy()[inside].astype(np.int64)
