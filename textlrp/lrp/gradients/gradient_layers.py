"""Modified gradients of layers with weights and of linear operations: LRP-0 in multiplier form.

For a layer x W^T + b the multipliers of the input are g W, and the bias absorbs b · g.

Letters: N documents, K targets, D features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from textlrp.lrp.gradients.gradient_tape import absorbed_constant
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, Rows
from textlrp.lrp.recorded.products import MATRICES_AND_SUM
from textlrp.lrp.recorded.roles import Role
from textlrp.lrp.recorded.watch import replayed


def dense_gradient(operation: Operation) -> Tensor:
    """``linear(x, weight, bias)``."""
    inputs, weight, bias = (operation.argument(at, name) for at, name in enumerate(("input", "weight", "bias")))
    if operation.tracks(weight) or operation.tracks(bias):
        raise operation.refuse("its weights depend on the words.")
    return _dense(operation, inputs, weight.detach(), bias, (weight, bias))


def dense_of_matrices(operation: Operation) -> Tensor:
    """``addmm(bias, x, weight)`` as a dense layer; otherwise a sum of a value and a product of matrices."""
    bias, inputs, weight = (operation.argument(at, name) for at, name in enumerate(("input", "mat1", "mat2")))
    plain = operation.kwargs.get("beta", 1) == 1 == operation.kwargs.get("alpha", 1)
    if operation.name == "addmm" and plain and not operation.tracks(weight) and not operation.tracks(bias):
        return _dense(operation, inputs, weight.detach().t(), bias, (weight, bias))
    result: Tensor = operation.record(MATRICES_AND_SUM[operation.name], *operation.args, **operation.kwargs)
    return result


def _dense(
    operation: Operation, inputs: Tensor, weight: Tensor, bias: Tensor | None, layer: Sequence[Tensor | None]
) -> Tensor:
    value, name, products = operation.value(inputs), operation.step_name(*layer), operation.tape.products
    operation.check_axes(inputs, -1)
    added = None if bias is None else bias.detach()

    def absorbed(multipliers: Tensor | Rows) -> dict[tuple[str, str], Tensor]:
        return {} if added is None else absorbed_constant((name, "bias"), multipliers, added, value.documents)

    def times_weight(multipliers: Tensor) -> Tensor:
        flat = products(multipliers.reshape(-1, multipliers.shape[-1]), weight)
        return flat.reshape(*multipliers.shape[:-1], flat.shape[-1])

    def back(multipliers: Tensor) -> Backward:
        return Backward((times_weight(multipliers),), absorbed(multipliers))

    def rows(multipliers: Rows) -> Backward:
        return Backward((multipliers._replace(base=times_weight(multipliers.base)),), absorbed(multipliers))

    return operation.put(operation.result(), [inputs], back, documents=value.documents, rows=rows)


def affine(operation: Operation) -> Tensor:
    """Any other operation that is linear in one value, plus a constant: its own gradient."""
    inputs = operation.single()
    result, documents = operation.result(), operation.value(inputs).documents
    layer = [each for each in operation.args if isinstance(each, Tensor) and each is not inputs]
    name = operation.step_name(*layer)
    if documents is not None:
        first = documents.axis == -inputs.dim() and documents.inner == 1 and result.shape[0] == inputs.shape[0]
        if not first:
            raise operation.mixes()
        documents = documents._replace(axis=-result.dim())
    gradients = operation.derivative([inputs])
    constant = replayed(operation.function, operation.args, operation.kwargs, {id(inputs): torch.zeros_like(inputs)})
    has_constant = bool(constant.any())

    def back(multipliers: Tensor) -> Backward:
        entries = absorbed_constant((name, "bias"), multipliers, constant, documents) if has_constant else {}
        return Backward(gradients(0, multipliers), entries)

    return operation.put(result, [inputs], back, documents=documents)


def mean_or_sum_gradient(operation: Operation) -> Tensor:
    """A mean or a sum over some axes, or over all."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    operation.step_name()
    axes = operation.argument(1, "dim", operation.kwargs.get("axis"))
    listed = tuple(range(inputs.dim())) if axes is None or axes == () else (axes,) if isinstance(axes, int) else axes
    summed = sorted(axis % inputs.dim() for axis in listed)
    kept = operation.argument(2, "keepdim", False)
    operation.check_axes(inputs, *(axis - inputs.dim() for axis in summed))
    documents = value.documents
    if documents is not None and not kept:
        after = sum(axis > inputs.dim() + documents.axis for axis in summed)
        documents = documents._replace(axis=documents.axis + after)
    count = inputs.numel() / max(1, result.numel()) if operation.name == "mean" else 1.0
    over_rows = summed == [inputs.dim() - 2]
    ones = inputs.new_ones(1).expand(*inputs.shape[:-1], 1)

    def back(multipliers: Tensor) -> Backward:
        multipliers = multipliers if count == 1 else multipliers / count
        for axis in () if kept else summed:
            multipliers = multipliers.unsqueeze(1 + axis)
        if over_rows:
            return Backward((Rows(multipliers, ones),))
        return Backward((multipliers.expand(len(multipliers), *value.shape),))

    result = operation.put(result, [inputs], back, documents=documents)
    if operation.role(inputs) == Role.LENGTH:  # the mean of squares
        operation.set_role(result, Role.LENGTH)
    return result
