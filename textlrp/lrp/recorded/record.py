"""The trace of a foreign torch module: its own forward pass, watched from the token ids on.

Nothing is put on the module: no hooks, no attributes. Names come from the identity of its parameters, so that the
step of a convolution is called as the module calls that convolution. What each operation means is said in
:mod:`textlrp.lrp.recorded.operations`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.composite import UNWEIGHTED
from textlrp.lrp.maps import Bounds, table_bounds
from textlrp.lrp.recorded import arithmetic as arithmetic  # they fill the table of operations
from textlrp.lrp.recorded import operations as operations
from textlrp.lrp.recorded import recurrent_operations as recurrent_operations
from textlrp.lrp.recorded.calls import Call, handler_of
from textlrp.lrp.recorded.calls import register as register  # from here, so that the built-in table is there before
from textlrp.lrp.recorded.folding import folded
from textlrp.lrp.recorded.randomness import check_repeats, is_random, names, watched_generators
from textlrp.lrp.recorded.steps import Applied, Fold, Moved, TokenLookup
from textlrp.lrp.recorded.watch import FRESH, LIKE, MOVES, Lookups, Watch, tensors_in, written_in_place
from textlrp.lrp.rules import Box
from textlrp.lrp.trace import Linear, Routing, Step, Trace, without_zeros

WORDS, SCORES = "words", "scores"

CHOICES = frozenset(
    names(
        "argmax argmin argsort argwhere nonzero count_nonzero topk sort msort max min kthvalue median nanmedian mode"
    )
)
"""Operations whose whole numbers say which values were chosen: constants."""

_TO_PYTHON = frozenset(names("item tolist float int index complex"))
"""Operations that make Python's numbers of a tensor."""


class Squash(NamedTuple):
    """The softmax or sigmoid at the end of a module: its ordinal among all of the forward pass, and its name."""

    ordinal: int
    operation: str


class Recording(NamedTuple):
    """A trace with pre-softmax scores (1, C), the squash that was left out for it, and whether one output stands for
    two classes; ``squashes`` is how many there were in all."""

    trace: Trace
    squash: Squash | None
    single: bool
    squashes: int


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    """A tensor that depends on the word vectors: its name on the tape, and the version of its numbers."""

    name: str
    version: int


