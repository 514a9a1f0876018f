"""The trace of a forward pass, and the propagation of relevance through it.

A :class:`Trace` lists the steps of a model on a batch. Each step names the values that it reads and the value that
it writes, and can propagate the relevance (K, N, ...) of the written value to the values read
(:mod:`textlrp.lrp.trace_steps`). :func:`propagate` visits the steps in reverse order, adds up the relevance of a
value that several steps read, and keeps the ledger. Open this module to see how LRP runs through any model of this
package.

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
    """The steps of a model on one batch.

    ``steps`` are in forward order. ``scores`` (N, C) is the value named ``output``; relevance is propagated to the
    value named ``input``. ``elements`` is the number of elements of the largest value (all documents together), which
    bounds the memory that propagation needs. ``windows`` has the winning windows of all convolutions if only
    convolutions with max-pooling read the words, and is None otherwise; with it,
    :func:`textlrp.lrp.fused.propagate_fused` can propagate in one sweep.
    """

    steps: Sequence[Step]
    scores: Tensor
    input: str = "words"
    output: str = "scores"
    elements: int = 1
    windows: Windows | None = None

    @property
    def seed_scores(self) -> Tensor:
        """The scores (N, C) that propagation starts from.

        For a linear model, a score of exactly 0 is replaced by the smallest normal number. A seed of 0 would mean
        that the class is not explained.
        """
        direct = any(isinstance(step, Linear) and step.direct is not None for step in self.steps)
        return without_zeros(self.scores) if direct else self.scores


class Propagated(NamedTuple):
    """The result of :func:`propagate`.

    ``relevance`` (K, N, T) of the input, ``ledger`` {(step, cause): (K, N)}, and ``watched``: the relevance
    (K, N, ...) of each value that was named in ``watch``.
    """

    relevance: Tensor
    ledger: Mapping[tuple[str, str], Tensor]
    watched: Mapping[str, Tensor]


BACKWARD_ELEMENTS = 1 << 25
"""Targets are propagated together as long as the largest tensor stays below this number of elements."""


def propagate(trace: Trace, composite: Composite, seed: Tensor, *, watch: Sequence[str] = ()) -> Propagated:
    """Propagate relevance from the scores to the words.

    ``seed`` (K, N, C) is the relevance of the scores: for each target its score at its class, and 0 elsewhere
    (:func:`one_hot_seed`). For each target and document ``relevance.sum() + ledger.sum() == seed.sum()``. The
    relevance (K, N, ...) of the values named in ``watch`` is returned too.

    Raises :class:`RuleError` if the composite names a layer that the trace does not have, or a rule does not fit its
    layer.
    """
    layers = layers_of(trace)
    composite.check([layer for layer in layers if layer is not None])
    targets = max(1, BACKWARD_ELEMENTS // max(1, trace.elements))
    chunks = [_propagate_chunk(trace, layers, composite, chunk, watch) for chunk in torch.split(seed, targets)]
    ledger = {key: torch.cat([chunk.ledger[key] for chunk in chunks]) for key in chunks[0].ledger}
    watched = {key: torch.cat([chunk.watched[key] for chunk in chunks]) for key in chunks[0].watched}
    return Propagated(torch.cat([chunk.relevance for chunk in chunks]), ledger, watched)


def layers_of(trace: Trace) -> list[Layer | None]:
    """The layer of each step, as a composite sees it; None for a step without a rule.

    Depth and height count the weighted layers on the longest path from the words and to the scores.
    """
    below: dict[str, int] = {}  # value -> weighted layers between the words and that value
    for step in trace.steps:
        depth = max((below.get(value, 0) for value in step.reads), default=0)
        below[step.writes] = max(below.get(step.writes, 0), depth + _is_weighted(step))
    above: dict[str, int] = {}  # value -> weighted layers between that value and the scores
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


def _propagate_chunk(
    trace: Trace, layers: Sequence[Layer | None], composite: Composite, seed: Tensor, watch: Sequence[str]
) -> Propagated:
    relevance: dict[str, Tensor] = {trace.output: seed}
    ledger: dict[tuple[str, str], Tensor] = {}
    watched: dict[str, Tensor] = {}
    for step, layer in zip(reversed(trace.steps), reversed(layers), strict=True):
        arriving = relevance.pop(step.writes, None)
        if arriving is None:  # no later step read this value
            continue
        if step.writes in watch:
            watched[step.writes] = arriving
        received, absorbed = step.back(arriving, composite.default if layer is None else composite.rule_for(layer))
        for value, part in zip(step.reads, received, strict=True):
            relevance[value] = relevance[value] + part if value in relevance else part
        for cause, entry in absorbed.items():
            key = (step.name, cause)  # a layer that is called twice has two steps of one name
            ledger[key] = ledger[key] + entry if key in ledger else entry
    return Propagated(relevance[trace.input], ledger, watched)


def by_dimension(trace: Trace) -> tuple[Trace, str]:
    """Return a trace that keeps the relevance of each dimension of the word vectors, and the value to watch.

    ``propagate(trace, ..., watch=(value,)).watched[value]`` is (K, N, T, D). Raises :class:`RuleError` for a trace
    without a closed-form look-up of word vectors.
    """
    lookup = next((step for step in trace.steps if isinstance(step, Lookup)), None)
    readers = [step.map for step in trace.steps if isinstance(step, Linear) and isinstance(step.map, VectorMap)]
    if lookup is None or not readers:
        raise RuleError(
            "this model does not look up word vectors in closed form, so there is no relevance by dimension. Use a "
            "CNNClassifier or a BagOfEmbeddingsClassifier."
        )
    steps = tuple(
        replace(step, map=ByDimension(step.map), direct=None if step.direct is None else ByDimension(step.map))
        if isinstance(step, Linear) and isinstance(step.map, VectorMap)
        else step
        for step in trace.steps
    )
    largest = max(trace.elements, lookup.grid().numel() * readers[0].vectors.shape[1])
    return replace(trace, steps=steps, elements=largest, windows=None), lookup.writes


def one_hot_seed(scores: Tensor, targets: Sequence[int | tuple[int, int]]) -> Tensor:
    """Return the seed (K, N, C) of K targets for ``scores`` (N, C).

    A target is the index of a class, seeded with its score, or a contrast (A, B), seeded with +score_A at A and
    -score_B at B.
    """
    seed = scores.new_zeros((len(targets), *scores.shape))
    for k, target in enumerate(targets):
        plus, minus = target if isinstance(target, tuple) else (target, None)
        seed[k, :, plus] += scores[:, plus]
        if minus is not None:
            seed[k, :, minus] -= scores[:, minus]
    return seed
