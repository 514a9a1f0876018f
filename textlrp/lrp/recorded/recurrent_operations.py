"""What torch's recurrent layers mean for relevance: one step per layer and direction, and moves between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.recorded.calls import Call, register
from textlrp.lrp.recorded.recurrent import Recurrent, recurrent_steps
from textlrp.lrp.recorded.steps import Moved
from textlrp.lrp.rules import Rule
from textlrp.lrp.trace import Absorbed


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """A recurrent layer over all sequences (N, T, E) that a module made of its one text."""

    name: str
    reads: tuple[str]
    writes: str
    layer: Recurrent
    kind: str = "recurrent"
    ruled: ClassVar[bool] = True

    def back(self, relevance: Tensor, rule: Rule) -> tuple[Sequence[Tensor], Absorbed]:
        (received,), absorbed = self.layer.back(relevance[:, 0], rule)
        return [received[:, None]], {cause: entry.sum(dim=1, keepdim=True) for cause, entry in absorbed.items()}


class _Arguments(NamedTuple):
    """The arguments of torch's recurrent functions; ``sizes`` where packed, ``start`` is h, or h and c."""

    sizes: Tensor | None
    start: Sequence[Tensor]
    weights: Sequence[Tensor]
    biases: bool
    layers: int
    directions: int
    batch_first: bool


def _arguments(call: Call) -> _Arguments:
    """Packed calls have the batch sizes as second argument, which moves the others."""
    rest = list(call.args[1:])
    sizes = rest.pop(0) if isinstance(rest[2], (list, tuple)) else None
    start, weights, biases, layers, _, _, bidirectional, *batch_first = rest
    many = start if isinstance(start, (list, tuple)) else (start,)
    return _Arguments(sizes, many, weights, biases, layers, 2 if bidirectional else 1, any(batch_first))


@register("lstm", "gru", "rnn_tanh", "rnn_relu")
def _(call: Call) -> None:
    given = _arguments(call)
    per = 4 if given.biases else 2
    if len(given.weights) != per * given.layers * given.directions:
        raise call.refuse("its states are projected (proj_size).")
    if given.sizes is not None and (given.sizes != 1).any():
        raise call.refuse("several sequences are packed into one, and only one at a time is known.")
    if any(call.tracks(state) for state in given.start):
        raise call.refuse("its initial states depend on the words.")
    name = call.recorder.step_name(call.operation, given.weights[0])
    words = call.numbers(call.args[0])

    def sequences(value: Tensor) -> Tensor:
        """To (N, T, ...) and, for those that are not packed, back again."""
        if given.sizes is not None:
            return value[None]
        return value if given.batch_first else value.transpose(0, 1)

    inputs = sequences(words)
    length = inputs.shape[1]
    value = _moved(call, [call.names[id(call.args[0])]], [words], lambda found: sequences(found[0]))
    states: list[Tensor] = []
    read: list[str] = []
    for layer in range(given.layers):
        first = layer * given.directions
        for row in range(first, first + given.directions):
            written = call.recorder.new_value(call.operation)
            weights = [*given.weights[per * row : per * (row + 1)], *([] if given.biases else [None, None])]
            start = [state.reshape(len(state), len(inputs), -1)[row] for state in given.start]
            step, found = recurrent_steps(
                call.operation,
                name,
                value,
                written,
                inputs,
                weights,
                (start[0], start[1] if len(start) > 1 else None),
                reverse=row > first,
                lengths=torch.full((len(inputs),), length),
            )
            call.recorder.steps.append(Sequences(name, (value,), written, step))
            states.append(found)
            read.append(written)
        value = _moved(call, read[first:], states[first:], _side_by_side)
        inputs = _side_by_side(states[first:])
    call.recorder.elements = max(call.recorder.elements, sum(state.numel() for state in states))
    _moved(
        call,
        [value],
        [inputs],
        lambda found: sequences(found[0]) if given.sizes is None else found[0][0],
        call.outputs[0],
    )
    for place, output in enumerate(call.outputs[1:]):
        _moved(call, read, states, _last(place, given.directions, output.shape), output)


def _side_by_side(states: Sequence[Tensor]) -> Tensor:
    """(N, T, S, H) of each direction -> (N, T, directions × H) of h."""
    return torch.cat([state[:, :, 0] for state in states], dim=-1)


def _last(place: int, directions: int, shape: Any) -> Callable[[Sequence[Tensor]], Tensor]:
    """The states after the last position each direction read: h (``place`` 0) or c (1) of all layers."""

    def found(states: Sequence[Tensor]) -> Tensor:
        rows = [state[:, 0 if number % directions else -1, place] for number, state in enumerate(states)]
        return torch.stack(rows).reshape(shape)

    return found


def _moved(
    call: Call,
    reads: Sequence[str],
    inputs: Sequence[Tensor],
    function: Callable[[Sequence[Tensor]], Tensor],
    output: Tensor | None = None,
) -> str:
    """A move that is written here; of a tensor of the module's own where ``output`` is given."""
    recorder = call.recorder
    value = recorder.new_value(call.operation) if output is None else recorder.write(output, call.operation)
    recorder.steps.append(Moved("states", tuple(reads), value, function, tuple(part.detach() for part in inputs)))
    return value
