"""Operations that only move values: their multipliers move back to where the values were taken from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from textlrp.errors import ModelError
from textlrp.lrp.gradients.document_axis import DocumentAxis, moved_axis, reshaped_axis
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, Rows, Value
from textlrp.lrp.recorded.watch import replayed, tensors_in

_IN_PLACE_OF_ENTRIES = ("masked_fill", "where", "pad", "tril", "triu", "cat", "concat", "concatenate")
"""Moves after which documents are on the same axis, counted from the end."""


def same(operation: Operation) -> Tensor:
    """An operation that returns its values unchanged, such as dropout, ``contiguous`` or a change of dtype."""
    inputs = operation.single()
    value = operation.value(inputs)
    result: Tensor = operation.result()
    operation.step_name()
    if result is inputs:
        return inputs
    if not result.is_floating_point():
        raise operation.refuse("it makes integers of values that depend on the words.")
    result = operation.put(
        result,
        [inputs],
        lambda multipliers: Backward((multipliers,)),
        documents=value.documents,
        rows=lambda rows: Backward((rows,)),
        squash=value.squash,
    )
    operation.follows(result, inputs)
    return result


def constant(operation: Operation) -> Any:
    """A detached value is a constant for relevance, as it is for the gradient."""
    return operation.result()


def reshape(operation: Operation) -> Tensor:
    """Another shape of the same values in the same order."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    documents = value.documents
    if documents is not None:
        documents = reshaped_axis(documents, value.shape, result.shape)
        if documents is None:
            raise operation.mixes()

    def back(multipliers: Tensor) -> Backward:
        return Backward((multipliers.reshape(len(multipliers), *value.shape),))

    return _moved(operation, result, value, back, documents)


def permutation(operation: Operation) -> Tensor:
    """Another order of the axes."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    order = _order(operation, inputs.dim())
    inverse = [0, *(1 + order.index(axis) for axis in range(len(order)))]
    documents = value.documents
    if documents is not None:
        documents = documents._replace(axis=order.index(inputs.dim() + documents.axis) - len(order))
    return _moved(operation, result, value, lambda multipliers: Backward((multipliers.permute(inverse),)), documents)


def _moved(operation: Operation, result: Tensor, value: Value, back: Any, documents: DocumentAxis | None) -> Tensor:
    operation.step_name()
    inputs = operation.tracked[0]
    result = operation.put(result, [inputs], back, documents=documents, squash=value.squash)
    operation.set_role(result, operation.role(inputs))
    return result


def _order(operation: Operation, dims: int) -> list[int]:
    """The axes of the input in the order that they have in the result."""
    order = list(range(dims))
    if operation.name == "permute":
        given = operation.argument(1, "dims")
        listed = given if isinstance(given, (tuple, list)) else operation.args[1:]
        return [axis % dims for axis in listed]
    if operation.name in ("t", "T"):
        return order[::-1]
    if operation.name == "mT":
        first, second = -2, -1
    else:
        first = operation.argument(1, "dim0", operation.kwargs.get("axis0"))
        second = operation.argument(2, "dim1", operation.kwargs.get("axis1"))
    order[first], order[second] = order[second], order[first]
    return order


def select(operation: Operation) -> Any:
    """An index or slice; a single row, such as that of [CLS], has multipliers of the form :class:`.Rows`."""
    inputs, index = operation.args
    position = _single_row(inputs, index)
    if position is None or not operation.tracks(inputs) or operation.tracks(index):
        return any_move(operation)
    value, result = operation.value(inputs), operation.result()
    scale = inputs.new_empty(1).expand(*inputs.shape[:-1], 1)
    documents = value.documents
    if documents is not None:
        documents = documents._replace(axis=documents.axis + (result.dim() < inputs.dim()))

    def back(multipliers: Tensor) -> Backward:
        base = multipliers.unsqueeze(-2) if multipliers.dim() == inputs.dim() else multipliers
        return Backward((Rows(base, scale, position),))

    return _moved(operation, result, value, back, documents)


def _single_row(inputs: Any, index: Any) -> int | None:
    """The position of the row that an index of the form [:, i] or [:, i, :] takes; None for another one."""
    if not isinstance(inputs, Tensor) or inputs.dim() < 2 or not isinstance(index, tuple):
        return None
    every = slice(None)
    listed = (
        index[:-1] if len(index) == inputs.dim() and isinstance(index[-1], slice) and index[-1] == every else index
    )
    if len(listed) != inputs.dim() - 1 or not isinstance(listed[-1], int) or isinstance(listed[-1], bool):
        return None
    if not all(isinstance(each, slice) and each == every for each in listed[:-1]):
        return None
    return listed[-1] % inputs.shape[-2]


def any_move(operation: Operation) -> Any:
    """Any other move: slices, indices, concatenations, masks that insert constants."""
    reads = list(operation.tracked)
    operation.step_name()
    result, gradients = operation.result(), operation.derivative(reads)
    squash = operation.value(reads[0]).squash if len(reads) == 1 else None
    outputs = [tensor for tensor in tensors_in(result) if tensor.is_floating_point()]
    role = min(operation.role(tensor) for tensor in reads)
    for index, output in enumerate(outputs):
        if operation.tracks(output):
            raise operation.refuse("it returns a tensor itself.")

        def back(multipliers: Tensor, index: int = index) -> Backward:
            return Backward(gradients(index, multipliers))

        operation.put(output, reads, back, documents=_documents(operation, reads, index, output), squash=squash)
        operation.set_role(output, role)
    return result


def _documents(operation: Operation, reads: Sequence[Tensor], index: int, output: Tensor) -> DocumentAxis | None:
    """The document axis of an output of a move."""
    documents = operation.documents()
    if documents is None or operation.name in _IN_PLACE_OF_ENTRIES:
        return documents
    first = reads[0]
    if operation.name == "unfold" and documents == DocumentAxis(-first.dim(), 1, documents.documents):
        return documents._replace(axis=-output.dim())

    def repeated(document: Tensor) -> Tensor:
        instead = {id(tensor): document.expand(tensor.shape) for tensor in reads}
        return list(tensors_in(replayed(operation.function, operation.args, operation.kwargs, instead)))[index]

    moved = moved_axis(documents, first.shape, repeated, first.device)
    if moved is None:
        raise operation.mixes()
    return moved


def expand(operation: Operation) -> Tensor:
    """A view that repeats values along axes of size 1."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    documents = value.documents
    if documents is not None and result.shape[documents.axis] != inputs.shape[documents.axis]:
        raise operation.mixes()
    return _moved(
        operation, result, value, lambda multipliers: Backward((sum_to(multipliers, value.shape),)), documents
    )


def sum_to(multipliers: Tensor, shape: Sequence[int]) -> Tensor:
    """Sum multipliers (K, ...) over the axes along which a value of this shape was broadcast: (K, *shape)."""
    extra = multipliers.dim() - 1 - len(shape)
    axes = list(range(1, 1 + extra))
    axes += [1 + extra + axis for axis, size in enumerate(shape) if size == 1 != multipliers.shape[1 + extra + axis]]
    return multipliers.sum(dim=axes, keepdim=True).reshape(len(multipliers), *shape) if axes else multipliers


def in_place(operation: Operation) -> ModelError:
    """Return the error for an operation that changes a tensor in place where this cannot be observed."""
    return operation.refuse("it changes a tensor in place. Write the result to a new tensor.")
