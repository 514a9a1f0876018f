"""What each torch operation means for relevance: one small function per operation, in one table.

An operation that is not here stops the recording with its name and place. To teach one, decorate a function with
:func:`register`; it gets a :class:`Call` and says what happens, mostly in one word::

    @register(torch.special.erf)
    def _(call):
        call.passes()          # an activation: relevance passes through

    @register(torch.cumsum)
    def _(call):               # a linear operation: give it as apply(input, weight)
        call.linear("sum", call.argument(0, "input"), torch.ones(()),
                    lambda a, w: torch.cumsum(a * w, dim=call.argument(1, "dim")))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from textlrp.errors import ModelError
from textlrp.lrp.recorded import Applied, Bilinear, Fold, Moved, Passed, Stopped
from textlrp.lrp.rules import Box
from textlrp.lrp.trace import Linear, Product, Sum
from textlrp.lrp.watching import MOVES, operation_of, replayed, tensors_in

if TYPE_CHECKING:
    from textlrp.lrp.record import Recorder

Handler = Callable[["Call"], None]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One operation on values that depend on the words, and the ways to say what it means for relevance.

    ``args``, ``kwargs`` and ``result`` are those of the call; ``before`` and ``names`` hold, by id(), the numbers that
    the tracked tensors had before it, and the values they are on the tape.
    """

    recorder: Recorder
    operation: str
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    result: Any
    before: dict[int, Tensor]
    names: dict[int, str]

    # ---- looking

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[place] if place < len(self.args) else self.kwargs.get(name, default)

    def tracks(self, value: Any) -> bool:
        """Whether this depends on the words."""
        return isinstance(value, Tensor) and id(value) in self.names

    def numbers(self, tensor: Tensor) -> Tensor:
        """The numbers of a tensor as they were before the call."""
        return self.before.get(id(tensor), tensor)

    @property
    def outputs(self) -> list[Tensor]:
        """The floating-point tensors of the result."""
        return [tensor for tensor in tensors_in(self.result) if tensor.is_floating_point()]

    def gate(self, tensor: Tensor) -> bool:
        """Whether a value came from a sigmoid or softmax."""
        return self.names[id(tensor)] in self.recorder.gates

    # ---- saying

    def passes(self, *, blocked: Tensor | None = None, of: Tensor | None = None) -> str:
        """Relevance passes through an elementwise operation, but not where ``blocked``."""
        source = of if of is not None else next(t for t in tensors_in((self.args, self.kwargs)) if self.tracks(t))
        name = self.recorder.step_name(self.operation)
        value = self._write(self.outputs[0])
        read = self.names[id(source)]
        self.recorder.steps.append(Passed(name, self.operation, (read,), value, blocked))
        if read in self.recorder.gates:
            self.recorder.gates.add(value)
        return value

    def moves(self, *, constants: bool = False) -> None:
        """Numbers change places; with ``constants`` some of the result may come from none of the inputs."""
        tracked = list({id(t): t for t in tensors_in((self.args, self.kwargs)) if self.tracks(t)}.values())
        inputs = tuple(self.before[id(tensor)] for tensor in tracked)
        name = self.recorder.step_name(self.operation)
        keys = [id(tensor) for tensor in tracked]
        for place, output in enumerate(self.outputs):

            def again(leaves: Sequence[Tensor], place: int = place) -> Tensor:
                result = replayed(self.function, self.args, self.kwargs, dict(zip(keys, leaves, strict=True)))
                return [tensor for tensor in tensors_in(result) if tensor.is_floating_point()][place]

            reached = None
            if constants:
                ones, zeros = ([filled(value) for value in inputs] for filled in (torch.ones_like, torch.zeros_like))
                reached = again(ones) - again(zeros)
                reached = None if bool((reached == 1).all()) else reached
            value = self._write(output)
            reads = tuple(self.names[key] for key in keys)
            self.recorder.steps.append(Moved(name, reads, value, again, inputs, reached))
            if all(read in self.recorder.gates for read in reads):
                self.recorder.gates.add(value)
            if len(reads) == 1 and reads[0] in self.recorder.boxes:
                box = self.recorder.boxes[reads[0]]
                self.recorder.boxes[value] = lambda again=again, box=box: Box(*(again([end]) for end in box()))

    def linear(
        self,
        kind: str,
        inputs: Tensor,
        weight: Tensor,
        apply: Bilinear,
        *,
        bias: Tensor | None = None,
        layer: Sequence[Tensor | None] = (),
        connected: Tensor | None = None,
        scale: Tensor | None = None,
    ) -> str:
        """z = scale × apply(inputs, weight) + bias, linear in inputs and in weight; a rule decides.

        ``layer`` are the parameters that name the step.
        """
        z = self.outputs[0]
        read = self.names[id(inputs)]
        name = self.recorder.step_name(self.operation, *layer)
        value = self._write(z)
        box = self.recorder.boxes.get(read)
        mapped = Applied(self.numbers(inputs), weight.detach(), apply, box, connected, scale)
        added = z.new_zeros(()) if bias is None else bias.detach()
        self.recorder.steps.append(Linear(name, kind, (read,), value, mapped, added[None], z.detach().clone()[None]))
        if box is not None and kind in ("mean", "sum", "bag") and bias is None and bool((weight >= 0).all()):
            self.recorder.boxes[value] = lambda: Box(*(apply(end, weight) for end in box()))
        return value

    def sums(self, tensors: Sequence[Tensor], signs: Sequence[int]) -> None:
        """Several values added up, some of them with a minus."""
        spread = [self.spread(tensor) for tensor in tensors]
        name = self.recorder.step_name(self.operation)
        value = self._write(self.outputs[0])
        inputs = tuple(sign * numbers[None] for (_, numbers), sign in zip(spread, signs, strict=True))
        self.recorder.steps.append(Sum(name, tuple(read for read, _ in spread), value, inputs))

    def product(self, gate: Tensor, source: Tensor) -> None:
        """gate × source: the source takes all."""
        (gated, _), (read, _) = self.spread(gate), self.spread(source)
        name = self.recorder.step_name(self.operation)
        self.recorder.steps.append(Product(name, (gated, read), self._write(self.outputs[0])))

    def spread(self, tensor: Tensor) -> tuple[str, Tensor]:
        """A value and its numbers, expanded to the shape of the result."""
        numbers, shape = self.before[id(tensor)], self.outputs[0].shape
        if numbers.shape == shape:
            return self.names[id(tensor)], numbers
        self.recorder.counted["value"] += 1
        value = f"expand#{self.recorder.counted['value']}"
        self.recorder.steps.append(
            Moved("expand", (self.names[id(tensor)],), value, lambda leaves: leaves[0].expand(shape), (numbers,))
        )
        return value, numbers.expand(shape)

    def stops(self, why: str) -> str:
        """Nothing may be led back from here on; ``why`` is raised if relevance arrives."""
        source = next(t for t in tensors_in((self.args, self.kwargs)) if self.tracks(t))
        value = self._write(self.outputs[0])
        self.recorder.steps.append(Stopped(self.operation, (self.names[id(source)],), value, why))
        return value

    def refuse(self, why: str) -> ModelError:
        """The error that says what cannot be led back, and where it stands."""
        return ModelError(f"{self.recorder.place(self.operation)} cannot be led back: {why}")

    def _write(self, tensor: Tensor) -> str:
        value = self.recorder.write(tensor, self.operation)
        self.recorder.numbers[value] = tensor.detach().clone()
        return value


