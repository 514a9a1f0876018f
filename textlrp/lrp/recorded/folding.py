"""Simplify a complete recorded trace: fold steps into others, and mark models that are linear in their words.

BatchNorm, and the addition of a bias, become part of the weighted step before them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from textlrp.lrp.composite import UNWEIGHTED
from textlrp.lrp.recorded.steps import Applied, Fold, Moved, TokenLookup
from textlrp.lrp.recorded.watch import MOVES
from textlrp.lrp.trace_steps import Linear, Step, without_zeros


def folded(recorded: Sequence[Step], folds: Mapping[str, Fold], scalable: Container[str]) -> list[Step]:
    """Return the steps, with scalings and shifts folded into the weighted step before them.

    ``folds`` has the scalings and shifts by the value that they write. One is folded only if no other step reads the
    output of the weighted step. A scaling needs an output in ``scalable``, which has one row of weights per channel.
    A shift alone needs a weighted step without a bias.
    """
    readers = Counter(value for step in recorded for value in step.reads)
    written: dict[str, int] = {}
    steps: list[Step] = []
    for step in recorded:
        fold = folds.get(step.writes)
        index = written.get(step.reads[0]) if fold is not None else None
        target = steps[index] if index is not None else None
        if (
            fold is not None
            and index is not None
            and isinstance(target, Linear)
            and isinstance(step, Linear)
            and isinstance(target.map, Applied)
            and target.kind in ("dense", "convolution")
            and readers[step.reads[0]] == 1
            and (step.reads[0] in scalable if fold.scale is not None else target.bias.dim() == 1)
        ):
            steps[index] = _merged(target, target.map, fold, step)
            written[step.writes] = index
        else:
            written[step.writes] = len(steps)
            steps.append(step)
    return steps


def _merged(linear: Linear, mapped: Applied, fold: Fold, after: Linear) -> Linear:
    weight, bias = mapped.weight, linear.bias
    if fold.scale is not None:
        weight = weight * fold.scale.reshape(-1, *(1 for _ in weight.shape[1:]))  # (F, ...)
        bias = bias * fold.scale.reshape(fold.shift.shape)
    return replace(
        linear, writes=after.writes, map=replace(mapped, weight=weight), bias=bias + fold.shift, outputs=after.outputs
    )


def with_direct(steps: Sequence[Step], output: str) -> list[Step]:
    """Return the steps, with their linear steps marked as ``direct`` if the scores are linear in the words.

    They are if the module consists of look-ups, moves, sums and one dense layer at the end. Inputs of 0 are replaced
    by the smallest normal number, so that the shares of an input that cancels to 0 are not lost
    (:attr:`.Linear.direct`).
    """
    *before, last = steps
    linear = isinstance(last, Linear) and last.kind == "dense" and last.writes == output
    if not linear or not all(_is_plain_move(step) or _is_sum(step) for step in before):
        return list(steps)
    return [_direct(step) if isinstance(step, Linear) else step for step in steps]


def _direct(step: Linear) -> Linear:
    assert isinstance(step.map, Applied)
    return replace(step, direct=replace(step.map, inputs=without_zeros(step.map.inputs)))


def _is_plain_move(step: Step) -> bool:
    if isinstance(step, TokenLookup):
        return True
    return isinstance(step, Moved) and step.name.rstrip("0123456789").rstrip("_") in MOVES


def _is_sum(step: Step) -> bool:
    return isinstance(step, Linear) and step.kind in UNWEIGHTED and not step.bias.any()
