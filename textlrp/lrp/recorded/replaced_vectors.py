"""Run a module while its operations are observed, with the word vectors that it looks up or with others.

Used for recorded traces, for gradients, and for deleting words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.recorded.randomness import check_repeats, watched_generators
from textlrp.lrp.recorded.watch import Lookups, Watch, tensors_in

VectorChange = Callable[[int, Tensor, Tensor], Tensor]
"""change(number of the look-up, vectors (..., D), positions (...)) -> the vectors (..., D) to use instead."""


_LOCK = Lock()
_IN_EVAL_MODE: dict[int, tuple[int, bool]] = {}
"""id() of a submodule in eval mode -> the number of ``evaluating`` blocks it is in, and the mode it had before."""


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Set a module to eval mode inside the ``with`` block, and leave the caller's inference mode.

    At the end, each submodule is set to the mode it had. A submodule that several threads evaluate stays in eval mode
    until the last one ends.
    """
    parts, gradients = list(module.modules()), torch.is_grad_enabled()
    with _LOCK:
        for part in parts:
            blocks, training = _IN_EVAL_MODE.get(id(part), (0, part.training))
            _IN_EVAL_MODE[id(part)] = blocks + 1, training
            part.training = False  # not module.eval(), because a module may override it
    try:
        # inference_mode(False) alone would also enable gradients
        with torch.inference_mode(False), torch.set_grad_enabled(gradients):
            yield
    finally:
        with _LOCK:
            for part in parts:
                blocks, training = _IN_EVAL_MODE.pop(id(part))
                if blocks > 1:
                    _IN_EVAL_MODE[id(part)] = blocks - 1, training
                else:
                    part.training = training


def output_of(result: Any) -> Tensor:
    """Return the scores in the result of a module: its first floating-point tensor.

    Raises :class:`ModelError` if there is none.
    """
    scores = next((tensor for tensor in tensors_in(result) if tensor.is_floating_point()), None)
    if scores is None:
        raise ModelError(
            f"the module must return scores of shape (1, C) for one text; got a {type(result).__name__} without a "
            "floating-point tensor. Return the scores, or a tuple or dictionary whose first tensor is the scores."
        )
    return scores


def single_output(output: Tensor) -> Tensor:
    """Return the output for one text unchanged; raise :class:`ModelError` unless it is one vector or one number."""
    if output.numel() != max(output.shape, default=1):
        raise ModelError(
            f"the module must return scores of shape (1, C) for one text; got the shape {tuple(output.shape)}. Wrap "
            "it in a module that returns one score per class."
        )
    return output


def class_scores(output: Tensor, texts: int = 1) -> Tensor:
    """Return the scores (N, C) of the output for N texts; a single number f of a text means two classes, (-f, f)."""
    flat = output.reshape(texts, -1)
    return torch.cat([-flat, flat], dim=1) if flat.shape[1] == 1 else flat.clone()


def watched_output(
    module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any], watch: Watch, again: Callable[[], Watch]
) -> Tensor:
    """Return the output of a module in eval mode for ids (N, T), while ``watch`` observes it.

    Raises :class:`ModelError` if it draws random numbers and its output differs under the watches that ``again``
    creates.
    """

    def once(watch: Watch) -> Tensor:
        with watch:
            return output_of(forward(ids))

    with evaluating(module):
        with watched_generators() as draws:
            output = once(watch)
            draws.operation = watch.draws
        with torch.no_grad():
            check_repeats(output, lambda: once(again()), draws)
    return output


# ---- replaced word vectors


class VectorReplacement(Watch):
    """Replaces every looked-up vector by the result of ``change``."""

    def __init__(self, ids: Tensor, change: VectorChange, skip: int | None = None) -> None:
        super().__init__(ids, skip)
        self.change = change
        self.lookups = 0

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        changed = self.change(self.lookups, vectors, positions)
        self.lookups += 1
        return super().looked_up(changed, positions, arguments)


def scores_with_vectors(
    module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any], change: VectorChange, skip: int | None
) -> Tensor:
    """Return the pre-softmax scores (1, C) of the text ``ids`` (1, T) with replaced vectors, differentiably."""
    return class_scores(single_output(output_with_vectors(module, ids, forward, change, skip)))


def output_with_vectors(
    module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any], change: VectorChange, skip: int | None
) -> Tensor:
    """Return the pre-softmax output of the module, of any shape, for texts (N, T) with replaced vectors."""
    again = partial(VectorReplacement, ids, change, skip)
    return watched_output(module, ids, forward, again(), again)


def replacing(vectors_of_words: Tensor, sizes: Sequence[int]) -> VectorChange:
    """Replace the vectors of words by others (..., D), in the order of their positions.

    D is the sum of ``sizes``, one for each embedding that the module looks up.
    """
    tables = torch.split(vectors_of_words.flatten(end_dim=-2), list(sizes), dim=1)

    def change(number: int, vectors: Tensor, positions: Tensor) -> Tensor:
        return torch.where((positions >= 0)[..., None], tables[number][positions.clamp(min=0)], vectors)

    return change


def squashes_in(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> int:
    """Return the number of softmax and sigmoid operations in a forward pass, which may depend on the words."""
    watch = Watch(ids)
    with evaluating(module), torch.no_grad(), watch:
        forward(ids)
    return watch.squashes


def looked_up_vectors(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> list[Tensor]:
    """Return the vectors (T, D) of the words, in their order, for each look-up of the module."""
    tables: list[Tensor] = []

    def keep(number: int, vectors: Tensor, positions: Tensor) -> Tensor:
        rows = vectors.new_zeros(ids.numel(), vectors.shape[-1])
        is_word = positions >= 0
        rows[positions[is_word]] = vectors[is_word].detach()
        tables.append(rows)
        return vectors

    with torch.no_grad():
        scores_with_vectors(module, ids, forward, keep, None)
    return tables
