"""One observed operation on values that depend on the words, and the methods with which handlers put it on the tape.

Open this module before you write a handler in :mod:`textlrp.lrp.gradients.gradient_operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from textlrp.errors import ModelError
from textlrp.lrp.gradients.document_axis import DocumentAxis, sum_by_document
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.gradients.tracked_values import Backward, Key, Kind, Node, Value
from textlrp.lrp.recorded.trace_builder import TraceBuilder
from textlrp.lrp.recorded.watch import replayed, tensors_in


@dataclass(slots=True, eq=False)
class GradientTape:
    """What the engine has observed so far: the nodes in forward order, and the values that depend on the words.

    ``values`` is by tensor, with the version that the tensor had. ``origins`` has the ledger entry of constants that
    were looked up, such as position embeddings. ``names`` names layers and operations as the recorded trace does.
    """

    names: TraceBuilder
    rules: GradientRules
    nodes: list[Node] = field(default_factory=list)
    values: Any = field(default_factory=WeakTensorKeyDictionary)
    origins: Any = field(default_factory=WeakTensorKeyDictionary)
    count: int = 0

    def value_of(self, tensor: Tensor) -> Value | None:
        found: tuple[Value, int] | None = self.values.get(tensor)
        return None if found is None else found[0]

    def write(
        self, tensor: Tensor, documents: DocumentAxis | None, kind: Kind = Kind.PLAIN, squash: int | None = None
    ) -> Value:
        """Register a tensor as a new value."""
        value = Value(self.count, tensor.shape, tensor.dtype, documents, kind, squash)
        self.count += 1
        self.values[tensor] = (value, tensor._version)
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation that reads values that depend on the words ("tracked" values).

    ``squashes`` is the ordinal of the last softmax or sigmoid. ``record`` runs a function with the mode on, so that
    its operations are observed one by one.
    """

    tape: GradientTape
    name: str
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    tracked: Sequence[Tensor]
    squashes: int
    record: Callable[..., Any]

    # ---- reading the operation

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by its position or its name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    def tracks(self, value: Any) -> bool:
        """Whether a value depends on the words."""
        return isinstance(value, Tensor) and value in self.tape.values

    def value(self, tensor: Tensor) -> Value:
        """Return the value of a tracked tensor."""
        found = self.tape.value_of(tensor)
        assert found is not None
        return found

    @property
    def halves(self) -> bool:
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

    # ---- putting it on the tape

    def put(
        self,
        result: Tensor,
        reads: Sequence[Tensor],
        back: Callable[[Tensor], Backward],
        *,
        documents: DocumentAxis | None,
        kind: Kind = Kind.PLAIN,
        squash: int | None = None,
        saved: Sequence[Tensor] = (),
    ) -> Tensor:
        """Put the operation on the tape, and return the result.

        ``back`` turns the multipliers (K, ...) of the result into those of ``reads``. ``saved`` are the tensors that
        it uses.
        """
        values = tuple(self.value(tensor) for tensor in reads)
        if result in self.tape.values:  # the operation returned a tracked tensor itself
            result = result.view_as(result)
        value = self.tape.write(result, documents, kind, squash)
        versions = tuple((tensor, tensor._version) for tensor in saved)
        self.tape.nodes.append(Node(values, value, back, versions))
        return result

    def derivative(
        self, reads: Sequence[Tensor], function: Callable[..., Any] | None = None
    ) -> tuple[list[Tensor], Callable[[int, Tensor], Sequence[Tensor | None]]]:
        """Return the floating-point results of the operation, and the gradients of each by ``reads``.

        The gradients of K targets are computed together.
        """
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in reads]
            instead = {id(tensor): leaf for tensor, leaf in zip(reads, leaves, strict=True)}
            found = replayed(function or self.function, self.args, self.kwargs, instead)
            results = [tensor for tensor in tensors_in(found) if tensor.is_floating_point()]

        def back(index: int, gradient: Tensor) -> Sequence[Tensor | None]:
            return batched_gradients(results[index], leaves, gradient)

        return results, back

    def bias_entry(self, constant: Tensor, default: Key) -> Key:
        """Return the ledger entry of a constant that is added: where it was looked up, or else ``default``."""
        origin: Key | None = self.tape.origins.get(constant)
        return default if origin is None else origin

    def refuse(self, why: str) -> ModelError:
        """Return the error for an operation that the engine cannot handle."""
        return ModelError(f"relevance cannot be propagated through {self.tape.names.describe(self.name)}: {why}")

    def mixes(self) -> ModelError:
        return self.refuse("it mixes the documents of a batch. Pass one document at a time.")

    def with_function(self, function: Callable[..., Any]) -> Operation:
        return replace(self, function=function)


def batched_gradients(result: Tensor, leaves: Sequence[Tensor], gradient: Tensor) -> Sequence[Tensor | None]:
    """Return gradient (K, *result) times the derivative of ``result`` by each leaf: (K, *leaf)."""
    options = {"retain_graph": True, "allow_unused": True}
    if result.grad_fn is None and not result.requires_grad:
        return [None] * len(leaves)
    if len(gradient) == 1:
        found = torch.autograd.grad(result, list(leaves), gradient[0], **options)
        return [None if each is None else each[None] for each in found]
    return torch.autograd.grad(result, list(leaves), gradient, is_grads_batched=True, **options)


def absorbed_constant(
    key: Key, gradient: Tensor, constant: Tensor, documents: DocumentAxis | None
) -> dict[Key, Tensor]:
    """Return the ledger entry of a constant that is added: gradient (K, ...) × constant, summed by document.

    An infinite constant, as in masks, is multiplied with a gradient of exactly 0 and counts as 0.
    """
    if constant.dim() <= 1 and constant.numel() == gradient.shape[-1] and (documents is None or documents.axis < -1):
        return {key: sum_by_document(gradient, documents, keep=1) @ constant.reshape(-1).to(gradient.dtype)}
    product = gradient * constant
    if not bool(torch.isfinite(constant).all()):
        product = torch.where(gradient == 0, 0, product)
    return {key: sum_by_document(product, documents)}
