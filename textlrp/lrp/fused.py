"""The way back through a convolutional net with max pooling, in one sweep: :func:`propagate` for that one tape.

Only the winning windows carry relevance, and how a window's relevance splits over its words does not depend on the
class. So the rules are asked once per filter, and each filter hands what it gets of every class straight to its
words: nothing of size (K × N × F) or (K × N × T × D) is made. Every rule goes this way, for a rule says no more than
which parts of the products flow and what is absorbed.

Letters: N documents, L words of all of them end to end, C classes, K of them explained, F filters, H window width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from textlrp.lrp import kernels
from textlrp.lrp.composite import Composite
from textlrp.lrp.kernels import Floats, Ids
from textlrp.lrp.maps import Dense, WinningWindows, sides
from textlrp.lrp.rules import Shares
from textlrp.lrp.trace import Concat, Linear, Lookup, Routing, Trace, layers_of


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
    seed = np.take_along_axis(trace.scores.numpy(), classes, axis=1)
    parts = _parts(output, shares, classes, seed)
    relevance = np.zeros((len(ids), classes.shape[1]), dtype=seed.dtype)
    unread = np.zeros_like(seed)
    ledger = {
        (output.name, cause): seed * np.take_along_axis(_full(entry, output).numpy(), classes, axis=1)
        for cause, entry in shares.absorbed.items()
    }
    ends = np.cumsum([0, *(step.outputs.shape[1] for step in tape.convolutions)])
    for step, (low, high) in zip(tape.convolutions, pairwise(ends.tolist()), strict=True):
        own = rule_of[step.name].shares(step)
        absorbed = torch.stack([_full(entry, step) for entry in own.absorbed.values()]).numpy()
        entries = np.zeros((len(absorbed), *seed.shape), dtype=seed.dtype)
        map = step.map
        assert isinstance(map, WinningWindows)
        kernels.land_winners(
            _word_shares(map, own).numpy(),
            np.ascontiguousarray(parts.sides[:, :, low:high]),
            np.ascontiguousarray(parts.weights[:, low:high]),
            parts.factors,
            absorbed,
            map.start.numpy().astype(np.int32),
            ids,
            starts,
            classes,
            relevance,
            unread,
            entries,
        )
        ledger |= {(step.name, cause): entry for cause, entry in zip(own.absorbed, entries, strict=True)}
    ledger[(tape.lookup.name, "unread")] = unread
    return Landed(relevance, ledger)


class _Parts(NamedTuple):
    """What flows from the scores to the filters: sides (P, N, F), weights (P, F, C), factors (P, N, K)."""

    sides: Floats
    weights: Floats
    factors: Floats


def _parts(output: Linear, shares: Shares, classes: Ids, seed: Floats) -> _Parts:
    map = output.map
    assert isinstance(map, Dense)
    found: list[tuple[Tensor, Tensor, Floats]] = []
    for part, factor in shares.flows:
        wanted = np.take_along_axis(_full(factor, output).numpy(), classes, axis=1) * seed
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


def _word_shares(map: WinningWindows, shares: Shares) -> Tensor:
    """(N, F, H): the fraction of a filter's relevance that each word of its window gets."""
    total = map.products.new_zeros(map.products.shape)
    for part, factor in shares.flows:
        total += map.contributions(part) * factor[..., None]
    return total


def _full(entry: Tensor, step: Linear) -> Tensor:
    return entry.expand_as(step.outputs).contiguous()


def _read_ids(read: Tensor, lengths: Sequence[int] | Ids) -> Ids:
    """(L,) 1 where the model knows the word, 0 where not: all that the landing asks of an id."""
    inside = np.arange(read.shape[1]) < np.asarray(lengths)[:, None]
    return read.numpy()[inside].astype(np.int64)
