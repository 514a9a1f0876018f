"""One observed operation on values that depend on the words, and how a handler puts it on the tape.

Open this module before you write a handler for :mod:`textlrp.lrp.gradients.gradient_operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from textlrp.errors import ModelError
from textlrp.lrp.gradients.document_axis import DocumentAxis
from textlrp.lrp.gradients.gradient_tape import GradientTape
from textlrp.lrp.gradients.tracked_values import Backward, Node, Rows, Value
from textlrp.lrp.recorded.roles import Role
from textlrp.lrp.recorded.watch import replayed, tensors_in

Derivative = Callable[[int, Tensor], Sequence[Tensor | None]]
"""back(index of the output, its multipliers (K, ...)) -> the multipliers of the values read."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation that reads values that depend on the words ("tracked" values).

    A handler returns the result of the operation. It puts the result on the tape with :meth:`put`, together with the
    modified gradient. ``ordinal`` is the position of the last softmax or sigmoid among all of these so far.
    ``record`` calls a function and observes its operations one by one.
    """

    tape: GradientTape
    name: str
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    tracked: Sequence[Tensor]
    ordinal: int
    record: Callable[..., Any]

    # ---- reading the operation

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by its position or its name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    def tracks(self, value: Any) -> bool:
        """Whether a value depends on the words."""
        return isinstance(value, Tensor) and self.tape.value_of(value) is not None

    def value(self, tensor: Tensor) -> Value:
        """Return the value of a tracked tensor."""
        found = self.tape.value_of(tensor)
        assert found is not None
        return found

    def role(self, tensor: Tensor) -> Role:
        """Return what a tracked tensor is as a factor of a product."""
        return self.tape.roles[self.value(tensor).name]

    @property
    def halves(self) -> bool:
        """Whether each factor of a product receives half."""
        return self.tape.rules.halves

    def result(self) -> Any:
        """Run the operation unchanged."""
        return self.function(*self.args, **self.kwargs)

    def single(self) -> Tensor:
        """Return the only tracked tensor; raise :class:`ModelError` if there are several."""
        if len(self.tracked) > 1:
            raise self.refuse(f"it reads {len(self.tracked)} values that depend on the words.")
        return self.tracked[0]

    def documents(self) -> DocumentAxis | None:
        """Return the common document axis of the tracked tensors; raise :class:`ModelError` if they have several."""
        found = {self.value(tensor).documents for tensor in self.tracked}
        if len(found) > 1:
            raise self.mixes()
        return found.pop()

    def check_axes(self, tensor: Tensor, *axes: int) -> None:
        """Raise :class:`ModelError` if documents differ along one of these axes, counted from the end."""
        documents = self.value(tensor).documents
        if documents is not None and documents.axis in axes:
            raise self.mixes()

    def step_name(self, *parameters: Tensor | None) -> str:
        """Return the name of the step, as in the recorded trace: of the layer with one of these parameters."""
        return self.tape.names.step_name(self.name, *parameters)

    # ---- putting it on the tape

    def put(
        self,
        result: Tensor,
        reads: Sequence[Tensor],
        back: Callable[[Tensor], Backward],
        *,
        documents: DocumentAxis | None,
        rows: Callable[[Rows], Backward] | None = None,
        squash: int | None = None,
        saved: Sequence[Tensor] = (),
    ) -> Tensor:
        """Put the operation on the tape, and return the result.

        ``back`` turns the multipliers (K, ...) of the result into those of ``reads``; ``rows`` does so for
        :class:`.Rows`. ``saved`` are the tensors that they use and that the module could change in place.
        """
        values = tuple(self.value(tensor) for tensor in reads)
        if self.tracks(result):  # the operation returned a tracked tensor itself
            result = result.view_as(result)
        written = self.tape.write(result, documents, squash)
        versions = tuple((tensor, tensor._version) for tensor in saved)
        self.tape.nodes.append(Node(values, written, back, rows, versions))
        return result

    def stop(self, result: Tensor, why: str, documents: DocumentAxis | None, *, squash: int | None = None) -> Tensor:
        """Put a result on the tape that may receive no relevance: it raises :class:`ModelError` if any arrives."""

        def back(multipliers: Tensor) -> Backward:
            if bool(multipliers.any()):
                raise ModelError(why)
            return Backward([None] * len(self.tracked))

        return self.put(result, self.tracked, back, documents=documents, squash=squash)

    def follows(self, result: Tensor, *reads: Tensor, at_least: Role = Role.VALUE) -> None:
        """Note that the result is an elementwise function of tracked tensors."""
        names = [self.value(tensor).name for tensor in reads]
        self.tape.roles.follows(self.value(result).name, names, at_least=at_least)

    def set_role(self, result: Tensor, role: Role) -> None:
        """Set what the result is as a factor of a product."""
        self.tape.roles.set(self.value(result).name, role)

    def derivative(self, reads: Sequence[Tensor]) -> Derivative:
        """Return the true gradients of the operation by ``reads``, for operations that move values or are linear."""
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in reads]
            instead = {id(tensor): leaf for tensor, leaf in zip(reads, leaves, strict=True)}
            found = replayed(self.function, self.args, self.kwargs, instead)
            results = [tensor for tensor in tensors_in(found) if tensor.is_floating_point()]
        return lambda index, multipliers: _gradients(results[index], leaves, multipliers)

    def refuse(self, why: str) -> ModelError:
        """Return the error for an operation that the engine cannot propagate relevance through."""
        return ModelError(f"relevance cannot be propagated through {self.tape.names.describe(self.name)}: {why}")

    def mixes(self) -> ModelError:
        """Return the error for an operation whose result depends on several documents."""
        return self.refuse("it mixes the documents of a batch. Pass one document at a time.")


def _gradients(result: Tensor, leaves: Sequence[Tensor], multipliers: Tensor) -> Sequence[Tensor | None]:
    """Multipliers (K, *result) times the derivative of ``result`` by each leaf: (K, *leaf)."""
    if not result.requires_grad:
        return [None] * len(leaves)
    # with gradients enabled, the multipliers have a gradient themselves (:mod:`.forward_parts`)
    again = torch.is_grad_enabled()
    if len(multipliers) == 1:  # a single target needs no batching rule, and all operations have a gradient
        found = torch.autograd.grad(
            result, list(leaves), multipliers[0], retain_graph=True, allow_unused=True, create_graph=again
        )
        return [None if each is None else each[None] for each in found]
    return torch.autograd.grad(
        result,
        list(leaves),
        multipliers,
        retain_graph=True,
        allow_unused=True,
        is_grads_batched=True,
        create_graph=again,
    )
