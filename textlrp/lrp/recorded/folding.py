"""BatchNorm, and a bias of its own, as part of the weighted step before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from textlrp.lrp.recorded.steps import Applied, Fold
from textlrp.lrp.trace import Linear, Step


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
