"""A module's forward pass from other word vectors than those it looks up: for gradients and for leaving words out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from textlrp.lrp.recorded.randomness import check_repeats, watched_generators
from textlrp.lrp.recorded.record import evaluating, output_of, scores_of, single_output
from textlrp.lrp.recorded.watch import Lookups, Watch

Change = Callable[[int, Tensor, Tensor], Tensor]
"""(number of the look-up, vectors (..., D), positions (...)) -> vectors (..., D)."""


class Swap(Watch):
    """Hands every looked-up vector through ``change``."""

    def __init__(self, ids: Tensor, change: Change, skip: int | None = None) -> None:
        super().__init__(ids, skip)
        self.change = change
        self.lookups = 0

    def looked_up(self, vectors: Tensor, positions: Tensor, call: Callable[..., Any], arguments: Lookups) -> Any:
        changed = self.change(self.lookups, vectors, positions)
        self.lookups += 1
        return arguments.bag_of(changed) if arguments.bag else changed


def swapped_scores(
    module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any], change: Change, skip: int | None
) -> Tensor:
    """(1, C) pre-softmax scores of the text ``ids`` (1, T) with its vectors changed; differentiable in them."""
    return scores_of(single_output(swapped(module, ids, forward, change, skip)))


def swapped(
    module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any], change: Change, skip: int | None
) -> Tensor:
    """The pre-softmax output of the module, whatever its shape, for texts (N, T) with their vectors changed."""

    def once() -> tuple[Tensor, str | None]:
        watch = Swap(ids, change, skip)
        with watch:
            return output_of(forward(ids)), watch.draws

    with evaluating(module):
        with watched_generators() as draws:
            output, draws.noted = once()
        with torch.no_grad():
            check_repeats(output, lambda: once()[0], draws)
    return output


def squashes_in(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> int:
    """How many softmax and sigmoid operations the forward pass has: a loop over the words may have one for each."""
    watch = Swap(ids, lambda number, vectors, positions: vectors)
    with evaluating(module), torch.no_grad(), watch:
        forward(ids)
    return watch.squashes


def looked_up_vectors(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> list[Tensor]:
    """(T, D) for each look-up of the module: the vectors of the words, in their order."""
    found: list[Tensor] = []

    def keep(number: int, vectors: Tensor, positions: Tensor) -> Tensor:
        rows = vectors.new_zeros(ids.numel(), vectors.shape[-1])
        here = positions >= 0
        rows[positions[here]] = vectors[here].detach()
        found.append(rows)
        return vectors

    with torch.no_grad():
        swapped_scores(module, ids, forward, keep, None)
    return found
