"""Handlers of torch's recurrent layers: one step for each layer and direction, and moves between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.recorded.calls import Call
from textlrp.lrp.recorded.recurrent import Recurrent, recurrent_steps
from textlrp.lrp.recorded.steps import Moved
from textlrp.lrp.shares import Rule
from textlrp.lrp.trace_steps import Absorbed


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """A recurrent layer over all sequences (N, T, E) that a module creates from one text."""

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
    """The arguments of torch's recurrent functions; ``sizes`` is None if not packed, ``start`` is h, or h and c."""

    sizes: Tensor | None
    start: Sequence[Tensor]
    weights: Sequence[Tensor]
    biases: bool
    layers: int
    directions: int
    batch_first: bool

    def sequences(self, value: Tensor) -> Tensor:
        """Return ``value`` as (N, T, ...); for sequences that are not packed, also the inverse."""
        if self.sizes is not None:
            return value[None]
        return value if self.batch_first else value.transpose(0, 1)

    def weights_of(self, row: int) -> Sequence[Tensor | None]:
        """Return the weights and biases of one direction of one layer."""
        per = len(self.weights) // (self.layers * self.directions)
        return [*self.weights[per * row : per * (row + 1)], *([] if self.biases else [None, None])]

    def start_of(self, row: int, sequences: int) -> tuple[Tensor, Tensor | None]:
        """Return the states h (N, H) before the first word, and c of an LSTM."""
        h, *c = (state.reshape(len(state), sequences, -1)[row] for state in self.start)
        return h, c[0] if c else None


def _arguments(call: Call) -> _Arguments:
    """Return the arguments of a call; raise :class:`ModelError` if relevance cannot be propagated with them."""
    rest = list(call.args[1:])
    # a call with packed sequences has the batch sizes as second argument, before the others
    sizes = rest.pop(0) if isinstance(rest[2], (list, tuple)) else None
    start, weights, biases, layers, _, _, bidirectional, *batch_first = rest
    states = start if isinstance(start, (list, tuple)) else (start,)
    arguments = _Arguments(sizes, states, weights, biases, layers, 2 if bidirectional else 1, any(batch_first))
    if len(weights) != (4 if biases else 2) * layers * arguments.directions:
        raise call.refuse("its states are projected.", "Use a layer without proj_size.")
    if sizes is not None and (sizes != 1).any():
        raise call.refuse("it reads several packed sequences, and only one is supported.", "Pack one text at a time.")
    if any(call.tracks(state) for state in states):
        raise call.refuse("its initial states depend on the words.", "Pass constant initial states, or none.")
    return arguments


def recurrent_layer(call: Call) -> None:
    """LSTM, GRU and plain RNN layers: one step for each layer and direction."""
    arguments = _arguments(call)
    name = call.trace.step_name(call.operation, arguments.weights[0])
    words = call.numbers(call.args[0])
    inputs = arguments.sequences(words)
    value = _moved(call, [call.names[id(call.args[0])]], [words], lambda values: arguments.sequences(values[0]))
    states: list[Tensor] = []
    written: list[str] = []
    for layer in range(arguments.layers):
        values, layer_states = _one_layer(call, arguments, layer, name, value, inputs)
        value = _moved(call, values, layer_states, _concatenated)
        inputs = _concatenated(layer_states)
        states += layer_states
        written += values
    call.trace.elements = max(call.trace.elements, sum(state.numel() for state in states))

    def output(values: Sequence[Tensor]) -> Tensor:
        return arguments.sequences(values[0]) if arguments.sizes is None else values[0][0]

    _moved(call, [value], [inputs], output, call.outputs[0])
    for number, last in enumerate(call.outputs[1:]):
        _moved(call, written, states, _last(number, arguments.directions, last.shape), last)


def _one_layer(
    call: Call, arguments: _Arguments, layer: int, name: str, value: str, inputs: Tensor
) -> tuple[list[str], list[Tensor]]:
    """The names and states (N, T, S, H) of the values that each direction of one layer writes.

    ``value`` is the name of its ``inputs``.
    """
    written, states = [], []
    lengths = torch.full((len(inputs),), inputs.shape[1])
    for direction in range(arguments.directions):
        row = layer * arguments.directions + direction
        written.append(call.trace.new_value(call.operation))
        step, step_states = recurrent_steps(
            call.operation,
            name,
            value,
            written[-1],
            inputs,
            arguments.weights_of(row),
            arguments.start_of(row, len(inputs)),
            reverse=direction == 1,
            lengths=lengths,
        )
        call.trace.steps.append(Sequences(name, (value,), written[-1], step))
        states.append(step_states)
    return written, states


def _concatenated(states: Sequence[Tensor]) -> Tensor:
    """The states h of all directions: (N, T, S, H) each -> (N, T, directions × H)."""
    return torch.cat([state[:, :, 0] for state in states], dim=-1)


def _last(state: int, directions: int, shape: Any) -> Callable[[Sequence[Tensor]], Tensor]:
    """Return a function that selects the last states of all layers and directions: h (``state`` 0) or c (1).

    The reverse direction, which comes second, reads position 0 last.
    """

    def select(states: Sequence[Tensor]) -> Tensor:
        rows = [each[:, 0 if number % directions else -1, state] for number, each in enumerate(states)]
        return torch.stack(rows).reshape(shape)

    return select


def _moved(
    call: Call,
    reads: Sequence[str],
    inputs: Sequence[Tensor],
    function: Callable[[Sequence[Tensor]], Tensor],
    output: Tensor | None = None,
) -> str:
    """Add a step that moves values to ``output``, a tensor of the module, or to an intermediate value if None."""
    value = call.trace.new_value(call.operation) if output is None else call.trace.write(output, call.operation)
    call.trace.steps.append(Moved("states", tuple(reads), value, function, tuple(part.detach() for part in inputs)))
    return value
