"""The operations that the fast engine knows, and their handlers.

Open this module to add an operation: write a handler, a function of an :class:`.Operation` that returns the result,
and add it to the table. An operation that is not in the table and reads values that depend on the words stops the
engine with an error that names it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textlrp.lrp.gradients import gradient_arithmetic as arithmetic
from textlrp.lrp.gradients.gradient_activations import activation, sigmoid
from textlrp.lrp.gradients.gradient_attention import attention, multi_head_attention, softmax
from textlrp.lrp.gradients.gradient_layers import (
    affine,
    dense,
    dense_of_matrices,
    layer_norm,
    length,
    mean_or_sum,
    normalize,
    root_mean_square_norm,
)
from textlrp.lrp.gradients.gradient_moves import constant, move, permutation, reshape, same
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.recorded.randomness import names
from textlrp.lrp.recorded.watch import MOVES

Handler = Callable[[Operation], Any]

_TABLE: tuple[tuple[str, Handler], ...] = (
    (" ".join(MOVES), move),
    ("view reshape flatten ravel unflatten squeeze unsqueeze view_as reshape_as", reshape),
    ("transpose swapaxes swapdims permute T mT t", permutation),
    ("dropout alpha_dropout feature_dropout feature_alpha_dropout dropout1d dropout2d contiguous clone", same),
    ("positive to float double type type_as requires_grad alias identity as_subclass", same),
    ("relu relu6 leaky_relu prelu elu selu celu gelu silu mish softplus tanh erf tanhshrink softsign", activation),
    ("hardtanh hardswish clamp clamp_min clamp_max clip", activation),
    ("detach data", constant),
    ("sigmoid hardsigmoid logsigmoid", sigmoid),
    ("softmax", softmax),
    ("linear", dense),
    ("addmm", dense_of_matrices),
    ("layer_norm", layer_norm),
    ("rms_norm", root_mean_square_norm),
    ("normalize", normalize),
    ("pow rpow square rsqrt sqrt norm linalg_vector_norm vector_norm std var reciprocal", length),
    ("add radd sub subtract rsub", arithmetic.addition),
    ("mul rmul multiply div truediv divide true_divide rdiv rtruediv", arithmetic.multiplication),
    ("matmul mm bmm rmatmul", arithmetic.matrix_product),
    ("mean sum", mean_or_sum),
    ("mv conv1d conv2d cumsum avg_pool1d avg_pool2d adaptive_avg_pool1d neg negative", affine),
    ("scaled_dot_product_attention", attention),
    ("multi_head_attention_forward", multi_head_attention),
)

_HANDLERS: dict[str, Handler] = {operation: handler for listed, handler in _TABLE for operation in names(listed)}


def handler_for(operation: str) -> Handler | None:
    """Return the handler of an operation, None if the engine does not know it."""
    return _HANDLERS.get(operation)
