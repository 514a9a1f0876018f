"""What is known of recorded steps only once all are there: which fold into others, and which are ``direct``.

BatchNorm, and a bias of its own, become part of the weighted step before them.
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
    """The steps, with each scaling and shifting (``folds``, by the value it writes) inside the step it alone reads.

    Only a value that is ``scalable`` has one row of weights for each channel, and only a step without a bias takes a
    shift that comes alone.
    """
    readers = Counter(value for step in recorded for value in step.reads)
    written: dict[str, int] = {}
    steps: list[Step] = []
    for step in recorded:
        fold = folds.get(step.writes)
        place = written.get(step.reads[0]) if fold is not None else None
        target = steps[place] if place is not None else None
        if (
            fold is not None
            and place is not None
            and isinstance(target, Linear)
            and isinstance(step, Linear)
            and isinstance(target.map, Applied)
            and target.kind in ("dense", "convolution")
            and readers[step.reads[0]] == 1
            and (step.reads[0] in scalable if fold.scale is not None else target.bias.dim() == 1)
        ):
            steps[place] = _merged(target, target.map, fold, step)
            written[step.writes] = place
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
    """The steps, marked as ``direct`` where the scores are linear in the words: look-ups, moves, sums, one layer.

    A sum that happens to be 0 is the smallest number instead, so that the shares of its parts are not lost.
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
