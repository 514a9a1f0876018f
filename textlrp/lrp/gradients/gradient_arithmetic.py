"""Modified gradients of sums and differences.

Letters: N documents, K targets.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from textlrp.lrp.gradients.gradient_moves import sum_to
from textlrp.lrp.gradients.gradient_tape import absorbed_constant, add_entries
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, Key, Rows
from textlrp.lrp.recorded.products import REFLECTED


def left_and_right(operation: Operation) -> tuple[Any, Any]:
    """Return the left and the right operand; the reflected operators of Python have them in reverse order."""
    left, right = operation.argument(0, "input"), operation.argument(1, "other")
    return (right, left) if operation.name in REFLECTED else (left, right)


def addition_gradient(operation: Operation) -> Tensor:
    """A sum or difference of two values, or of a value and a constant, which is a bias."""
    left, right = left_and_right(operation)
    alpha = float(operation.kwargs.get("alpha", 1))
    factor = -alpha if operation.name in ("sub", "subtract", "rsub") else alpha  # the factor of the right operand
    if operation.tracks(left) and operation.tracks(right):
        return _sum_of_values(operation, left, right, factor)
    source, constant = (left, right) if operation.tracks(left) else (right, left)
    result, value = operation.result(), operation.value(source)
    of_source, of_constant = (1.0, factor) if source is left else (factor, 1.0)
    added = _added_constants(operation, constant, of_constant, result)

    def absorbed(multipliers: Tensor | Rows) -> dict[Key, Tensor]:
        entries: dict[Key, Tensor] = {}
        for key, numbers in added:
            add_entries(entries, absorbed_constant(key, multipliers, numbers, value.documents))
        return entries

    def back(multipliers: Tensor) -> Backward:
        received = sum_to(multipliers, value.shape)
        return Backward((received if of_source == 1 else received * of_source,), absorbed(multipliers))

    result = operation.put(result, [source], back, documents=value.documents)
    operation.follows(result, source)  # 1 - gate is a gate
    return result


def _added_constants(operation: Operation, constant: Any, factor: float, result: Tensor) -> list[tuple[Key, Tensor]]:
    """The ledger entries of a constant that is added, such as position embeddings, and the numbers of each."""
    terms = operation.tape.names.constants.terms(constant)
    if terms and (len(terms) == 1 or factor == 1):
        for _ in terms:
            operation.step_name()
        return [((term.step, term.cause), factor * term.values) for term in terms]
    numbers = torch.as_tensor(constant, dtype=result.dtype, device=result.device).detach()
    return [((operation.step_name(), "bias"), numbers if factor == 1 else factor * numbers)]


def _sum_of_values(operation: Operation, left: Tensor, right: Tensor, factor: float) -> Tensor:
    operation.step_name()
    result, shapes = operation.result(), (left.shape, right.shape)

    def back(multipliers: Tensor) -> Backward:
        to_right = sum_to(multipliers, shapes[1])
        return Backward((sum_to(multipliers, shapes[0]), to_right if factor == 1 else to_right * factor))

    def rows(multipliers: Rows) -> Backward:
        return Backward((multipliers, multipliers))

    plain = shapes[0] == shapes[1] and factor == 1
    result = operation.put(result, [left, right], back, documents=operation.documents(), rows=rows if plain else None)
    operation.follows(result, left, right)
    return result
