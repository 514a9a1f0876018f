"""Run a module under a watch: as it is, or from other word vectors than those it looks up.

For recordings, for gradients and for leaving words out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.recorded.randomness import check_repeats, watched_generators
from textlrp.lrp.recorded.watch import Lookups, Watch, tensors_in

VectorChange = Callable[[int, Tensor, Tensor], Tensor]
"""(number of the look-up, vectors (..., D), positions (...)) -> vectors (..., D)."""


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode, and no inference mode of the caller's; each submodule's own mode is put back."""
    modes, gradients = [(part, part.training) for part in module.modules()], torch.is_grad_enabled()
    try:
        for part, _ in modes:  # not module.eval(), which a module may have made its own
            part.training = False
        with torch.inference_mode(False), torch.set_grad_enabled(gradients):  # the first alone would enable them
            yield
    finally:
        for part, training in modes:
            part.training = training


def output_of(result: Any) -> Tensor:
    """The scores in what a module returned, its first tensor of numbers; raises :class:`ModelError`."""
    found = next((tensor for tensor in tensors_in(result) if tensor.is_floating_point()), None)
    if found is None:
        raise ModelError(f"the module returned a {type(result).__name__} without scores; (1, C) of them are wanted.")
    return found


def single_output(output: Tensor) -> Tensor:
    """The same, if it is one vector or number as it should be for one text; raises :class:`ModelError`."""
    if output.numel() != max(output.shape, default=1):
        raise ModelError(
            f"the module's output for one text has the shape {tuple(output.shape)}; (1, C) scores are wanted."
        )
    return output


def class_scores(output: Tensor) -> Tensor:
    """(1, C) of a module's output for one text: a single number f stands for two classes, (-f, f)."""
    flat = output.reshape(1, -1)
    return torch.cat([-flat, flat], dim=1) if output.numel() == 1 else flat.clone()


def watched_output(
    module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any], watch: Watch, again: Callable[[], Watch]
) -> Tensor:
    """The output of a module in eval mode, for ids (N, T), under ``watch``.

    Raises :class:`ModelError` where it draws random numbers and gives another output under the watches of ``again``.
    """

    def once(watch: Watch) -> Tensor:
        with watch:
            return output_of(forward(ids))

    with evaluating(module):
        with watched_generators() as draws:
            output = once(watch)
            draws.noted = watch.draws
        with torch.no_grad():
            check_repeats(output, lambda: once(again()), draws)
    return output


# ---- other word vectors


class Swap(Watch):
    """Hands every looked-up vector through ``change``."""

    def __init__(self, ids: Tensor, change: VectorChange, skip: int | None = None) -> None:
        super().__init__(ids, skip)
        self.change = change
        self.lookups = 0

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        changed = self.change(self.lookups, vectors, positions)
        self.lookups += 1
        return super().looked_up(changed, positions, arguments)


def swapped_scores(
    module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any], change: VectorChange, skip: int | None
) -> Tensor:
    """(1, C) pre-softmax scores of the text ``ids`` (1, T) with its vectors changed; differentiable in them."""
    return class_scores(single_output(swapped(module, ids, forward, change, skip)))


def swapped(
    module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any], change: VectorChange, skip: int | None
) -> Tensor:
    """The pre-softmax output of the module, whatever its shape, for texts (N, T) with their vectors changed."""
    again = partial(Swap, ids, change, skip)
    return watched_output(module, ids, forward, again(), again)


def squashes_in(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> int:
    """How many softmax and sigmoid operations the forward pass has: a loop over the words may have one for each."""
    watch = Watch(ids)
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
