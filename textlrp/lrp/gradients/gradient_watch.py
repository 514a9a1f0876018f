"""Observe a forward pass on a batch of documents, and put its operations with their modified gradients on a tape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.gradients.document_axis import axis_of
from textlrp.lrp.gradients.gradient_moves import in_place_error
from textlrp.lrp.gradients.gradient_operations import GradientHandler, handler_for
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.gradients.gradient_tape import GradientTape
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import TrackedValue
from textlrp.lrp.recorded.randomness import is_random, names
from textlrp.lrp.recorded.trace_builder import TraceBuilder
from textlrp.lrp.recorded.watch import FRESH, LIKE, Lookups, Watch, tensors_in, written_in_place

_LEAVES_TORCH = names("item tolist float int index complex numpy array dlpack")
_CONSTANT = FRESH | names("size dim ndim numel shape dtype device layout is_floating_point requires_grad get_device")
"""Operations whose result does not depend on the numbers in a tensor."""

_CHOICES = names("argmax argmin argsort argwhere nonzero count_nonzero")
"""Operations whose integers are constants, as they are for autograd."""


class LookedUp(NamedTuple):
    """The word vectors (..., D) that a layer looked up, and the positions (...) of their ids among all ids."""

    layer: str
    value: TrackedValue
    vectors: Tensor
    positions: Tensor


class GradientWatch(Watch):
    """Puts every operation on values that depend on the vectors of ``ids`` (N, L) on a :class:`GradientTape`."""

    def __init__(self, module: nn.Module, ids: Tensor, rules: GradientRules, skip: int | None = None) -> None:
        super().__init__(ids, skip)
        self._documents, self._length = ids.shape
        self.tape = GradientTape(TraceBuilder(module, ids.numel()), rules)
        self.lookups: list[LookedUp] = []

    def describe(self, operation: str) -> str:
        return self.tape.names.describe(operation)

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        if arguments.bag or arguments.max_norm is not None:
            raise ModelError(f"the fast engine does not know {self.describe('embedding_bag')}.")
        documents = None
        if self._documents > 1:
            document = positions.div(self._length, rounding_mode="floor").unsqueeze(-1).expand(vectors.shape)
            documents = axis_of(document, self._documents)
            if documents is None:
                raise ModelError(f"{self.describe('embedding')} mixes the documents of a batch.")
        layer = self.tape.names.layers.get(id(arguments.table), "embedding")
        vectors = vectors.detach()
        copied = vectors.clone()  # the module may change the vectors in place
        self.lookups.append(LookedUp(layer, self.tape.write(vectors, documents), copied, positions))
        return vectors

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        value_of, changed = self.tape.value_of, self.tape.changed
        if operation in _CONSTANT:
            return function(*args, **kwargs)
        read = list(tensors_in((args, kwargs)))
        tracked = list({id(each): each for each in read if value_of(each)}.values())
        if not tracked or (operation in LIKE and value_of(args[0]) is None):
            result = function(*args, **kwargs)
            self.tape.names.constants.follow(operation, function, args, kwargs, result)
            return result
        tracked = [args[0]] if operation in LIKE else tracked
        if any(changed(tensor) for tensor in tracked):
            raise ModelError(
                f"a tensor was changed in place through a view of it before {self.describe(operation)}, and textlrp "
                "cannot trace such a change. Write the result to a new tensor."
            )
        if is_random(operation, args, kwargs):
            raise ModelError(f"{self.describe(operation)} draws random numbers in eval mode.")
        self.tape.names.kept.keep(each for each in read if value_of(each) is None)
        call = Operation(self.tape, operation, function, args, kwargs, tracked, self.squashes - 1, self._recorded)
        handler = handler_for(operation)
        written = written_in_place(function, args, kwargs)
        if kwargs.get("inplace") is True:  # F.relu(x, inplace=True)
            call, written = replace(call, kwargs={**kwargs, "inplace": False}), [args[0]]
        if written:
            return self._in_place(call, written, handler)
        if handler is None or (operation in _LEAVES_TORCH and kwargs == {} and len(args) == 1):
            return self._unknown(call, handler)
        result = handler(call)
        if any(changed(tensor) for tensor in tracked):
            raise in_place_error(call)
        return result

    def _recorded(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function and observe its operations. They do not count as operations of the module."""
        squashes, skip = self.squashes, self.skip
        self.skip = None
        with self:
            result = function(*args, **kwargs)
        self.squashes, self.skip = squashes, skip
        return result

    def _unknown(self, call: Operation, handler: GradientHandler | None) -> Any:
        """Run an operation without a handler, whose result must not contain numbers that depend on the words."""
        result = call.result()
        results = list(tensors_in(result))
        if handler is not None and results:  # Tensor.float(), and not float(tensor)
            return handler(call)
        if not results and result is not None and call.name in _LEAVES_TORCH:
            raise call.refuse("it turns tensors that depend on the words into numbers outside of torch.")
        if any(each.is_floating_point() or each.is_complex() for each in results):
            raise call.refuse("the fast engine does not know this operation.")
        if call.name not in _CHOICES and any(
            not each.dtype.is_floating_point and each.dtype.itemsize > 1 for each in results
        ):
            raise call.refuse("it makes integers of values that depend on the words.")
        return result

    def _in_place(self, call: Operation, written: Sequence[Tensor], handler: GradientHandler | None) -> Tensor:
        """Run an operation that changes its first argument as one that makes a new tensor, then copy the result."""
        function, tape = call.function, self.tape
        target: Tensor = written[0]
        value = tape.value_of(target)
        if len(written) > 1 or target is not call.args[0] or value is None or handler is None:
            raise in_place_error(call)
        before = target.clone()
        tape.name(before, value)

        def elsewhere(first: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            copy = first.clone()
            changed: Tensor = function(copy, *args, **kwargs)
            return changed

        args = [before if each is target else each for each in call.args]
        tracked = [before if each is target else each for each in call.tracked]
        result: Tensor = handler(replace(call, function=elsewhere, args=args, tracked=tracked))
        if result.shape != target.shape:
            raise in_place_error(call)
        target.copy_(result)
        tape.name(target, call.value(result))
        return written[0]
