"""Modified gradients of layers with weights, norms and linear operations: LRP-0 in multiplier form.

A multiplier is relevance divided by the value, g = R / x. For a linear layer x W^T + b the multiplier of the input is
g W, and the bias absorbs b · g. The deviation of a normalization is a constant (Ali et al. 2022, arXiv 2202.07304).

Letters: N documents, K targets, D features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from textlrp.lrp.gradients.document_axis import DocumentAxis
from textlrp.lrp.gradients.observed_operation import Operation, absorbed_constant
from textlrp.lrp.gradients.tracked_values import Backward, Kind


def dense(operation: Operation) -> Tensor:
    """``linear(x, weight, bias)``."""
    inputs, weight, bias = (operation.argument(i, name) for i, name in enumerate(("input", "weight", "bias")))
    return _dense(operation, inputs, weight.detach(), bias, (weight, bias))


def dense_of_matrices(operation: Operation) -> Tensor:
    """``addmm(bias, x, weight)``."""
    bias, inputs, weight = (operation.argument(i, name) for i, name in enumerate(("input", "mat1", "mat2")))
    if operation.kwargs.get("beta", 1) != 1 or operation.kwargs.get("alpha", 1) != 1 or not operation.tracks(inputs):
        return affine(operation)
    return _dense(operation, inputs, weight.detach().t(), bias, (weight, bias))


def _dense(operation: Operation, inputs: Tensor, weight: Tensor, bias: Tensor | None, layer: Any) -> Tensor:
    if operation.tracks(weight) or operation.tracks(bias) or len(operation.tracked) > 1:
        raise operation.refuse("its weights depend on the words.")
    value = operation.value(inputs)
    name = operation.tape.names.step_name(operation.name, *layer)
    _check_axis(operation, value.documents, -1)

    def back(gradient: Tensor) -> Backward:
        absorbed = {}
        if bias is not None:
            absorbed = absorbed_constant((name, "bias"), gradient, bias.detach(), value.documents)
        rows = gradient.reshape(-1, gradient.shape[-1])
        return Backward((torch.mm(rows, weight).reshape(len(gradient), *value.shape),), absorbed)

    return operation.put(operation.result(), [inputs], back, documents=value.documents)


def layer_norm(operation: Operation) -> Tensor:
    """The mean subtraction is linear, the deviation a constant."""
    inputs, over = operation.single(), operation.argument(1, "normalized_shape")
    weight, bias, eps = (
        operation.argument(2 + i, n, d) for i, (n, d) in enumerate((("weight", None), ("bias", None), ("eps", 1e-5)))
    )
    value, axes = operation.value(inputs), tuple(range(-len(over), 0))
    name = operation.tape.names.step_name(operation.name, weight, bias)
    _check_axis(operation, value.documents, *axes)
    result, _, inverse = torch.native_layer_norm(inputs, list(over), weight, bias, eps)

    def back(gradient: Tensor) -> Backward:
        absorbed = {}
        if bias is not None:
            absorbed = absorbed_constant((name, "bias"), gradient, bias.detach(), value.documents)
        scaled = gradient * inverse if weight is None else (gradient * weight.detach()).mul_(inverse)
        return Backward((scaled - scaled.mean(dim=axes, keepdim=True),), absorbed)

    return operation.put(result, [inputs], back, documents=value.documents)


def root_mean_square_norm(operation: Operation) -> Tensor:
    """``rms_norm``: the root of the mean square is a constant."""
    inputs, over = operation.single(), operation.argument(1, "normalized_shape")
    weight, eps = operation.argument(2, "weight"), operation.argument(3, "eps")
    eps = torch.finfo(inputs.dtype).eps if eps is None else eps
    value, axes = operation.value(inputs), tuple(range(-len(over), 0))
    operation.tape.names.step_name(operation.name, weight)
    _check_axis(operation, value.documents, *axes)
    scale = (inputs.square().mean(dim=axes, keepdim=True) + eps).rsqrt()
    factor = scale if weight is None else scale * weight.detach()
    return operation.put(
        operation.result(), [inputs], lambda gradient: Backward((gradient * factor,)), documents=value.documents
    )


def normalize(operation: Operation) -> Tensor:
    """x / |x|: the length is a constant."""
    inputs, p, axis = operation.single(), operation.argument(1, "p", 2.0), operation.argument(2, "dim", 1)
    value = operation.value(inputs)
    operation.tape.names.step_name(operation.name)
    length = inputs.norm(p, axis, keepdim=True).clamp_min(operation.argument(3, "eps", 1e-12))
    return operation.put(
        operation.result(), [inputs], lambda gradient: Backward((gradient / length,)), documents=value.documents
    )


def length(operation: Operation) -> Tensor:
    """A length or deviation: a constant as a factor or divisor, an error where relevance reaches it."""
    inputs = operation.tracked[0]
    why = str(operation.refuse("relevance reaches it, and it has no rule."))
    operation.tape.names.step_name(operation.name)
    return stopped(operation, operation.result(), why, Kind.LENGTH, inputs)


def stopped(operation: Operation, result: Any, why: str, kind: Kind, inputs: Tensor) -> Any:
    """Put a value on the tape that may receive no relevance."""
    from textlrp.errors import ModelError

    documents = operation.value(inputs).documents
    outputs = [result] if isinstance(result, Tensor) else list(result)

    def back(gradient: Tensor) -> Backward:
        if bool(gradient.any()):
            raise ModelError(why)
        return Backward([None] * len(operation.tracked))

    for output in outputs:
        operation.put(output, operation.tracked, back, documents=documents, kind=kind)
    return result


def mean_or_sum(operation: Operation) -> Tensor:
    """A mean or a sum over some axes, or over all."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    operation.tape.names.step_name(operation.name)
    axes = operation.argument(1, "dim", operation.kwargs.get("axis"))
    listed = tuple(range(inputs.dim())) if axes is None or axes == () else (axes,) if isinstance(axes, int) else axes
    summed = sorted(axis % inputs.dim() for axis in listed)
    keep = bool(operation.argument(2, "keepdim", False))
    _check_axis(operation, value.documents, *(axis - inputs.dim() for axis in summed))
    documents = value.documents
    if documents is not None and not keep:
        after = sum(axis > inputs.dim() + documents.axis for axis in summed)
        documents = documents._replace(axis=documents.axis + after)
    count = inputs.numel() // max(1, result.numel()) if operation.name == "mean" else 1

    def back(gradient: Tensor) -> Backward:
        if not keep:
            for axis in summed:
                gradient = gradient.unsqueeze(1 + axis)
        return Backward(((gradient / count).expand(len(gradient), *value.shape),))

    kind = value.kind if value.kind is Kind.LENGTH else Kind.PLAIN
    return operation.put(result, [inputs], back, documents=documents, kind=kind)


