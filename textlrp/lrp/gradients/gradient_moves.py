"""Operations that only move values: their gradients move back to where the values were taken from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from textlrp.lrp.gradients.document_axis import DocumentAxis, moved_axis, reshaped_axis, sum_by_document
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, Kind
from textlrp.lrp.recorded.watch import replayed, tensors_in


def same(operation: Operation) -> Tensor:
    """An operation that returns its values unchanged, such as dropout, ``contiguous`` or a change of dtype."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    operation.tape.names.step_name(operation.name)
    if result is inputs:
        return inputs
    if not result.is_floating_point():
        raise operation.refuse("it makes integers of values that depend on the words.")

    def back(gradient: Tensor) -> Backward:
        return Backward((gradient.to(value.dtype),))

    return operation.put(result, [inputs], back, documents=value.documents, kind=value.kind, squash=value.squash)


def constant(operation: Operation) -> Any:
    """A detached value is a constant for relevance, as it is for the gradient."""
    return operation.result().view_as(operation.tracked[0])


def reshape(operation: Operation) -> Tensor:
    """Another shape of the same values in the same order."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    operation.tape.names.step_name(operation.name)
    documents = value.documents
    if documents is not None:
        documents = reshaped_axis(documents, value.shape, result.shape)
        if documents is None:
            raise operation.mixes()

    def back(gradient: Tensor) -> Backward:
        return Backward((gradient.reshape(len(gradient), *value.shape),))

    return operation.put(result, [inputs], back, documents=documents, kind=value.kind, squash=value.squash)


def permutation(operation: Operation) -> Tensor:
    """Another order of the axes."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    operation.tape.names.step_name(operation.name)
    order = _order(operation, inputs.dim())
    inverse = [0, *(1 + order.index(axis) for axis in range(len(order)))]
    documents = value.documents
    if documents is not None:
        place = order.index(inputs.dim() + documents.axis)
        documents = documents._replace(axis=place - len(order))

    def back(gradient: Tensor) -> Backward:
        return Backward((gradient.permute(inverse),))

    return operation.put(result, [inputs], back, documents=documents, kind=value.kind, squash=value.squash)


def _order(operation: Operation, dims: int) -> list[int]:
    """The axes of the input in the order that they have in the result."""
    order = list(range(dims))
    if operation.name == "permute":
        given = operation.argument(1, "dims")
        listed = given if isinstance(given, (tuple, list)) else operation.args[1:]
        return [axis % dims for axis in listed]
    if operation.name in ("t", "T", "mT"):
        first, second = (-2, -1) if dims > 1 else (-1, -1)
        if dims != 2 and operation.name != "mT":
            return order[::-1]
    else:
        first = operation.argument(1, "dim0", operation.kwargs.get("axis0"))
        second = operation.argument(2, "dim1", operation.kwargs.get("axis1"))
    order[first], order[second] = order[second], order[first]
    return order


def move(operation: Operation) -> Any:
    """Any other move: slices, indices, concatenations, masks that insert constants."""
    reads = list(operation.tracked)
    operation.tape.names.step_name(operation.name)
    with torch.no_grad():
        result = operation.result()
    found, gradients = operation.derivative(reads)
    outputs = [tensor for tensor in tensors_in(result) if tensor.is_floating_point()]
    kinds = {operation.value(tensor).kind for tensor in reads}
    kind = kinds.pop() if len(kinds) == 1 else Kind.PLAIN
    squash = operation.value(reads[0]).squash if len(reads) == 1 else None
    for index, output in enumerate(outputs):

        def back(gradient: Tensor, index: int = index) -> Backward:
            return Backward(gradients(index, gradient))

        documents = _moved_documents(operation, index, output)
        operation.put(output, reads, back, documents=documents, kind=kind, squash=squash)
    return result


def _moved_documents(operation: Operation, index: int, output: Tensor) -> DocumentAxis | None:
    documents = operation.documents()
    if documents is None:
        return None
    first = operation.tracked[0]
    if operation.name in ("masked_fill", "where", "pad", "tril", "triu", "cat", "concat", "concatenate"):
        return documents
    if operation.name == "unfold" and documents == DocumentAxis(-first.dim(), 1, documents.documents):
        return documents._replace(axis=-output.dim())

    def repeated(documents_of: Tensor) -> Tensor:
        instead = {id(tensor): documents_of for tensor in operation.tracked}
        return list(tensors_in(replayed(operation.function, operation.args, operation.kwargs, instead)))[index]

    moved = moved_axis(documents, first.shape, repeated, first.device)
    if moved is None or moved.index(output.shape, output.device).shape != output.shape:
        raise operation.mixes()
    return moved


Inserted = Callable[[Tensor], Tensor]
_ = sum_by_document
