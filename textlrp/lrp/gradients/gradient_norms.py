"""Modified gradients of layers that normalize: statistics, lengths and deviations are constants (Ali et al. 2022).

Source: Ali et al. 2022 (arXiv 2202.07304), section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textlrp.lrp.gradients.document_axis import DocumentAxis
from textlrp.lrp.gradients.gradient_tape import absorbed_constant
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.gradients.tracked_values import Backward, RowMultipliers
from textlrp.lrp.recorded.roles import Role


def layer_norm_gradient(operation: Operation) -> Tensor:
    """The mean subtraction is linear, the deviation a constant."""
    inputs, over = operation.single(), operation.argument(1, "normalized_shape")
    weight, bias = operation.argument(2, "weight"), operation.argument(3, "bias")
    value, name, axes = operation.value(inputs), operation.step_name(weight, bias), tuple(range(-len(over), 0))
    operation.check_axes(inputs, *axes)
    result, _, inverse = torch.native_layer_norm(inputs, list(over), weight, bias, operation.argument(4, "eps", 1e-5))
    scale = None if weight is None else weight.detach()
    added = None if bias is None else bias.detach()

    def absorbed(multipliers: Tensor | RowMultipliers) -> dict[tuple[str, str], Tensor]:
        return {} if added is None else absorbed_constant((name, "bias"), multipliers, added, value.documents)

    def back(multipliers: Tensor) -> Backward:
        scaled = multipliers * inverse if scale is None else (multipliers * scale).mul_(inverse)
        return Backward((scaled.sub_(scaled.mean(dim=axes, keepdim=True)),), absorbed(multipliers))

    def rows(multipliers: RowMultipliers) -> Backward:
        scaled = multipliers.base if scale is None else multipliers.base * scale
        centered = multipliers._replace(base=scaled - scaled.mean(dim=-1, keepdim=True))
        return Backward((centered.times(inverse),), absorbed(multipliers))

    return operation.put(
        result, [inputs], back, documents=value.documents, rows=rows if len(axes) == 1 and inputs.dim() > 1 else None
    )


def root_mean_square_norm(operation: Operation) -> Tensor:
    """``rms_norm``: the root of the mean square is a constant."""
    inputs, over = operation.single(), operation.argument(1, "normalized_shape")
    weight, eps = operation.argument(2, "weight"), operation.argument(3, "eps")
    axes = tuple(range(-len(over), 0))
    operation.check_axes(inputs, *axes)
    eps = torch.finfo(inputs.dtype).eps if eps is None else eps
    factor = (inputs.square().mean(dim=axes, keepdim=True) + eps).rsqrt()
    return scaled(operation, inputs, factor if weight is None else factor * weight.detach())


def normalize(operation: Operation) -> Tensor:
    """x / |x|: the length is a constant."""
    inputs, p, axis = operation.single(), operation.argument(1, "p", 2.0), operation.argument(2, "dim", 1)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    operation.check_axes(inputs, *(each % inputs.dim() - inputs.dim() for each in axes))
    length = inputs.norm(p, axis, keepdim=True).clamp_min(operation.argument(3, "eps", 1e-12))
    return scaled(operation, inputs, length.reciprocal())


def scaled(operation: Operation, inputs: Tensor, factor: Tensor) -> Tensor:
    """Put an operation on the tape that multiplies a value with a constant."""
    operation.step_name()
    result = operation.put(
        operation.result(),
        [inputs],
        lambda multipliers: Backward((multipliers * factor,)),
        documents=operation.value(inputs).documents,
    )
    operation.follows(result, inputs)
    return result


def vector_length(operation: Operation) -> Tensor:
    """A power, root, norm or deviation: a constant wherever it is a factor or divisor."""
    result, inputs = operation.result(), operation.tracked[0]
    operation.step_name()
    documents = _documents_of_length(operation, result)
    why = str(operation.refuse("it has no rule. Its result may only be part of a length that scales another value."))
    result = operation.stop(result, why, documents)
    if result.shape == inputs.shape:
        operation.follows(result, *operation.tracked)
    operation.set_role(result, Role.LENGTH)
    return result


def _documents_of_length(operation: Operation, result: Tensor) -> DocumentAxis | None:
    """The document axis of a length, which may have fewer axes than the values that it is the length of."""
    documents, shape = operation.documents(), operation.tracked[0].shape
    if documents is None:
        return None
    if result.dim() == len(shape) and result.shape[documents.axis] == shape[documents.axis]:
        return documents
    if documents.axis != -len(shape) or result.dim() == 0 or result.shape[0] != shape[0]:
        raise operation.mixes()
    return documents._replace(axis=-result.dim())
