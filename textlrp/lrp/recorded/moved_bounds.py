"""The bounds of values that an operation moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from textlrp.lrp.maps import Bounds
from textlrp.lrp.shares import Box


def moved_bounds(
    boxes: Sequence[Bounds], replay: Callable[[Sequence[Tensor]], Tensor], reached: Tensor | None
) -> Bounds:
    """The bounds of values, moved as the values are; padding gets the bounds of the values next to it."""

    def moved() -> Box:
        ends = list(zip(*(box() for box in boxes), strict=True))
        # clones, because the operation may work in place
        return Box(*(_with_padding(list(end), replay([each.clone() for each in end]), reached) for end in ends))

    return moved


def _with_padding(before: Sequence[Tensor], after: Tensor, reached: Tensor | None) -> Tensor:
    """The moved bounds ``after``, with those of padding taken from the edge of the axis that has grown."""
    if reached is None or len(before) > 1 or before[0].dim() != after.dim():
        return after
    grown = [axis for axis in range(after.dim()) if before[0].shape[axis] != after.shape[axis]]
    edge = before[0].narrow(grown[0], 0, 1) if len(grown) == 1 else torch.zeros((), dtype=after.dtype)
    return torch.where(reached == 0, edge, after)