# ---- the table

_HANDLERS: dict[str, Handler] = {}


def register(*functions: Callable[..., Any] | str) -> Callable[[Handler], Handler]:
    """Say what torch operations mean for relevance; see the module's text for examples.

    ``functions`` are torch functions (``torch.erf`` also covers ``Tensor.erf``) or their plain names. The function
    decorated gets a :class:`Call`.
    """

    def keep(handler: Handler) -> Handler:
        for function in functions:
            _HANDLERS[function if isinstance(function, str) else operation_of(function)] = handler
        return handler

    return keep


def handler_of(call: Call) -> Handler:
    """What to do for an operation; raises :class:`ModelError` if nobody has said."""
    if call.operation in _HANDLERS:
        return _HANDLERS[call.operation]
    raise ModelError(
        f"no rule for the operation {call.recorder.place(call.operation)}. If relevance passes through it unchanged, "
        f"register it: @textlrp.register({call.operation!r}), then def _(call): call.passes(); for a linear one "
        "call.linear(...); see textlrp.register."
    )


@register(
    *"relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish softplus tanh tanhshrink softsign hardtanh "
    "hardswish threshold clamp clamp_min clip logsigmoid neg negative positive dropout alpha_dropout feature_dropout "
    "feature_alpha_dropout dropout1d dropout2d contiguous clone detach data to float double type type_as "
    "requires_grad alias identity".split()
)
def _(call: Call) -> None:
    call.passes()


