"""The tape of a forward pass, and the one walk back over it.

A :class:`Trace` lists what a model did to a batch. Each step names the values it reads and the value
it writes, and can lead the relevance (K, N, ...) of what it wrote back to what it read, together with
what it absorbed on the way. :func:`propagate` walks the tape backwards, adds up relevance where a value
was read more than once, and keeps the ledger.

Letters: N documents, T tokens, C classes, K explained targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from textlrp.errors import RuleError
from textlrp.lrp.composite import UNWEIGHTED, Composite, Layer
from textlrp.lrp.maps import ByDimension, VectorMap
from textlrp.lrp.trace_steps import Linear, Lookup, Step, Windows, without_zeros


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What a model did to a batch.

    ``steps`` in forward order; ``scores`` (N, C) is the value named ``output``; relevance is wanted at
    the value named ``input``. ``elements`` is the number of elements of the largest value in between
    (documents included): it bounds the memory of the way back. ``windows`` are those of all its convolutions, where
    they are all that a net reads words with: :func:`textlrp.lrp.fused.propagate_fused` then propagates in one sweep.
    """

    steps: Sequence[Step]
    scores: Tensor
    input: str = "words"
    output: str = "scores"
    elements: int = 1
    windows: Windows | None = None

    @property
    def seed_scores(self) -> Tensor:
        """The scores (N, C) to seed with: where a linear model's is exactly 0, the smallest number instead, which
        tells a class that is explained from one that is not."""
        direct = any(isinstance(step, Linear) and step.direct is not None for step in self.steps)
        return without_zeros(self.scores) if direct else self.scores


class Propagated(NamedTuple):
    """``relevance`` (K, N, T) of the input, the ``ledger`` {(step, cause): (K, N)}, and the values to ``watch``."""

    relevance: Tensor
    ledger: Mapping[tuple[str, str], Tensor]
    watched: Mapping[str, Tensor]


WAY_BACK_ELEMENTS = 1 << 25
"""Targets are led back together while their largest value stays below this many elements."""


def propagate(trace: Trace, composite: Composite, seed: Tensor, *, watch: Sequence[str] = ()) -> Propagated:
    """Lead relevance from the scores back to the words.

    ``seed`` (K, N, C) is the relevance of the scores: for one target class its score there and 0
    elsewhere. Returns relevance (K, N, T) and ledger; for each target and document
    ``relevance.sum() + ledger.sum() == seed.sum()``. The relevance (K, N, ...) that arrived at the values named in
    ``watch`` is kept too. Raises :class:`RuleError` if the composite names a layer that the trace does not have, or
    a rule cannot apply where it was put.
    """
    layers = layers_of(trace)
    composite.check([layer for layer in layers if layer is not None])
    together = max(1, WAY_BACK_ELEMENTS // max(1, trace.elements))
    pieces = [_walk_back(trace, layers, composite, piece, watch) for piece in torch.split(seed, together)]
    ledger = {key: torch.cat([piece.ledger[key] for piece in pieces]) for key in pieces[0].ledger}
    watched = {key: torch.cat([piece.watched[key] for piece in pieces]) for key in pieces[0].watched}
    return Propagated(torch.cat([piece.relevance for piece in pieces]), ledger, watched)


def layers_of(trace: Trace) -> list[Layer | None]:
    """Where each step stands: its name, kind, and the weighted layers between it and the words and the scores.

    None for the steps that no rule decides.
    """
    below: dict[str, int] = {}
    for step in trace.steps:
        depth = max((below.get(value, 0) for value in step.reads), default=0)
        below[step.writes] = max(below.get(step.writes, 0), depth + _is_weighted(step))
    above: dict[str, int] = {}
    for step in reversed(trace.steps):
        height = above.get(step.writes, 0) + _is_weighted(step)
        for value in step.reads:
            above[value] = max(above.get(value, 0), height)
    return [
        Layer(
            step.name,
            step.kind,
            max((below.get(value, 0) for value in step.reads), default=0) if _is_weighted(step) else None,
            above.get(step.writes, 0),
        )
        if step.ruled
        else None
        for step in trace.steps
    ]


def _is_weighted(step: Step) -> bool:
    return step.ruled and step.kind not in UNWEIGHTED


def _walk_back(
    trace: Trace, layers: Sequence[Layer | None], composite: Composite, seed: Tensor, watch: Sequence[str]
) -> Propagated:
    relevance: dict[str, Tensor] = {trace.output: seed}
    ledger: dict[tuple[str, str], Tensor] = {}
    watched: dict[str, Tensor] = {}
    for step, layer in zip(reversed(trace.steps), reversed(layers), strict=True):
        arriving = relevance.pop(step.writes, None)
        if arriving is None:  # a value nobody used
            continue
        if step.writes in watch:
            watched[step.writes] = arriving
        received, absorbed = step.back(arriving, composite.default if layer is None else composite.rule_for(layer))
        for value, part in zip(step.reads, received, strict=True):
            relevance[value] = relevance[value] + part if value in relevance else part
        for cause, entry in absorbed.items():
            key = (step.name, cause)  # a layer that was used twice has two steps
            ledger[key] = ledger[key] + entry if key in ledger else entry
    return Propagated(relevance[trace.input], ledger, watched)


def by_dimension(trace: Trace) -> tuple[Trace, str]:
    """The same tape, with relevance at the word vectors kept apart by dimension; and the value to watch for it.

    ``propagate(tape, ..., watch=(value,)).watched[value]`` is (K, N, T, D). Raises :class:`RuleError` for a trace
    that does not look word vectors up in closed form.
    """
    lookup = next((step for step in trace.steps if isinstance(step, Lookup)), None)
    readers = [step.map for step in trace.steps if isinstance(step, Linear) and isinstance(step.map, VectorMap)]
    if lookup is None or not readers:
        raise RuleError("this model reads no word vectors in closed form, so there is no relevance by dimension.")
    steps = tuple(
        replace(step, map=ByDimension(step.map), direct=None if step.direct is None else ByDimension(step.map))
        if isinstance(step, Linear) and isinstance(step.map, VectorMap)
        else step
        for step in trace.steps
    )
    largest = max(trace.elements, lookup.grid().numel() * readers[0].vectors.shape[1])
    return replace(trace, steps=steps, elements=largest, windows=None), lookup.writes


def one_hot_seed(scores: Tensor, targets: Sequence[int | tuple[int, int]]) -> Tensor:
    """The seed (K, N, C) of K targets: the score at the target; for a contrast (A, B) +score_A and -score_B."""
    seed = scores.new_zeros((len(targets), *scores.shape))
    for k, target in enumerate(targets):
        plus, minus = target if isinstance(target, tuple) else (target, None)
        seed[k, :, plus] += scores[:, plus]
        if minus is not None:
            seed[k, :, minus] -= scores[:, minus]
    return seed
