"""The trace of an external torch module: its own forward pass, recorded from the token ids on.

Nothing is added to the module: no hooks, no attributes. Names come from the identity of its parameters, so that the
step of a convolution has the module's own name for it. The meaning of each operation is in
:mod:`textlrp.lrp.recorded.operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.maps import table_bounds
from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.folding import folded, with_direct
from textlrp.lrp.recorded.operations import handler_of
from textlrp.lrp.recorded.randomness import is_random, names
from textlrp.lrp.recorded.steps import TokenLookup
from textlrp.lrp.recorded.swapped_vectors import class_scores, single_output, watched_output
from textlrp.lrp.recorded.tape import Squash, Tape
from textlrp.lrp.recorded.watch import FRESH, LIKE, Lookups, Watch, tensors_in, written_in_place
from textlrp.lrp.shares import Box
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Routing, Step

WORDS, SCORES = "words", "scores"

CHOICES = names(
    "argmax argmin argsort argwhere nonzero count_nonzero topk sort msort max min kthvalue median nanmedian mode"
)
"""Operations whose whole numbers say which values were chosen: constants."""

_TO_PYTHON = names("item tolist float int index complex")
"""Operations that make Python's numbers of a tensor."""


class Recording(NamedTuple):
    """A trace with pre-softmax scores (1, C), the squash that was left out for it, and whether one output stands for
    two classes; ``squashes`` is how many there were in all."""

    trace: Trace
    squash: Squash | None
    single: bool
    squashes: int