class Recorder(Watch):
    """Writes a step for every operation on values that depend on the word vectors."""

    def __init__(self, module: nn.Module, ids: Tensor, skip: int | None = None) -> None:
        super().__init__(ids, skip)
        self.module = module
        self.words = ids.numel()
        self.steps: list[Step] = []
        self.values: dict[int, _Value] = {}
        self.boxes: dict[str, Bounds] = {}
        self.gates: set[str] = set()
        self.squashed: dict[str, Squash] = {}
        self.folds: dict[str, Fold] = {}
        self.scalable: set[str] = set()  # values with one row of weights for each of their channels, axis 1
        self.stale: set[int] = set()  # where numbers lie that words were written into
        self.counted: Counter[str] = Counter()
        self.elements = self.words
        self.modules: dict[int, str] = {id(part): name for name, part in module.named_modules()}
        self.layers: dict[int, str] = {
            id(tensor): name
            for name, part in module.named_modules(remove_duplicate=False)
            for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False))
        }

    # ---- what the mode tells

    def looked_up(self, vectors: Tensor, positions: Tensor, call: Callable[..., Any], arguments: Lookups) -> Any:
        if arguments.max_norm is not None:
            raise ModelError("an embedding with max_norm changes its weights when it is read; set max_norm=None.")
        name = self.layers.get(id(arguments.table), "embedding")
        read = positions >= 0
        if arguments.padding is not None:
            read = read & (arguments.ids != arguments.padding)
        self.write(vectors, "embedding")
        value = self.values[id(vectors)].name
        table = arguments.table.detach()
        self.boxes[value] = lambda: _everywhere(table_bounds(table), vectors)
        self.steps.append(TokenLookup(name, (WORDS,), value, positions, read, self.words))
        if not arguments.bag:
            return vectors
        return self.other("bag", _bag_of, (vectors, arguments), {})

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        tracked = [tensor for tensor in tensors_in((args, kwargs)) if id(tensor) in self.values]
        written = written_in_place(function, args, kwargs)
        self._check_stale(operation, args, kwargs)
        if operation in FRESH:
            tracked = [tensor for tensor in tracked if tensor is not args[0]]
            if tracked:  # a number to fill with
                raise self._leaves(operation)
        if not tracked or (operation in LIKE and id(args[0]) not in self.values):
            return function(*args, **kwargs)
        if is_random(operation, args, kwargs):
            raise ModelError(
                f"{self.place(operation)} draws random numbers in eval mode, so that the scores cannot be explained. "
                "Turn this off in eval mode, for instance with training=self.training."
            )
        for tensor in tracked:
            if _version(tensor) != self.values[id(tensor)].version:
                raise self._through_a_view(operation)
        if operation in ("numpy", "array", "dlpack"):
            raise self._leaves(operation)
        before = {id(tensor): tensor.detach().clone() for tensor in (*tracked, *written)}
        names = {id(tensor): self.values[id(tensor)].name for tensor in tracked}
        result = function(*args, **kwargs)
        self._check_result(operation, args, result)
        self.stale |= {tensor.untyped_storage().data_ptr() for tensor in written if id(tensor) not in names}
        if written or any(tensor.is_floating_point() for tensor in tensors_in(result)):
            call = Call(self, operation, function, args, kwargs, result, before, names)
            handler_of(call)(call)
        return result

    def _check_stale(self, operation: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Raise :class:`ModelError` on a tensor that shares its numbers with one that words were written into."""
        for tensor in tensors_in((args, kwargs)) if self.stale else ():
            if id(tensor) not in self.values and tensor.untyped_storage().data_ptr() in self.stale:
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

    # ---- what the operations tell

    def write(self, tensor: Tensor, operation: str) -> str:
        """Name the value of a tensor."""
        name = self.new_value(operation)
        self.alive.append(tensor)
        self.values[id(tensor)] = _Value(name, _version(tensor))
        self.elements = max(self.elements, tensor.numel())
        return name

    def new_value(self, operation: str) -> str:
        """A name that no value has yet."""
        self.counted["value"] += 1
        return f"{operation}#{self.counted['value']}"

    def squash(self, value: str, operation: str) -> None:
        """A value came from a softmax or sigmoid: it may be a gate, or the probabilities at the end."""
        self.gates.add(value)
        self.squashed[value] = Squash(self.squashes - 1, operation)

    def step_name(self, operation: str, *parameters: Tensor | None) -> str:
        """What the module calls the layer with one of these parameters; else the operation, numbered from 2 on."""
        given = [parameter for parameter in parameters if parameter is not None]
        for parameter in given:
            if name := self.layers.get(id(parameter)):
                return name
        if given and (name := self.modules[id(self.innermost())]):  # weights that are made anew in each forward pass
            return name
        self.counted[operation] += 1
        return operation if self.counted[operation] == 1 else f"{operation}_{self.counted[operation]}"

    def place(self, operation: str) -> str:
        """An operation and the innermost named module whose forward is running."""
        owner = self.innermost()
        name = self.modules[id(owner)]
        return f"{operation!r} in {f'module {name!r} ({type(owner).__name__})' if name else type(owner).__name__}"

    def innermost(self) -> nn.Module:
        """The innermost module whose forward is running."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            owner = frame.f_locals.get("self")
            if isinstance(owner, nn.Module) and id(owner) in self.modules:
                return owner
            frame = frame.f_back
        return self.module


def _version(tensor: Tensor) -> int:
    """How often a tensor was changed; torch does not count that for one made in inference mode."""
    return 0 if tensor.is_inference() else tensor._version


def _bag_of(vectors: Tensor, lookups: Lookups) -> Tensor:
    return lookups.bag_of(vectors)


def _everywhere(box: Box, vectors: Tensor) -> Box:
    """Bounds (D,) for every vector (..., D)."""
    return Box(box.low.expand_as(vectors), box.high.expand_as(vectors))


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
    for name, part in module.named_modules():
        compiled = hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) is not None
        if compiled or isinstance(part, torch.jit.ScriptModule):
            which = f"the module {name!r}" if name else "the module"
            raise ModelError(
                f"{which} is compiled, and textlrp cannot see what it does; explain the module as it was before."
            )
    squash: Squash | None = None
    while True:
        skip = None if squash is None else squash.ordinal
        recorder = Recorder(module, ids, skip)
        with evaluating(module), torch.no_grad():
            with watched_generators() as draws:
                with recorder:
                    output = single_output(output_of(forward(ids)))
                draws.noted = recorder.draws
            check_repeats(output, partial(_plain_output, ids, forward, skip), draws)
            value = recorder.values.get(id(output))
            if value is None:
                raise ModelError(
                    "the module's output does not depend on the vectors of the token ids it was given; textlrp "
                    "follows the ids to a torch.nn.Embedding or EmbeddingBag, and not through detach() or numpy()."
                )
            if value.name not in recorder.squashed:
                steps = (
                    *_direct(folded(recorder.steps, recorder.folds, recorder.scalable), value.name),
                    _at_the_end(output, value.name),
                )
                trace = Trace(steps, scores_of(output), WORDS, SCORES, recorder.elements)
                return Recording(trace, squash, output.numel() == 1, recorder.squashes)
            squash = recorder.squashed[value.name]


