"""What torch's recurrent layers mean for relevance: one step per layer and direction, and moves between them."""

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

    def sequences(self, value: Tensor) -> Tensor:
        """To (N, T, ...) and, for those that are not packed, back again."""
        if self.sizes is not None:
            return value[None]
        return value if self.batch_first else value.transpose(0, 1)

    def weights_of(self, row: int) -> Sequence[Tensor | None]:
        """The weights and biases of one direction of one layer."""
        per = len(self.weights) // (self.layers * self.directions)
        return [*self.weights[per * row : per * (row + 1)], *([] if self.biases else [None, None])]

    def start_of(self, row: int, sequences: int) -> tuple[Tensor, Tensor | None]:
        """The states h (N, H) before the first word, and c of an LSTM."""
        h, *c = (state.reshape(len(state), sequences, -1)[row] for state in self.start)
        return h, c[0] if c else None


def _arguments(call: Call) -> _Arguments:
    """Packed calls have the batch sizes as second argument, which moves the others.

    Raises :class:`ModelError` on arguments whose relevance cannot be propagated.
    """
    rest = list(call.args[1:])
    sizes = rest.pop(0) if isinstance(rest[2], (list, tuple)) else None
    start, weights, biases, layers, _, _, bidirectional, *batch_first = rest
    many = start if isinstance(start, (list, tuple)) else (start,)
    given = _Arguments(sizes, many, weights, biases, layers, 2 if bidirectional else 1, any(batch_first))
    if len(weights) != (4 if biases else 2) * layers * given.directions:
        raise call.refuse("its states are projected (proj_size).")
    if sizes is not None and (sizes != 1).any():
        raise call.refuse("several sequences are packed into one, and only one at a time is known.")
    if any(call.tracks(state) for state in many):
        raise call.refuse("its initial states depend on the words.")
    return given


def recurrent_layer(call: Call) -> None:
    """LSTM, GRU and plain RNN layers: a step for each layer and direction."""
    given = _arguments(call)
    name = call.tape.step_name(call.operation, given.weights[0])
    words = call.numbers(call.args[0])
    inputs = given.sequences(words)
    value = _moved(call, [call.names[id(call.args[0])]], [words], lambda found: given.sequences(found[0]))
    states: list[Tensor] = []
    written: list[str] = []
    for layer in range(given.layers):
        values, found = _one_layer(call, given, layer, name, value, inputs)
        value = _moved(call, values, found, _side_by_side)
        inputs = _side_by_side(found)
        states += found
        written += values
    call.tape.elements = max(call.tape.elements, sum(state.numel() for state in states))

    def output(found: Sequence[Tensor]) -> Tensor:
        return given.sequences(found[0]) if given.sizes is None else found[0][0]

    _moved(call, [value], [inputs], output, call.outputs[0])
    for place, last in enumerate(call.outputs[1:]):
        _moved(call, written, states, _last(place, given.directions, last.shape), last)


def _one_layer(
    call: Call, given: _Arguments, layer: int, name: str, value: str, inputs: Tensor
) -> tuple[list[str], list[Tensor]]:
    """The values and states (N, T, S, H) that each direction of one layer writes; ``value`` has its ``inputs``."""
    written, states = [], []
    lengths = torch.full((len(inputs),), inputs.shape[1])
    for direction in range(given.directions):
        row = layer * given.directions + direction
        written.append(call.tape.new_value(call.operation))
        step, found = recurrent_steps(
            call.operation,
            name,
            value,
            written[-1],
            inputs,
            given.weights_of(row),
            given.start_of(row, len(inputs)),
            reverse=direction == 1,
            lengths=lengths,
        )
        call.tape.steps.append(Sequences(name, (value,), written[-1], step))
        states.append(found)
    return written, states


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
    value = call.tape.new_value(call.operation) if output is None else call.tape.write(output, call.operation)
    call.tape.steps.append(Moved("states", tuple(reads), value, function, tuple(part.detach() for part in inputs)))
    return value
