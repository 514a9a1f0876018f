"""Observe a forward pass on a batch of documents, and put what its operations do to gradients on a tape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.gradients.document_axis import axis_of
from textlrp.lrp.gradients.gradient_operations import handler_for
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.gradients.observed_operation import GradientTape, Operation
from textlrp.lrp.recorded.randomness import is_random, names
from textlrp.lrp.recorded.trace_builder import TraceBuilder
from textlrp.lrp.recorded.watch import FRESH, LIKE, MOVES, Lookups, Watch, tensors_in, written_in_place

_LEAVES_TORCH = names("item tolist float int index complex numpy array dlpack")


class LookedUp:
    """The word vectors (..., D) that a module looked up, and the positions (...) of their ids among all ids."""

    def __init__(self, layer: str, number: int, vectors: Tensor, positions: Tensor) -> None:
        self.layer, self.number, self.vectors, self.positions = layer, number, vectors, positions


class GradientWatch(Watch):
    """Puts every operation on values that depend on the word vectors on a :class:`GradientTape`."""

    def __init__(self, module: nn.Module, ids: Tensor, rules: GradientRules, skip: int | None = None) -> None:
        super().__init__(ids, skip)
        self._count, self._length = ids.shape
        self.tape = GradientTape(TraceBuilder(module, ids.numel()), rules)
        self.lookups: list[LookedUp] = []

    def describe(self, operation: str) -> str:
        return self.tape.names.describe(operation)

    def looked_up(self, vectors: Tensor, positions: Tensor, arguments: Lookups) -> Any:
        if arguments.bag or arguments.max_norm is not None:
            raise ModelError("the fast engine supports embeddings without bags and max_norm only.")
        documents = None
        if self._count > 1:
            document = positions.div(self._length, rounding_mode="floor").unsqueeze(-1).expand(vectors.shape)
            documents = axis_of(document, self._count)
            if documents is None:
                raise ModelError(f"{self.describe('embedding')} looks up ids without an axis of documents.")
        vectors = vectors.detach()
        name = self.tape.names.layers.get(id(arguments.table), "embedding")
        value = self.tape.write(vectors, documents)
        self.lookups.append(LookedUp(name, value.number, vectors, positions))
        return vectors

    def other(self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        values = self.tape.values
        read = list(tensors_in((args, kwargs)))
        tracked = list({id(tensor): tensor for tensor in read if tensor in values}.values())
        if operation in FRESH or operation == "size" or operation == "dim":
            return function(*args, **kwargs)
        if not tracked or (operation in LIKE and args[0] not in values):
            return self._constant(operation, function, args, kwargs, read)
        if operation in LIKE:
            tracked = [args[0]]
        for tensor in tracked:
            if tensor._version != values[tensor][1]:
                raise self._through_a_view(operation)
        if operation in _LEAVES_TORCH and not isinstance(function(*args, **kwargs), Tensor):
            raise ModelError(f"{self.describe(operation)} turns tensors that depend on the words into numbers.")
        if is_random(operation, args, kwargs):
            raise ModelError(f"{self.describe(operation)} draws random numbers in eval mode.")
        handler = handler_for(operation)
        call = Operation(self.tape, operation, function, args, kwargs, tracked, self.squashes - 1, self._record)
        written = written_in_place(function, args, kwargs)
        if written:
            return self._in_place(call, written, handler)
        if handler is None:
            return self._without_handler(call)
        return handler(call)

    def _constant(
        self, operation: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], read: Any
    ) -> Any:
        """Run an operation on constants, and remember which constants are position or token-type embeddings."""
        result = function(*args, **kwargs)
        origins = self.tape.origins
        if operation == "embedding":
            table = args[1] if len(args) > 1 else kwargs["weight"]
            layer = self.tape.names.layers.get(id(table), "")
            cause = lookup_cause(layer)
            if cause:
                origins[result] = (layer, cause)
        elif operation in MOVES or operation in ("to", "float", "double", "dropout"):
            found = [origins[tensor] for tensor in read if tensor in origins]
            if len(found) == 1 and isinstance(result, Tensor):
                origins[result] = found[0]
        return result

    def _record(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        before = self.squashes
        with self:
            result = function(*args, **kwargs)
        self.squashes = before
        return result

    def _in_place(self, call: Operation, written: Sequence[Tensor], handler: Any) -> Any:
        """Run an operation that changes its first argument as one that makes a new tensor, then copy the result."""
        target = written[0]
        if len(written) > 1 or target is not call.args[0] or target not in self.tape.values or handler is None:
            raise call.refuse("it changes a tensor in place.")
        before = target.clone()
        self.tape.values[before] = (self.tape.values[target][0], before._version)
        function = call.function

        def elsewhere(first: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            copy = first.clone()
            function(copy, *args, **kwargs)
            return copy

        args = (before, *call.args[1:])
        tracked = [before if tensor is target else tensor for tensor in call.tracked]
        result = handler(
            Operation(self.tape, call.name, elsewhere, args, call.kwargs, tracked, call.squashes, self._record)
        )
        target.copy_(result)
        self.tape.values[target] = (self.tape.values[result][0], target._version)
        return target

    def _without_handler(self, call: Operation) -> Any:
        """Run an operation without a handler; its result must not depend on the words by floating-point values."""
        result = call.result()
        if any(tensor.is_floating_point() or tensor.is_complex() for tensor in tensors_in(result)):
            raise call.refuse("the fast engine does not know this operation.")
        return result

    def _through_a_view(self, operation: str) -> ModelError:
        return ModelError(
            f"a tensor was changed in place through a view of it before {self.describe(operation)}, and textlrp "
            "cannot trace such a change. Write the result to a new tensor."
        )


def lookup_cause(layer: str) -> str | None:
    """Return the ledger cause of a constant that the module of this name looked up; None for no known one."""
    plain = layer.rpartition(".")[2].lower()
    if "position" in plain or plain == "wpe":
        return "position"
    return "token type" if "token_type" in plain or "segment" in plain else None
