"""How relevance passes through each torch operation: one handler per operation, and the table of all handlers.

Open this module to add an operation: write a handler, a function of a :class:`.Call`, and add it to the table. An
operation that is not in the table stops the recording with an error that names it. Handlers of products, sums and
averages are in ``arithmetic.py``, those of recurrent layers in ``recurrent_operations.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from textlrp.errors import ModelError
from textlrp.lrp.recorded import arithmetic as products
from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.randomness import names
from textlrp.lrp.recorded.recurrent_operations import recurrent_layer
from textlrp.lrp.recorded.steps import Fold
from textlrp.lrp.recorded.watch import MOVES, operation_of

Handler = Callable[[Call], None]


def activation(call: Call) -> None:
    """An elementwise operation: relevance passes through unchanged."""
    call.passes()


def constant(call: Call) -> None:
    """A detached value: it is a constant for relevance, as it is for the gradient."""


def sigmoid(call: Call) -> None:
    """Relevance passes through unchanged; the result is a gate, or the probability at the end of the module."""
    call.squashes(call.passes())


def softmax(call: Call) -> None:
    """No relevance passes through; the result may be a gate (attention), or the probabilities at the end."""
    refusal = call.refuse(
        "it has no rule.",
        "A softmax may only be the last operation of the module, or weigh other values as a gate (attention).",
    )
    call.squashes(call.stops(str(refusal)))


def move(call: Call) -> None:
    """Values are only moved, and relevance moves back; max-pooling moves the largest values."""
    call.moves()


def extremum(call: Call) -> None:
    """The larger of a value and a constant is an activation; otherwise the chosen value gets all relevance."""
    other = call.argument(1, "other")
    if isinstance(other, Tensor) and len(call.tracked) == 1:  # a ReLU is the larger of x and 0
        call.passes()
    else:
        call.moves()


def assignment(call: Call) -> None:
    """``target[index] = value``: a move into the target."""

    def put(target: Tensor, index: Any, value: Any) -> Tensor:
        filled = target.clone()
        filled[index] = value
        return filled

    call.moves(into=call.args[0], like=put)


def gated_linear_unit(call: Call) -> None:
    """a × sigmoid(b) of two halves (a, b): the source a gets all relevance."""
    call.moves(like=lambda a, dim=-1: a.chunk(2, dim)[0])


# ---- layers with weights


def dense(call: Call) -> None:
    """A dense layer: a rule distributes relevance."""
    inputs, weight, bias = call.argument(0, "input"), call.argument(1, "weight"), call.argument(2, "bias")
    if call.tracks(weight) or call.tracks(bias):
        raise call.refuse("its weights depend on the words.")
    value = call.linear("dense", inputs, weight, F.linear, bias=bias, layer=(weight, bias))
    if call.outputs[0].dim() == 2:
        call.trace.scalable.add(value)


def convolution(call: Call) -> None:
    """A convolution in one or two dimensions: a rule distributes relevance."""
    inputs, weight, bias = call.argument(0, "input"), call.argument(1, "weight"), call.argument(2, "bias")
    if call.tracks(weight):
        raise call.refuse("its weights depend on the words.")
    options = (call.argument(3, "stride", 1), call.argument(4, "padding", 0), call.argument(5, "dilation", 1),
               call.argument(6, "groups", 1))  # fmt: skip
    convolve = getattr(torch, call.operation)

    def apply(a: Tensor, w: Tensor) -> Tensor:
        result: Tensor = convolve(a, w, None, *options)
        return result

    shaped = None if bias is None else bias.reshape(-1, *(1 for _ in weight.shape[2:]))
    value = call.linear("convolution", inputs, weight, apply, bias=shaped, layer=(weight, bias))
    if inputs.dim() == weight.dim():
        call.trace.scalable.add(value)


def dense_of_matrices(call: Call) -> None:
    """``addmm``: a dense layer as bias + inputs @ weights."""
    bias, inputs, weight = call.argument(0, "input"), call.argument(1, "mat1"), call.argument(2, "mat2")
    plain = call.kwargs.get("beta", 1) == 1 == call.kwargs.get("alpha", 1)
    if call.tracks(weight) or call.tracks(bias) or not plain:
        raise call.refuse("only bias + inputs @ weights is supported, with alpha=1, beta=1 and constant weights.")
    call.linear("dense", inputs, weight, torch.matmul, bias=bias, layer=(weight, bias))


def batch_norm(call: Call) -> None:
    """A diagonal linear step with the running statistics, folded into the weighted step before it if possible."""
    inputs = call.argument(0, "input")
    mean, variance = call.argument(1, "running_mean"), call.argument(2, "running_var")
    weight, bias, training = call.argument(3, "weight"), call.argument(4, "bias"), call.argument(5, "training", False)
    if mean is None or variance is None or training is True:
        raise call.refuse(
            "it normalizes by the statistics of the batch.",
            "Use running statistics: track_running_stats=True and eval mode.",
        )
    scale = (variance + call.argument(7, "eps", 1e-5)).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (-1, *(1 for _ in inputs.shape[2:]))
    value = call.linear(
        "norm", inputs, scale.reshape(shape), torch.mul, bias=shift.reshape(shape), layer=(mean, weight)
    )
    call.trace.folds[value] = Fold(scale.detach(), shift.reshape(shape).detach())


def layer_norm(call: Call) -> None:
    """Subtracting the mean is a linear step; the deviation is a constant (Ali et al. 2022, arXiv 2202.07304)."""
    inputs, over = call.argument(0, "input"), call.argument(1, "normalized_shape")
    weight, bias, eps = call.argument(2, "weight"), call.argument(3, "bias"), call.argument(4, "eps", 1e-5)
    numbers, axes = call.numbers(inputs), len(over)
    deviation = (numbers.flatten(-axes).var(dim=-1, unbiased=False) + eps).rsqrt()
    size = numbers.flatten(-axes).shape[-1]
    centering = torch.eye(size, dtype=numbers.dtype) - 1 / size
    if weight is not None:
        centering = centering * weight.reshape(-1)
    call.linear(
        "norm",
        inputs,
        centering,
        lambda a, w: (a.flatten(-axes) @ w).reshape(a.shape),
        bias=bias,
        layer=(weight, bias),
        scale=deviation.reshape(*deviation.shape, *(1 for _ in over)),
    )


# ---- the table

_TABLE: tuple[tuple[str, Handler], ...] = (
    ("relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish softplus tanh tanhshrink softsign", activation),
    ("hardtanh hardswish threshold clamp clamp_min clip neg negative positive alias identity", activation),
    ("dropout alpha_dropout feature_dropout feature_alpha_dropout dropout1d dropout2d", activation),
    ("to float double type type_as requires_grad", activation),
    ("detach data", constant),
    ("sigmoid hardsigmoid logsigmoid", sigmoid),
    ("softmax log_softmax softmin", softmax),
    (" ".join(MOVES), move),
    ("max_pool1d max_pool2d max_pool1d_with_indices max_pool2d_with_indices", move),
    ("adaptive_max_pool1d adaptive_max_pool2d", move),
    ("adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices", move),
    ("amax amin topk sort", move),
    ("max min maximum minimum fmax fmin", extremum),
    ("setitem", assignment),
    ("glu", gated_linear_unit),
    ("linear", dense),
    ("conv1d conv2d", convolution),
    ("addmm", dense_of_matrices),
    ("batch_norm", batch_norm),
    ("layer_norm", layer_norm),
    ("lstm gru rnn_tanh rnn_relu", recurrent_layer),
    ("add radd sub subtract rsub", products.addition),
    ("mul rmul multiply div truediv divide true_divide rdiv rtruediv", products.multiplication),
    ("matmul mm bmm mv rmatmul", products.matrix_product),
    ("einsum", products.einsum),
    ("mean sum nanmean nansum", products.mean_or_sum),
    ("avg_pool1d adaptive_avg_pool1d", products.average_pool_1d),
    ("avg_pool2d adaptive_avg_pool2d", products.average_pool_2d),
    ("bag", products.embedding_bag),
)

HANDLERS: dict[str, Handler] = {operation: handler for listed, handler in _TABLE for operation in names(listed)}
"""The handler of each operation, by its plain name; :func:`register` adds to it."""


def register(*functions: Callable[..., Any] | str) -> Callable[[Handler], Handler]:
    """Define how relevance passes through torch operations that textlrp does not know.

    ``functions`` are torch functions (``torch.erf`` also covers ``Tensor.erf``) or their plain names. The decorated
    function gets a :class:`~textlrp.lrp.recorded.calls.Call` and describes the operation, usually in one line::

        @textlrp.register(torch.special.erf)
        def error_function(call):
            call.passes()          # an activation: relevance passes through

        @textlrp.register(torch.cumsum)
        def cumulative_sum(call):  # a linear operation: write it as apply(input, weight)
            call.linear("sum", call.argument(0, "input"), torch.ones(()),
                        lambda a, w: torch.cumsum(a * w, dim=call.argument(1, "dim")))

    A registered function replaces an earlier one for the same operation.
    """

    def keep(handler: Handler) -> Handler:
        for function in functions:
            HANDLERS[function if isinstance(function, str) else operation_of(function)] = handler
        return handler

    return keep


def handler_of(call: Call) -> Handler:
    """Return the handler of an operation; raise :class:`ModelError` if it has none."""
    if call.operation in HANDLERS:
        return HANDLERS[call.operation]
    if len(call.tracked) > 1:
        raise ModelError(
            f"no rule for the operation {call.trace.describe(call.operation)}, which reads {len(call.tracked)} "
            f"values that depend on the words. Register how relevance is distributed among them: @textlrp.register("
            f"{call.operation!r}), then def _(call): call.sums(...), call.product(gate, source) or call.moves(); see "
            "textlrp.register."
        )
    raise ModelError(
        f"no rule for the operation {call.trace.describe(call.operation)}. If relevance passes through it unchanged, "
        f"register it: @textlrp.register({call.operation!r}), then def _(call): call.passes(); for a linear one "
        "call.linear(...); see textlrp.register."
    )