@register("sigmoid", "hardsigmoid")
def _(call: Call) -> None:
    value = call.passes()
    call.recorder.gates.add(value)
    call.recorder.before_squash[value] = call.names[id(call.argument(0, "input"))]


@register("softmax", "log_softmax", "softmin")
def _(call: Call) -> None:
    where = call.recorder.place(call.operation)
    value = call.stops(
        f"relevance came to {where}, which shares a whole out among its inputs and has no rule; it may only stand at "
        "the end or weigh other values (attention)."
    )
    call.recorder.gates.add(value)
    call.recorder.before_squash[value] = call.names[id(call.argument(0, "input"))]


_WITH_CONSTANTS = frozenset("pad cat concat concatenate stack hstack vstack masked_fill where pad_packed_sequence".split())


@register(*(MOVES - _WITH_CONSTANTS))
@register(
    *"max_pool1d max_pool2d max_pool1d_with_indices max_pool2d_with_indices adaptive_max_pool1d adaptive_max_pool2d "
    "adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices max amax min amin maximum minimum topk sort".split()
)
def _(call: Call) -> None:
    call.moves()


@register(*_WITH_CONSTANTS)
def _(call: Call) -> None:
    call.moves(constants=True)


# ---- layers with weights


@register("linear")
def _(call: Call) -> None:
    inputs, weight, bias = call.argument(0, "input"), call.argument(1, "weight"), call.argument(2, "bias")
    if call.tracks(weight) or call.tracks(bias):
        raise call.refuse("its weights depend on the words.")
    call.linear("dense", inputs, weight, F.linear, bias=bias, layer=(weight, bias))


@register("conv1d", "conv2d")
def _(call: Call) -> None:
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
    call.linear("convolution", inputs, weight, apply, bias=shaped, layer=(weight, bias))


@register("matmul", "mm", "bmm", "rmatmul")
def _(call: Call) -> None:
    left, right = call.argument(0, "input"), call.argument(1, "other", call.kwargs.get("mat2"))
    if call.operation == "rmatmul":
        left, right = right, left
    if call.tracks(left) and call.tracks(right):
        if call.gate(left) == call.gate(right):
            raise call.refuse("it multiplies two values that both depend on the words; which of them is the gate?")
        gate_left = call.gate(left)
        kind, constant = "sum", call.numbers(left if gate_left else right)
    else:
        gate_left = not call.tracks(left)
        kind, constant = "dense", left if gate_left else right
    if gate_left:
        call.linear(kind, right, constant, lambda a, w: w @ a, layer=(constant,))
    else:
        call.linear(kind, left, constant, torch.matmul, layer=(constant,))


@register("addmm")
def _(call: Call) -> None:
    bias, inputs, weight = call.argument(0, "input"), call.argument(1, "mat1"), call.argument(2, "mat2")
    plain = call.kwargs.get("beta", 1) == 1 == call.kwargs.get("alpha", 1)
    if call.tracks(weight) or call.tracks(bias) or not plain:
        raise call.refuse("only bias + words @ weights is known.")
    call.linear("dense", inputs, weight, torch.matmul, bias=bias, layer=(weight, bias))


@register("batch_norm")
def _(call: Call) -> None:
    inputs, mean, variance = call.argument(0, "input"), call.argument(1, "running_mean"), call.argument(2, "running_var")
    weight, bias, training = call.argument(3, "weight"), call.argument(4, "bias"), call.argument(5, "training", False)
    if mean is None or variance is None or training is True:
        raise call.refuse("it normalises by the batch itself; only running statistics are known.")
    scale = (variance + call.argument(7, "eps", 1e-5)).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (-1, *(1 for _ in inputs.shape[2:]))
    value = call.linear("norm", inputs, scale.reshape(shape), torch.mul, bias=shift.reshape(shape), layer=(mean, weight))
    call.recorder.folds[value] = Fold(scale.detach(), shift.reshape(shape).detach())


@register("layer_norm")
def _(call: Call) -> None:
    inputs, over = call.argument(0, "input"), call.argument(1, "normalized_shape")
    weight, bias, eps = call.argument(2, "weight"), call.argument(3, "bias"), call.argument(4, "eps", 1e-5)
    numbers, axes = call.numbers(inputs), len(over)
    deviation = (numbers.flatten(-axes).var(dim=-1, unbiased=False) + eps).rsqrt()
    size = numbers.flatten(-axes).shape[-1]
    centring = torch.eye(size, dtype=numbers.dtype) - 1 / size
    if weight is not None:
        centring = centring * weight.reshape(-1)
    call.linear(
        "norm",
        inputs,
        centring,
        lambda a, w: (a.flatten(-axes) @ w).reshape(a.shape),
        bias=bias,
        layer=(weight, bias),
        scale=deviation.reshape(*deviation.shape, *(1 for _ in over)),
    )


