"""Modified gradients of sums, products and quotients.

Letters: N documents, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from textlrp.errors import ModelError
from textlrp.lrp.gradients.gradient_layers import affine
from textlrp.lrp.gradients.observed_operation import Operation, absorbed_constant
from textlrp.lrp.gradients.tracked_values import Backward, Kind

WHICH_GATE = (
    "it multiplies two values that both depend on the words, and it is not clear which of them is the gate. "
    'Use rule="attnlrp", in which each factor takes half.'
)


def _operands(operation: Operation) -> tuple[Any, Any]:
    """The left and the right operand; the reflected operators of Python have them in reverse order."""
    left, right = operation.argument(0, "input"), operation.argument(1, "other")
    if operation.name in ("radd", "rsub", "rmul", "rdiv", "rtruediv"):
        return right, left
    return left, right


def sum_to(gradient: Tensor, shape: Sequence[int]) -> Tensor:
    """Sum a gradient (K, ...) over the axes along which a value of this shape was broadcast."""
    extra = gradient.dim() - 1 - len(shape)
    axes = list(range(1, 1 + extra))
    axes += [1 + extra + axis for axis, size in enumerate(shape) if size == 1 != gradient.shape[1 + extra + axis]]
    return gradient.sum(dim=axes, keepdim=True).reshape(len(gradient), *shape) if axes else gradient


def addition(operation: Operation) -> Tensor:
    """A sum or difference of two values, or of a value and a constant, which is a bias."""
    left, right = _operands(operation)
    alpha = float(operation.kwargs.get("alpha", 1))
    factor = -alpha if operation.name in ("sub", "subtract", "rsub") else alpha  # the factor of the right operand
    name, result, documents = (
        operation.tape.names.step_name(operation.name),
        operation.result(),
        operation.documents(),
    )
    if operation.tracks(left) and operation.tracks(right):
        shapes = left.shape, right.shape

        def back_to_both(gradient: Tensor) -> Backward:
            to_right = sum_to(gradient, shapes[1])
            return Backward((sum_to(gradient, shapes[0]), to_right if factor == 1 else to_right * factor))

        return operation.put(result, [left, right], back_to_both, documents=documents)
    source, constant = (left, right) if operation.tracks(left) else (right, left)
    sign_of_source, sign_of_constant = (1.0, factor) if source is left else (factor, 1.0)
    added = torch.as_tensor(constant, dtype=result.dtype, device=result.device).detach() * sign_of_constant
    key = (name, "bias") if not isinstance(constant, Tensor) else operation.bias_entry(constant, (name, "bias"))
    value = operation.value(source)
    shape = value.shape

    def back(gradient: Tensor) -> Backward:
        absorbed = absorbed_constant(key, gradient, added, documents)
        received = sum_to(gradient, shape)
        return Backward((received if sign_of_source == 1 else received * sign_of_source,), absorbed)

    strict = (Kind.GATE, Kind.BOUNDED, Kind.LENGTH)
    kind = value.kind if value.kind in strict else Kind.PLAIN
    return operation.put(result, [source], back, documents=documents, kind=kind)


def multiplication(operation: Operation) -> Tensor:
    """A product or quotient of two values, or of a value and a constant factor or divisor."""
    left, right = _operands(operation)
    dividing = "div" in operation.name
    if operation.tracks(left) and operation.tracks(right):
        return _quotient(operation, left, right) if dividing else _product(operation, left, right)
    source, constant = (left, right) if operation.tracks(left) else (right, left)
    name = operation.tape.names.step_name(operation.name)
    if dividing and source is right:
        value = operation.value(right)
        if value.kind is not Kind.LENGTH:
            raise operation.refuse("it divides by a value that depends on the words.")
        return _stop(operation, name, [right], Kind.LENGTH)
    value, result = operation.value(source), operation.result()
    factor = constant.detach() if isinstance(constant, Tensor) else constant
    shape = value.shape

    def back(gradient: Tensor) -> Backward:
        return Backward((sum_to(gradient / factor if dividing else gradient * factor, shape),))

    return operation.put(result, [source], back, documents=value.documents, kind=value.kind)


def _stop(operation: Operation, name: str, reads: Sequence[Tensor], kind: Kind, why: str = "") -> Tensor:
    message = str(operation.refuse(why or "relevance reaches it, and it has no rule."))

    def back(gradient: Tensor) -> Backward:
        if bool(gradient.any()):
            raise ModelError(message)
        return Backward([None] * len(reads))

    return operation.put(operation.result(), reads, back, documents=operation.documents(), kind=kind)


def _quotient(operation: Operation, left: Tensor, right: Tensor) -> Tensor:
    """x / length: the length is a constant."""
    operation.tape.names.step_name(operation.name)
    if operation.value(right).kind is not Kind.LENGTH:
        raise operation.refuse("it divides by a value that depends on the words.")
    shape = left.shape
    return operation.put(
        operation.result(),
        [left],
        lambda gradient: Backward((sum_to(gradient / right, shape),)),
        documents=operation.documents(),
        kind=operation.value(left).kind,
        saved=[right],
    )


def source_of(operation: Operation, left: Tensor, right: Tensor, *, elementwise: bool) -> int | None:
    """Return 0 or 1, the factor that takes all relevance of a product; None if each takes half.

    Strict gates and lengths take nothing under either rule, except that in AttnLRP the attention weights of a matrix
    product take half.
    """
    kinds = [operation.value(each).kind for each in (left, right)]
    strict = {Kind.LENGTH, Kind.GATE, Kind.BOUNDED} if elementwise else {Kind.LENGTH}
    gates = [kind in strict for kind in kinds]
    if gates[0] != gates[1]:
        return gates.index(False)
    if operation.halves:
        return None
    loose = {Kind.GATE} | ({Kind.ACTIVATION} if elementwise else set())
    gates = [kind in loose for kind in kinds]
    return gates.index(False) if gates[0] != gates[1] else None


def _product(operation: Operation, left: Tensor, right: Tensor) -> Tensor:
    name = operation.tape.names.step_name(operation.name)
    lengths = [operation.value(each).kind is Kind.LENGTH for each in (left, right)]
    if all(lengths):
        return _stop(operation, name, [left, right], Kind.LENGTH)
    source = source_of(operation, left, right, elementwise=True)
    if source is None and not operation.halves:
        return _stop(operation, name, [left, right], Kind.PLAIN, WHICH_GATE)
    share = 0.5 if source is None else 1.0
    shapes = left.shape, right.shape
    kinds = [operation.value(each).kind for each in (left, right)]
    activation = source is not None and kinds[1 - source] in (Kind.GATE, Kind.BOUNDED)

    def back(gradient: Tensor) -> Backward:
        gradient = gradient if share == 1 else gradient * share
        to_left = None if source == 1 else sum_to(gradient * right, shapes[0])
        to_right = None if source == 0 else sum_to(gradient * left, shapes[1])
        return Backward((to_left, to_right))

    return operation.put(
        operation.result(),
        [left, right],
        back,
        documents=operation.documents(),
        kind=Kind.ACTIVATION if activation else Kind.PLAIN,
        saved=[left, right],
    )


def matrix_product(operation: Operation) -> Tensor:
    """A product with a constant matrix, or of two values, as in attention."""
    left = operation.argument(0, "input")
    right = operation.argument(1, "other", operation.kwargs.get("mat2", operation.kwargs.get("vec")))
    if operation.name == "rmatmul":
        left, right = right, left
    if operation.tracks(left) and operation.tracks(right):
        return _product_of_matrices(operation, left, right)
    if min(left.dim(), right.dim()) < 2:
        return affine(operation)
    name = operation.tape.names.step_name(operation.name, right if operation.tracks(left) else left)
    del name
    source = left if operation.tracks(left) else right
    value = operation.value(source)
    contracted = -1 if source is left else -2
    if value.documents is not None and value.documents.axis == contracted:
        raise operation.mixes()
    constant = (right if source is left else left).detach()

    def back(gradient: Tensor) -> Backward:
        found = gradient @ constant.mT if source is left else constant.mT @ gradient
        return Backward((sum_to(found, value.shape),))

    return operation.put(operation.result(), [source], back, documents=value.documents)


def _product_of_matrices(operation: Operation, left: Tensor, right: Tensor) -> Tensor:
    name = operation.tape.names.step_name(operation.name)
    documents = operation.documents()
    if min(left.dim(), right.dim()) < 2 or (documents is not None and documents.axis > -3):
        raise operation.mixes()
    source = source_of(operation, left, right, elementwise=False)
    if source is None and not operation.halves:
        return _stop(operation, name, [left, right], Kind.PLAIN, WHICH_GATE)
    share = 0.5 if source is None else 1.0
    shapes = left.shape, right.shape

    def back(gradient: Tensor) -> Backward:
        gradient = gradient if share == 1 else gradient * share
        to_left = None if source == 1 else sum_to(gradient @ right.mT, shapes[0])
        to_right = None if source == 0 else sum_to(left.mT @ gradient, shapes[1])
        return Backward((to_left, to_right))

    return operation.put(operation.result(), [left, right], back, documents=documents, saved=[left, right])
