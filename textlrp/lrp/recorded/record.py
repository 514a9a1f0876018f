"""Record the trace of an external torch module: one forward pass, observed from the token ids on.

The module is not changed: it gets neither hooks nor attributes. A step is named after the layer whose parameters the
operation reads, so that a convolution has the name that it has in the module. How relevance passes through each
operation is defined in :mod:`textlrp.lrp.recorded.operations`. Open this module if a forward pass is refused or
recorded incorrectly.
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
from textlrp.lrp.recorded.replaced_vectors import class_scores, single_output, watched_output
from textlrp.lrp.recorded.steps import TokenLookup
from textlrp.lrp.recorded.trace_builder import Squash, TraceBuilder
from textlrp.lrp.recorded.untracked import check_not_compiled, check_not_quantized
from textlrp.lrp.recorded.watch import FRESH, LIKE, Lookups, Watch, tensors_in, written_in_place
from textlrp.lrp.shares import Box
from textlrp.lrp.trace import Trace
from textlrp.lrp.trace_steps import Routing, Step

WORDS, SCORES = "words", "scores"

CHOICES = names(
    "argmax argmin argsort argwhere nonzero count_nonzero topk sort msort max min kthvalue median nanmedian mode"
)
"""Operations that return indices or counts of chosen values; these integers are constants."""

_TO_PYTHON = names("item tolist float int index complex")
"""Operations that turn a tensor into Python numbers."""


class Recording(NamedTuple):
    """A recorded trace, and how the module ends.

    The scores of ``trace`` (1, C) are pre-softmax scores. ``squash`` is the softmax or sigmoid at the end that was
    left out, if any. ``single`` is whether one output is the score of two classes. ``squashes`` is the number of all
    softmax and sigmoid operations in the forward pass.
    """

    trace: Trace
    squash: Squash | None
    single: bool
    squashes: int


class Recorder(Watch):
    """Records a step for every operation on values that depend on the word vectors."""

    def __init__(self, module: nn.Module, ids: Tensor, skip: int | None = None) -> None:
        super().__init__(ids, skip)
        self._words = ids.numel()
        self.trace = TraceBuilder(module, self._words)
        self._stale: set[int] = set()  # storage of untracked tensors that tracked values were written into

    def describe(self, operation: str) -> str:
        return self.trace.describe(operation)

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        if arguments.max_norm is not None:
            raise ModelError(
                "max_norm of an embedding must be None; got "
                f"{arguments.max_norm!r}. With max_norm a look-up changes the weights. Set max_norm=None."
            )
        read = torch.ones_like(positions, dtype=torch.bool)
        if arguments.padding is not None:
            read = arguments.ids != arguments.padding
        table = arguments.table.detach()
        name = self.trace.layers.get(id(arguments.table), "embedding")
        value = self.trace.write(vectors, "embedding")
        self.trace.boxes[value] = lambda: Box(*(end.expand_as(vectors) for end in table_bounds(table)))
        self.trace.steps.append(TokenLookup(name, (WORDS,), value, positions, read, self._words))
        return self.other("bag", Lookups.bag_of, (arguments, vectors), {}) if arguments.bag else vectors

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        tracked = [tensor for tensor in tensors_in((args, kwargs)) if id(tensor) in self.trace.values]
        written = written_in_place(function, args, kwargs)
        self._check_stale(operation, args, kwargs)
        if operation in FRESH:
            tracked = [tensor for tensor in tracked if tensor is not args[0]]
            if tracked:  # the number to fill the new tensor with
                raise self._leaves_torch(operation)
        if operation in LIKE:
            tracked = [tensor for tensor in tracked if tensor is args[0]]
        if not tracked:
            result = function(*args, **kwargs)
            self.trace.constants.follow(operation, function, args, kwargs, result)
            return result
        if is_random(operation, args, kwargs):
            raise ModelError(
                f"{self.describe(operation)} draws random numbers in eval mode: the scores differ from call to call, "
                "so they cannot be explained. Turn this off in eval mode, for example with training=self.training."
            )
        for tensor in tracked:
            if self.trace.changed(tensor):
                raise self._through_a_view(operation)
        if operation in ("numpy", "array", "dlpack"):
            raise self._leaves_torch(operation)
        # clones: the operation, or a later one, may change its arguments in place
        before = {id(tensor): tensor.detach().clone() for tensor in (*tracked, *written)}
        names = {id(tensor): self.trace.values[id(tensor)].name for tensor in tracked}
        result = function(*args, **kwargs)
        self._check_result(operation, args, result)
        self._stale |= {tensor.untyped_storage().data_ptr() for tensor in written if id(tensor) not in names}
        if written or any(tensor.is_floating_point() for tensor in tensors_in(result)):
            ordinal, recorded = self.squashes - 1, self._recorded
            call = Call(self.trace, operation, function, args, kwargs, result, before, names, ordinal, recorded)
            handler_of(call)(call)
        return result

    def _recorded(self, function: Callable[[], Any]) -> Any:
        """Call a function and record its operations. They do not count as operations of the module."""
        squashes, skip = self.squashes, self.skip
        self.skip = None
        with self:
            result = function()
        self.squashes, self.skip = squashes, skip
        return result

    def _check_stale(self, operation: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Raise :class:`ModelError` on an untracked tensor whose memory tracked values were written into."""
        for tensor in tensors_in((args, kwargs)) if self._stale else ():
            if id(tensor) not in self.trace.values and tensor.untyped_storage().data_ptr() in self._stale:
                raise self._through_a_view(operation)

    def _check_result(self, operation: str, args: Sequence[Any], result: Any) -> None:
        """Raise :class:`ModelError` if a result that depends on the words would be treated as a constant.

        The results of comparisons and choices (:data:`CHOICES`) are constants, as they are for autograd: which
        entries are positive, which entry is the largest. So are values that the module detaches.
        """
        tensors = list(tensors_in(result))
        if any(tensor.is_complex() for tensor in tensors):
            raise ModelError(
                f"{self.describe(operation)} makes complex numbers of values that depend on the words. Relevance can "
                "only be propagated through real numbers. Write the operation with real numbers."
            )
        if not tensors and operation in _TO_PYTHON and result is not None:
            raise self._leaves_torch(operation)
        into = [args[0]] if operation == "setitem" else tensors
        whole = [tensor for tensor in into if not (tensor.is_floating_point() or tensor.dtype == torch.bool)]
        if whole and len(whole) == len(into) and operation not in CHOICES:
            raise ModelError(
                f"{self.describe(operation)} makes integers of values that depend on the words. Relevance cannot be "
                "propagated through integers. If they are meant as constants, call detach() first."
            )

    def _leaves_torch(self, operation: str) -> ModelError:
        return ModelError(
            f"{self.describe(operation)} turns tensors that depend on the words into numbers outside of torch, which "
            "textlrp cannot trace. Use tensors, or call detach() first if the numbers are meant as constants."
        )

    def _through_a_view(self, operation: str) -> ModelError:
        return ModelError(
            f"a tensor was changed in place through a view of it before {self.describe(operation)}, and textlrp "
            "cannot trace such a change. Write the result to a new tensor."
        )


