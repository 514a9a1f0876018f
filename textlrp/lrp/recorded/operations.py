"""How relevance passes through each torch operation: one handler per operation, and the table of all handlers.

Open this module to add an operation: write a handler, a function of a :class:`.Call`, and add it to the table. An
operation that is not in the table stops the recording with an error that names it. Handlers of sums and averages are
in ``arithmetic.py``, those of products in ``products.py``, of attention in ``attention.py``, of layers that normalize
in ``normalization.py``, and of recurrent layers in ``recurrent_operations.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from textlrp.errors import ModelError
from textlrp.lrp.recorded import arithmetic, attention, multi_head, normalization, products
from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.randomness import names
from textlrp.lrp.recorded.recurrent_operations import recurrent_layer
from textlrp.lrp.recorded.roles import Role
from textlrp.lrp.recorded.watch import MOVES, operation_of, tensors_in

Handler = Callable[[Call], None]


def unchanged(call: Call) -> None:
    """An elementwise operation that relevance passes through unchanged, such as dropout or a change of dtype."""
    call.passes()


def activation(call: Call) -> None:
    """An activation: relevance passes through unchanged. In a product it gates a value, as in a gated layer."""
    call.passes(role=Role.ACTIVATION)


def constant(call: Call) -> None:
    """A detached value: it is a constant for relevance, as it is for the gradient."""


def sigmoid(call: Call) -> None:
    """Relevance passes through unchanged; the result is a gate, or the probability at the end of the module."""
    call.squashes(call.passes())


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


# ---- the table

_TABLE: tuple[tuple[str, Handler], ...] = (
    ("relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish softplus tanh tanhshrink softsign", activation),
    ("hardtanh hardswish threshold erf", activation),
    ("clamp clamp_min clip neg negative positive alias identity as_subclass", unchanged),
    ("dropout alpha_dropout feature_dropout feature_alpha_dropout dropout1d dropout2d", unchanged),
    ("to float double type type_as requires_grad", unchanged),
    ("detach data", constant),
    ("sigmoid hardsigmoid logsigmoid", sigmoid),
    ("softmax log_softmax softmin", attention.softmax),
    ("scaled_dot_product_attention", attention.scaled_dot_product_attention),
    ("multi_head_attention_forward", multi_head.multi_head_attention),
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
    ("addmm baddbmm addbmm", products.matrices_and_sum),
    ("batch_norm", normalization.batch_norm),
    ("layer_norm", normalization.layer_norm),
    ("rms_norm normalize", normalization.divided_by_length),
    (
        "pow rpow square sqrt rsqrt reciprocal abs absolute norm vector_norm linalg_norm linalg_vector_norm std var",
        products.length,
    ),
    ("lstm gru rnn_tanh rnn_relu", recurrent_layer),
    ("add radd sub subtract rsub", arithmetic.addition),
    ("mul rmul multiply div truediv divide true_divide rdiv rtruediv", products.multiplication),
    ("matmul mm spmm bmm mv rmatmul", products.matrix_product),
    ("einsum", products.einsum),
    ("mean sum nanmean nansum", arithmetic.mean_or_sum),
    ("avg_pool1d adaptive_avg_pool1d", arithmetic.average_pool_1d),
    ("avg_pool2d adaptive_avg_pool2d", arithmetic.average_pool_2d),
    ("bag", arithmetic.embedding_bag),
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
    read = sum(call.tracks(tensor) for tensor in tensors_in((call.args, call.kwargs)))
    if read > 1:
        raise ModelError(
            f"no rule for the operation {call.trace.describe(call.operation)}, which reads {read} "
            f"values that depend on the words. Register how relevance is distributed among them: @textlrp.register("
            f"{call.operation!r}), then def _(call): call.sums(...), call.product(gate, source) or call.moves(); see "
            "textlrp.register."
        )
    raise ModelError(
        f"no rule for the operation {call.trace.describe(call.operation)}. If relevance passes through it unchanged, "
        f"register it: @textlrp.register({call.operation!r}), then def _(call): call.passes(); for a linear one "
        "call.linear(...); see textlrp.register."
    )