class Plain(Watch):
    """Lets a module run as it is, but for what it may be asked to ``skip``."""

    def looked_up(self, vectors: Tensor, positions: Tensor, call: Callable[..., Any], arguments: Lookups) -> Any:
        return arguments.bag_of(vectors) if arguments.bag else vectors


def _plain_output(ids: Tensor, forward: Callable[[Tensor], Any], skip: int | None) -> Tensor:
    with Plain(ids, skip):
        return output_of(forward(ids))


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


def scores_of(output: Tensor) -> Tensor:
    """(1, C) of a module's output for one text: a single number f stands for two classes, (-f, f)."""
    flat = output.reshape(1, -1)
    return torch.cat([-flat, flat], dim=1) if output.numel() == 1 else flat.clone()


def _direct(steps: Sequence[Step], output: str) -> list[Step]:
    """The steps, marked as ``direct`` where the scores are linear in the words: look-ups, moves, sums, one layer.

    A sum that happens to be 0 is the smallest number instead, so that the shares of its parts are not lost.
    """
    *before, last = steps
    linear = isinstance(last, Linear) and last.kind == "dense" and last.writes == output
    if not linear or not all(_is_plain_move(step) or _is_sum(step) for step in before):
        return list(steps)
    return [_marked(step) if isinstance(step, Linear) else step for step in steps]


def _marked(step: Linear) -> Linear:
    assert isinstance(step.map, Applied)
    return replace(step, direct=replace(step.map, inputs=without_zeros(step.map.inputs)))


def _is_plain_move(step: Step) -> bool:
    if isinstance(step, TokenLookup):
        return True
    return isinstance(step, Moved) and step.name.rstrip("0123456789").rstrip("_") in MOVES


def _is_sum(step: Step) -> bool:
    return isinstance(step, Linear) and step.kind in UNWEIGHTED and not step.bias.any()


def _at_the_end(output: Tensor, name: str) -> Step:
    """The way from scores (1, C) to the module's own output."""
    single, shape = output.numel() == 1, output.shape

    def to_output(relevance: Tensor) -> Tensor:
        whole = relevance.sum(dim=-1, keepdim=True) if single else relevance
        return whole.reshape(*relevance.shape[:2], *shape)

    return Routing("scores", "scores", (name,), SCORES, to_output)