def record(module: nn.Module, ids: Tensor, *, forward: Callable[[Tensor], Any] | None = None) -> Trace:
    """Record the forward pass of a module on the token ids (1, T) of one text, and return its trace.

    ``forward`` calls the module with the ids if ``module(ids)`` is not enough. Scores are (1, C); for a module with a
    single output f they are (-f, f). A softmax or sigmoid at the end is left out, so that scores are pre-softmax. The
    module is in eval mode during the recording and unchanged afterwards.

    Raises :class:`ModelError` if relevance cannot be propagated through an operation, and if the output is not a
    vector of scores or does not depend on the ids.
    """
    return recording(module, ids, forward or module).trace


def recording(module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> Recording:
    """As :func:`record`; the result also describes the end of the module."""
    check_not_compiled(module)
    check_not_quantized(module)
    squash: Squash | None = None
    with torch.inference_mode(False), torch.no_grad():
        while True:
            skip = None if squash is None else squash.ordinal
            recorder = Recorder(module, ids, skip)
            output = single_output(watched_output(module, ids, forward, recorder, partial(Watch, ids, skip)))
            recorder.trace.kept.check()
            value = recorder.trace.values.get(id(output))
            if value is None:
                raise ModelError(
                    "the output of the module does not depend on the vectors of the token ids. textlrp traces ids to "
                    "a torch.nn.Embedding or EmbeddingBag, but not through detach() or numpy(). Pass the ids to such "
                    "a layer."
                )
            if value.name not in recorder.trace.squashed:
                trace = _complete_trace(recorder.trace, output, value.name)
                return Recording(trace, squash, output.numel() == 1, recorder.squashes)
            squash = recorder.trace.squashed[value.name]


def _complete_trace(recorded: TraceBuilder, output: Tensor, value: str) -> Trace:
    """The trace of a complete recording; ``value`` names the output of the module."""
    steps = with_direct(folded(recorded.steps, recorded.folds, recorded.scalable), value)
    return Trace((*steps, _output_step(output, value)), class_scores(output), WORDS, SCORES, recorded.elements)


def _output_step(output: Tensor, name: str) -> Step:
    """The step that moves relevance from the scores (1, C) to the output in the layout of the module."""
    single, shape = output.numel() == 1, output.shape

    def to_output(relevance: Tensor) -> Tensor:
        whole = relevance.sum(dim=-1, keepdim=True) if single else relevance
        return whole.reshape(*relevance.shape[:2], *shape)

    return Routing("scores", "scores", (name,), SCORES, to_output)