def affine(operation: Operation) -> Tensor:
    """Any other operation that is linear in one value, plus a constant: its own gradient."""
    inputs = operation.single()
    value, result = operation.value(inputs), operation.result()
    layer = [tensor for tensor in operation.args if isinstance(tensor, Tensor)]
    name = operation.tape.names.step_name(operation.name, *(t for t in layer if t is not inputs))
    documents = value.documents
    if documents is not None:
        aligned = documents.axis == -inputs.dim() and documents.inner == 1 and result.shape[0] == inputs.shape[0]
        if not aligned:
            raise operation.mixes()
        documents = documents._replace(axis=-result.dim())
    _, gradients = operation.derivative([inputs])
    from textlrp.lrp.recorded.watch import replayed

    constant = replayed(operation.function, operation.args, operation.kwargs, {id(inputs): torch.zeros_like(inputs)})

    def back(gradient: Tensor) -> Backward:
        absorbed = {}
        if bool(constant.any()):
            absorbed = absorbed_constant((name, "bias"), gradient, constant, documents)
        return Backward(gradients(0, gradient), absorbed)

    return operation.put(result, [inputs], back, documents=documents)


def _check_axis(operation: Operation, documents: DocumentAxis | None, *axes: int) -> None:
    if documents is not None and documents.axis in axes:
        raise operation.mixes()