# ---- averages and sums


@register("mean", "sum", "nanmean", "nansum")
def _(call: Call) -> None:
    inputs, axes = call.argument(0, "input"), call.argument(1, "dim", call.kwargs.get("axis"))
    if axes is None or axes == ():
        axes = tuple(range(inputs.dim()))
    kind = call.operation.removeprefix("nan")
    count = inputs.numel() // max(1, call.outputs[0].numel())
    keep = call.argument(2, "keepdim", False)
    weight = torch.full_like(call.numbers(inputs), 1 / count if kind == "mean" else 1.0)
    call.linear(kind, inputs, weight, lambda a, w: (a * w).sum(dim=axes, keepdim=keep))


@register("avg_pool1d", "adaptive_avg_pool1d")
def _(call: Call) -> None:
    inputs = call.argument(0, "input")
    length = inputs.shape[-1]
    units = torch.eye(length, dtype=inputs.dtype)[None]  # what each place gives to each window
    weight = call.function(units, *call.args[1:], **{k: v for k, v in call.kwargs.items() if k != "input"})[0]
    call.linear("mean", inputs, weight, torch.matmul, connected=(weight != 0).to(weight.dtype))


@register("bag")
def _(call: Call) -> None:
    vectors, lookups = call.args
    if lookups.offsets is not None and lookups.offsets.tolist() not in ([0], [0, lookups.ids.numel()]):
        raise call.refuse("several bags for one text.")
    if lookups.mode == "max":
        return call.moves()
    weight = lookups.bag_weights().to(vectors.dtype)
    call.linear(
        "bag",
        vectors,
        weight,
        lambda a, w: w[None] @ a.reshape(-1, a.shape[-1]),
        layer=(lookups.table,),
        connected=(weight != 0).to(weight.dtype),
    )
    return None


# ---- two values, or one and a constant


def _pair(call: Call) -> tuple[Any, Any]:
    left, right = call.argument(0, "input"), call.argument(1, "other")
    return (right, left) if call.operation in ("radd", "rsub", "rmul", "rsubtract") else (left, right)


@register("add", "radd", "sub", "subtract", "rsub")
def _(call: Call) -> None:
    if call.kwargs.get("alpha", 1) != 1:
        raise call.refuse("alpha= is not known.")
    left, right = _pair(call)
    sign = -1 if call.operation in ("sub", "subtract", "rsub") else 1
    if call.tracks(left) and call.tracks(right):
        return call.sums([left, right], [1, sign])
    source, constant = (left, right) if call.tracks(left) else (right, left)
    one = torch.as_tensor(constant, dtype=source.dtype).detach()
    bias = sign * one if source is left else one
    gated = call.gate(source)
    weight = source.new_tensor(1.0 if source is left else float(sign))
    shape = call.outputs[0].shape
    value = call.linear("sum", source, weight, lambda a, w: a.expand(shape) * w, bias=bias)
    if weight > 0 and source.shape == shape:
        call.recorder.folds[value] = Fold(None, bias)
    if gated:  # 1 - gate is a gate
        call.recorder.gates.add(value)
    return None


@register("mul", "rmul", "multiply", "div", "truediv", "divide", "true_divide")
def _(call: Call) -> None:
    left, right = _pair(call)
    dividing = "div" in call.operation
    if call.tracks(left) and call.tracks(right):
        if dividing or call.gate(left) == call.gate(right):
            raise call.refuse(
                "it multiplies two values that both depend on the words, and which of them is the gate is not clear "
                "(a gate comes from a sigmoid or softmax)."
            )
        gate, source = (left, right) if call.gate(left) else (right, left)
        return call.product(gate, source)
    source, constant = (left, right) if call.tracks(left) else (right, left)
    if dividing and source is right:
        raise call.refuse("it divides by a value that depends on the words.")
    gated = call.gate(source)
    call.names[id(source)], _ = call.spread(source)
    factor = torch.as_tensor(constant)
    blocked = None if dividing or bool((factor != 0).all()) else (factor == 0).expand(call.outputs[0].shape)
    value = call.passes(of=source, blocked=blocked)
    if gated:
        call.recorder.gates.add(value)
    return None