class Recorder(Watch):
    """Writes a step for every operation on values that depend on the word vectors."""

    def __init__(self, module: nn.Module, ids: Tensor, skip: int | None = None) -> None:
        super().__init__(ids, skip)
        self._words = ids.numel()
        self.tape = Tape(module, self._words)
        self._stale: set[int] = set()  # storage of numbers that words were written into

    def place(self, operation: str) -> str:
        return self.tape.place(operation)

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        if arguments.max_norm is not None:
            raise ModelError("an embedding with max_norm changes its weights when it is read; set max_norm=None.")
        read = positions >= 0
        if arguments.padding is not None:
            read = read & (arguments.ids != arguments.padding)
        table = arguments.table.detach()
        name = self.tape.layers.get(id(arguments.table), "embedding")
        value = self.tape.write(vectors, "embedding")
        self.tape.boxes[value] = lambda: Box(*(end.expand_as(vectors) for end in table_bounds(table)))
        self.tape.steps.append(TokenLookup(name, (WORDS,), value, positions, read, self._words))
        return self.other("bag", Lookups.bag_of, (arguments, vectors), {}) if arguments.bag else vectors

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        tracked = [tensor for tensor in tensors_in((args, kwargs)) if id(tensor) in self.tape.values]
        written = written_in_place(function, args, kwargs)
        self._check_stale(operation, args, kwargs)
        if operation in FRESH:
            tracked = [tensor for tensor in tracked if tensor is not args[0]]
            if tracked:  # a number to fill with
                raise self._leaves(operation)
        if not tracked or (operation in LIKE and id(args[0]) not in self.tape.values):
            return function(*args, **kwargs)
        if is_random(operation, args, kwargs):
            raise ModelError(
                f"{self.place(operation)} draws random numbers in eval mode, so that the scores cannot be explained. "
                "Turn this off in eval mode, for instance with training=self.training."
            )
        for tensor in tracked:
            if self.tape.changed(tensor):
                raise self._through_a_view(operation)
        if operation in ("numpy", "array", "dlpack"):
            raise self._leaves(operation)
        before = {id(tensor): tensor.detach().clone() for tensor in (*tracked, *written)}
        names = {id(tensor): self.tape.values[id(tensor)].name for tensor in tracked}
        result = function(*args, **kwargs)
        self._check_result(operation, args, result)
        self._stale |= {tensor.untyped_storage().data_ptr() for tensor in written if id(tensor) not in names}
        if written or any(tensor.is_floating_point() for tensor in tensors_in(result)):
            call = Call(self.tape, operation, function, args, kwargs, result, before, names, self.squashes - 1)
            handler_of(call)(call)
        return result

    def _check_stale(self, operation: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Raise :class:`ModelError` on a tensor that shares its numbers with one that words were written into."""
        for tensor in tensors_in((args, kwargs)) if self._stale else ():
            if id(tensor) not in self.tape.values and tensor.untyped_storage().data_ptr() in self._stale:
                raise self._through_a_view(operation)

    def _check_result(self, operation: str, args: Sequence[Any], result: Any) -> None:
        """Raise :class:`ModelError` where numbers made from the words would be taken for constants.

        Comparisons and choices (:data:`CHOICES`) are constants, as they are for torch's gradient: which entries are
        positive, which is the largest. So is what the module itself detaches.
        """
        made = list(tensors_in(result))
        if any(tensor.is_complex() for tensor in made):
            raise ModelError(
                f"{self.place(operation)} makes complex numbers of values that depend on the words, and relevance "
                "is propagated through real numbers only; write the operation with real numbers."
            )
        if not made and operation in _TO_PYTHON and result is not None:
            raise self._leaves(operation)
        into = [args[0]] if operation == "setitem" else made
        whole = [tensor for tensor in into if not (tensor.is_floating_point() or tensor.dtype == torch.bool)]
        if whole and len(whole) == len(into) and operation not in CHOICES:
            raise ModelError(
                f"{self.place(operation)} makes whole numbers of values that depend on the words, which relevance "
                "cannot be propagated through. If they are meant as constants, call detach() first."
            )

    def _leaves(self, operation: str) -> ModelError:
        return ModelError(
            f"{self.place(operation)} leaves torch, where textlrp cannot follow; stay with tensors, or call detach() "
            "first if the numbers are meant as constants."
        )

    def _through_a_view(self, operation: str) -> ModelError:
        return ModelError(
            f"a value was changed in place through a view of it before {self.place(operation)}; "
            "write the result to a new tensor."
        )


def record(module: nn.Module, ids: Tensor, *, forward: Callable[[Tensor], Any] | None = None) -> Trace:
    """The trace of a module's forward pass on the token ids (1, T) of one text.

    ``forward`` calls the module where ``module(ids)`` is not enough. Scores are (1, C); for a module with a single
    output f they are (-f, f). A softmax or sigmoid at the very end is left out: scores are pre-softmax. The module is
    in eval mode meanwhile and unchanged afterwards. Raises :class:`ModelError` on an operation that cannot be led
    back, and on an output that is no vector of scores or does not depend on the ids.
    """
    return recording(module, ids, forward or module).trace


def recording(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> Recording:
    """:func:`record`, with what it found at the end of the module."""
    _check_not_compiled(module)
    squash: Squash | None = None
    with torch.inference_mode(False), torch.no_grad():
        while True:
            skip = None if squash is None else squash.ordinal
            recorder = Recorder(module, ids, skip)
            output = single_output(watched_output(module, ids, forward, recorder, partial(Watch, ids, skip)))
            value = recorder.tape.values.get(id(output))
            if value is None:
                raise ModelError(
                    "the module's output does not depend on the vectors of the token ids it was given; textlrp "
                    "follows the ids to a torch.nn.Embedding or EmbeddingBag, and not through detach() or numpy()."
                )
            if value.name not in recorder.tape.squashed:
                trace = _traced(recorder.tape, output, value.name)
                return Recording(trace, squash, output.numel() == 1, recorder.squashes)
            squash = recorder.tape.squashed[value.name]


def _check_not_compiled(module: nn.Module) -> None:
    """Raise :class:`ModelError` on a module with a compiled part, whose operations cannot be watched."""
    for name, part in module.named_modules():
        compiled = hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) is not None
        if compiled or isinstance(part, torch.jit.ScriptModule):
            which = f"the module {name!r}" if name else "the module"
            raise ModelError(
                f"{which} is compiled, and textlrp cannot see what it does; explain the module as it was before."
            )


def _traced(tape: Tape, output: Tensor, value: str) -> Trace:
    """The trace of a whole tape, whose ``value`` is the module's output."""
    steps = with_direct(folded(tape.steps, tape.folds, tape.scalable), value)
    return Trace((*steps, _at_the_end(output, value)), class_scores(output), WORDS, SCORES, tape.elements)


def _at_the_end(output: Tensor, name: str) -> Step:
    """The way from scores (1, C) to the module's own output."""
    single, shape = output.numel() == 1, output.shape

    def to_output(relevance: Tensor) -> Tensor:
        whole = relevance.sum(dim=-1, keepdim=True) if single else relevance
        return whole.reshape(*relevance.shape[:2], *shape)

    return Routing("scores", "scores", (name,), SCORES, to_output)
