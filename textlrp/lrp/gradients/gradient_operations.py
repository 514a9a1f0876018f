"""The operations that the fast engine knows, and their handlers.

Open this module to add an operation: write a handler, a function of an :class:`.Operation` that returns the result,
and add it to the table. An operation that is not in the table and reads values that depend on the words stops the
engine with an error that names it; the recorded trace may know the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textlrp.lrp.gradients import gradient_layers as layers
from textlrp.lrp.gradients import gradient_moves as moves
from textlrp.lrp.gradients import gradient_norms as norms
from textlrp.lrp.gradients.gradient_activations import activation_gradient, sigmoid, unchanged_gradient
from textlrp.lrp.gradients.gradient_arithmetic import addition_gradient
from textlrp.lrp.gradients.gradient_attention import attention, multi_head_attention_gradient, softmax
from textlrp.lrp.gradients.gradient_products import matrix_product_gradient, multiplication_gradient
from textlrp.lrp.gradients.observed_operation import Operation
from textlrp.lrp.recorded.randomness import names
from textlrp.lrp.recorded.watch import MOVES

Handler = Callable[[Operation], Any]

_TABLE: tuple[tuple[str, Handler], ...] = (
    (" ".join(MOVES), moves.any_move),
    ("getitem", moves.select),
    ("view reshape flatten ravel unflatten squeeze unsqueeze view_as reshape_as", moves.reshape),
    ("transpose swapaxes swapdims permute T mT t", moves.permutation),
    ("expand expand_as broadcast_to", moves.expand),
    ("dropout alpha_dropout feature_dropout feature_alpha_dropout dropout1d dropout2d contiguous clone", moves.same),
    ("positive to float double type type_as requires_grad alias identity as_subclass", moves.same),
    ("detach data", moves.constant),
    (
        "relu relu6 leaky_relu prelu elu selu celu gelu silu mish softplus tanh tanhshrink softsign",
        activation_gradient,
    ),
    ("hardtanh hardswish threshold erf", activation_gradient),
    ("clamp clamp_min clip neg negative", unchanged_gradient),
    ("sigmoid hardsigmoid logsigmoid", sigmoid),
    ("softmax log_softmax softmin", softmax),
    ("scaled_dot_product_attention", attention),
    ("multi_head_attention_forward", multi_head_attention_gradient),
    ("linear", layers.dense_gradient),
    ("addmm baddbmm addbmm", layers.dense_of_matrices),
    ("conv1d conv2d avg_pool1d avg_pool2d adaptive_avg_pool1d", layers.affine),
    ("mean sum", layers.mean_or_sum_gradient),
    ("layer_norm", norms.layer_norm_gradient),
    ("rms_norm", norms.root_mean_square_norm),
    ("normalize", norms.normalize),
    ("pow rpow square sqrt rsqrt reciprocal norm vector_norm linalg_norm linalg_vector_norm std var", norms.length),
    ("add radd sub subtract rsub", addition_gradient),
    ("mul rmul multiply div truediv divide true_divide rdiv rtruediv", multiplication_gradient),
    ("matmul mm bmm rmatmul", matrix_product_gradient),
)

_HANDLERS: dict[str, Handler] = {operation: handler for listed, handler in _TABLE for operation in names(listed)}


def handler_for(operation: str) -> Handler | None:
    """Return the handler of an operation, None if the engine does not know it."""
    return _HANDLERS.get(operation)
