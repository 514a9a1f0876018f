"""Modified gradients of products and quotients.

:class:`~textlrp.lrp.recorded.roles.Role` states which of two factors is the gate. A strict gate, such as the result
of a sigmoid or the length that a value is divided by, never receives relevance. For attention weights and gated
layers the rule for products decides: the source receives all (CP-LRP), or each factor half (AttnLRP).

Letters: N documents, K targets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textlrp.lrp.gradients.gradient_arithmetic import left_and_right
from textlrp.lrp.gradients.gradient_moves import sum_to_shape
from textlrp.lrp.gradients.gradient_norms import vector_length
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, RowMultipliers
from textlrp.lrp.recorded.products import USE_HALVES, WHICH_GATE
from textlrp.lrp.recorded.roles import Role


def multiplication_gradient(operation: Operation) -> Tensor:
    """A product or quotient of two values, or of a value and a constant."""
    left, right = left_and_right(operation)
    dividing = "div" in operation.name
    if dividing and operation.tracks(right) and operation.role(right) != Role.LENGTH:
        raise operation.refuse("it divides by a value that depends on the words and is not a length or deviation.")
    if operation.tracks(left) and operation.tracks(right):
        return _of_values(operation, left, right, dividing)
    if dividing and operation.tracks(right):
        return vector_length(operation)
    source, constant = (left, right) if operation.tracks(left) else (right, left)
    return _by_constant(operation, source, constant, dividing)


def _by_constant(operation: Operation, source: Tensor, constant: Tensor | float, dividing: bool) -> Tensor:
    operation.step_name()
    value = operation.value(source)
    factor = constant.detach() if isinstance(constant, Tensor) else constant

    def back(multipliers: Tensor) -> Backward:
        found = multipliers / factor if dividing else multipliers * factor
        return Backward((sum_to_shape(found, value.shape),))

    by_row = None if dividing else _factor_of_rows(factor, value.shape)

    def rows(multipliers: RowMultipliers) -> Backward:
        assert by_row is not None
        return Backward((multipliers.times(by_row),))

    result = operation.put(
        operation.result(), [source], back, documents=value.documents, rows=None if by_row is None else rows
    )
    operation.follows(result, source)
    return result


def _factor_of_rows(factor: Tensor | float, shape: torch.Size) -> Tensor | None:
    """A factor (..., L, 1) if a constant has one factor for each row of a value of this shape, such as a mask."""
    if not isinstance(factor, Tensor) or len(shape) < 2 or factor.shape[-2:-1] != shape[-2:-1]:
        return None
    if len(factor.shape) > len(shape) or any(
        a != b and a != 1 for a, b in zip(factor.shape[::-1], shape[::-1], strict=False)
    ):
        return None
    first = factor[..., :1]
    return first if factor.shape[-1] == 1 or torch.equal(first.expand_as(factor), factor) else None


def _of_values(operation: Operation, left: Tensor, right: Tensor, dividing: bool) -> Tensor:
    operation.step_name()
    values, documents, result = (
        (operation.value(left), operation.value(right)),
        operation.documents(),
        operation.result(),
    )
    names, roles = [value.name for value in values], (operation.role(left), operation.role(right))
    source = 0 if dividing else source_of(*roles)
    strict = dividing or max(roles) in (Role.GATE, Role.LENGTH) or operation.tape.roles.same_origin(names)
    if source is None or not strict:
        if not operation.halves and source is None:
            result = operation.stop(result, str(operation.refuse(f"{WHICH_GATE} {USE_HALVES}")), documents)
            _set_role(operation, result, names, left is right)
            return result
        source, share = (None, 0.5) if operation.halves else (source, 1.0)
    else:
        share = 1.0

    def back(multipliers: Tensor) -> Backward:
        multipliers = multipliers if share == 1 else multipliers * share
        if dividing:
            return Backward((sum_to_shape(multipliers / right, values[0].shape), None))
        to_left = None if source == 1 else sum_to_shape(multipliers * right, values[0].shape)
        to_right = None if source == 0 else sum_to_shape(multipliers * left, values[1].shape)
        return Backward((to_left, to_right))

    result = operation.put(result, [left, right], back, documents=documents, saved=[left, right])
    _set_role(operation, result, names, left is right and not dividing)
    return result


def _set_role(operation: Operation, result: Tensor, names: list[str], squared: bool) -> None:
    operation.tape.roles.multiplies(operation.value(result).name, names)
    if squared:
        operation.set_role(result, Role.LENGTH)


def source_of(left: Role, right: Role) -> int | None:
    """Return the position of the factor with the lower role; None if both have the same."""
    return None if left == right else int(left > right)


# ---- matrices


def matrix_product_gradient(operation: Operation) -> Tensor:
    """A product with a constant matrix, or of two values, such as attention."""
    left = operation.argument(0, "input")
    right = operation.argument(1, "other", operation.kwargs.get("mat2", operation.kwargs.get("vec")))
    if operation.name == "rmatmul":
        left, right = right, left
    both = operation.tracks(left) and operation.tracks(right)
    operation.step_name(*(() if both else (right if operation.tracks(left) else left,)))
    if min(left.dim(), right.dim()) < 2:
        raise operation.refuse("the fast engine multiplies matrices only.")
    reads = [each for each in (left, right) if operation.tracks(each)]
    _check_documents(operation, left, right)
    result, documents = operation.result(), operation.documents()
    share, to = 1.0, (operation.tracks(left), operation.tracks(right))
    if both:
        roles = operation.role(left), operation.role(right)
        source = source_of(*roles)
        strict = source is not None and max(roles) in (Role.GATE, Role.LENGTH)
        if source is None and not operation.halves:
            return operation.stop(result, str(operation.refuse(f"{WHICH_GATE} {USE_HALVES}")), documents)
        if operation.halves and not strict:
            share = 0.5
        else:
            to = (source == 0, source == 1)
    left_shape, right_shape = left.shape, right.shape

    def back(multipliers: Tensor) -> Backward:
        multipliers = multipliers if share == 1 else multipliers * share
        parts = (
            sum_to_shape(rows_times(multipliers, right.mT), left_shape) if to[0] else None,
            sum_to_shape(times_columns(left.mT, multipliers), right_shape) if to[1] else None,
        )
        return Backward(parts if both else [part for part, is_read in zip(parts, to, strict=True) if is_read])

    return operation.put(result, reads, back, documents=documents, saved=reads)


def _check_documents(operation: Operation, left: Tensor, right: Tensor) -> None:
    """Raise :class:`ModelError` if the product sums over documents, or multiplies rows of different documents."""
    if operation.tracks(left) and operation.tracks(right):
        operation.check_axes(left, -1, -2)
        operation.check_axes(right, -1, -2)
    elif operation.tracks(left):
        operation.check_axes(left, -1)
    else:
        operation.check_axes(right, -2)


def rows_times(multipliers: Tensor, matrix: Tensor) -> Tensor:
    """Return multipliers (K, ..., m, n) @ matrix (..., n, d), with the targets folded into the rows."""
    if len(multipliers) == 1 or matrix.dim() < 3:
        return multipliers @ matrix
    targets, rows = len(multipliers), multipliers.shape[-2]
    folded = multipliers.movedim(0, -3).flatten(-3, -2)
    product = folded @ matrix
    return product.reshape(*product.shape[:-2], targets, rows, product.shape[-1]).movedim(-3, 0)


def times_columns(matrix: Tensor, multipliers: Tensor) -> Tensor:
    """Return matrix (..., m, n) @ multipliers (K, ..., n, d), with the targets folded into the columns."""
    if len(multipliers) == 1:
        return (matrix @ multipliers[0])[None]
    targets, columns = len(multipliers), multipliers.shape[-1]
    folded = multipliers.movedim(0, -2).flatten(-2)
    product = matrix @ folded
    return product.reshape(*product.shape[:-1], targets, columns).movedim(-2, 0)


def transposed_times(multipliers: Tensor, matrix: Tensor) -> Tensor:
    """Return multipliers (K, ..., m, n) transposed @ matrix (..., m, d), in the layout of :func:`rows_times`."""
    return (multipliers.movedim(0, -3).mT @ matrix.unsqueeze(-3)).movedim(-3, 0)
