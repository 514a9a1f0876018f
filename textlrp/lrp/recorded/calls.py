"""One operation of a module under way, and the words to say what it means for relevance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from textlrp.errors import ModelError
from textlrp.lrp.maps import Bounds
from textlrp.lrp.recorded.steps import Applied, Bilinear, Moved, Passed, Stopped
from textlrp.lrp.recorded.tape import Squash, Tape
from textlrp.lrp.recorded.watch import replayed, tensors_in
from textlrp.lrp.shares import Box
from textlrp.lrp.trace_steps import Linear, Product, Sum


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One operation on values that depend on the words, and the ways to say what it means for relevance.

    ``args``, ``kwargs`` and ``result`` are those of the call; ``before`` and ``names`` hold, by id(), the numbers
    that the tracked tensors had before it, and the values they are on the tape. ``ordinal`` is the position of the
    last softmax or sigmoid among all of the forward pass so far.
    """

    tape: Tape
    operation: str
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    result: Any
    before: dict[int, Tensor]
    names: dict[int, str]
    ordinal: int

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

    @property
    def tracked(self) -> list[Tensor]:
        """The tensors among the arguments that depend on the words, each once."""
        return list({id(t): t for t in tensors_in((self.args, self.kwargs)) if self.tracks(t)}.values())

    def gate(self, tensor: Tensor) -> bool:
        """Whether a value came from a sigmoid or softmax."""
        return self.names[id(tensor)] in self.tape.gates

    # ---- saying

    def passes(self, *, blocked: Tensor | None = None) -> str:
        """Relevance passes through an elementwise operation of one tracked value, but not where ``blocked``.

        Raises :class:`ModelError` where it reads several.
        """
        if len(self.tracked) > 1:
            raise self.refuse(
                f"it reads {len(self.tracked)} values that depend on the words, and call.passes() is for one. Use "
                "call.sums(...), call.product(gate, source) or call.moves()."
            )
        read, _ = self.spread(self.tracked[0])
        name = self.tape.step_name(self.operation)
        value = self._write(self.outputs[0])
        self.tape.steps.append(Passed(name, self.operation, (read,), value, blocked))
        if self.gate(self.tracked[0]):
            self.tape.gates.add(value)
        return value

    def moves(self, *, into: Tensor | None = None, like: Callable[..., Any] | None = None) -> None:
        """Numbers change places, and constants may stand between them.

        The result is the tensor ``into`` where the operation gives none. ``like`` is the function of the arguments to
        lead back through where it is not the operation itself.
        """
        inputs = tuple(self.before[id(tensor)] for tensor in self.tracked)
        name = self.tape.step_name(self.operation)
        keys = [id(tensor) for tensor in self.tracked]
        function, constant = like or self.function, {} if into is None else {id(into): self.before[id(into)]}
        for place, output in enumerate(self.outputs if into is None else [into]):

            def again(leaves: Sequence[Tensor], place: int = place) -> Tensor:
                own = constant | dict(zip(keys, leaves, strict=True))
                result = replayed(function, self.args, self.kwargs, own)
                return [tensor for tensor in tensors_in(result) if tensor.is_floating_point()][place]

            # only what came from an input differs; a difference itself would be lost beside a constant of -inf
            ones, zeros = ([filled(value) for value in inputs] for filled in (torch.ones_like, torch.zeros_like))
            differs = again(ones) != again(zeros)
            reached = None if bool(differs.all()) else differs.to(inputs[0].dtype)
            value = self._write(output)
            reads = tuple(self.names[key] for key in keys)
            self.tape.steps.append(Moved(name, reads, value, again, inputs, reached))
            if all(read in self.tape.gates for read in reads):
                self.tape.gates.add(value)
            if len(reads) == 1 and reads[0] in self.tape.squashed:
                self.tape.squashed[value] = self.tape.squashed[reads[0]]
            if all(read in self.tape.boxes for read in reads):
                self.tape.boxes[value] = _moved_box([self.tape.boxes[read] for read in reads], again, reached)

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

        ``layer`` are the parameters that name the step. A weight that is constant must not change afterwards.
        """
        z = self.outputs[0]
        read = self.names[id(inputs)]
        name = self.tape.step_name(self.operation, *layer)
        value = self._write(z)
        box = self.tape.boxes.get(read)
        mapped = Applied(self.numbers(inputs), weight.detach(), apply, box, connected, scale)
        added = z.new_zeros(()) if bias is None else bias.detach()
        self.tape.steps.append(Linear(name, kind, (read,), value, mapped, added[None], z.detach().clone()[None]))
        if box is not None and kind in ("mean", "sum", "bag") and bias is None and bool((weight >= 0).all()):
            self.tape.boxes[value] = lambda: Box(*(apply(end, weight) for end in box()))
        return value

    def sums(self, tensors: Sequence[Tensor], signs: Sequence[float]) -> None:
        """Several values added up, each times a number: -1 for one that is subtracted."""
        spread = [self.spread(tensor) for tensor in tensors]
        name = self.tape.step_name(self.operation)
        value = self._write(self.outputs[0])
        inputs = tuple(sign * numbers[None] for (_, numbers), sign in zip(spread, signs, strict=True))
        self.tape.steps.append(Sum(name, tuple(read for read, _ in spread), value, inputs))

    def product(self, gate: Tensor, source: Tensor) -> None:
        """gate × source: the source takes all."""
        (gated, _), (read, _) = self.spread(gate), self.spread(source)
        name = self.tape.step_name(self.operation)
        self.tape.steps.append(Product(name, (gated, read), self._write(self.outputs[0])))

    def spread(self, tensor: Tensor) -> tuple[str, Tensor]:
        """A value and its numbers, expanded to the shape of the result."""
        numbers, shape = self.before[id(tensor)], self.outputs[0].shape
        if numbers.shape == shape:
            return self.names[id(tensor)], numbers
        value = self.tape.new_value("expand")
        self.tape.steps.append(
            Moved("expand", (self.names[id(tensor)],), value, lambda leaves: leaves[0].expand(shape), (numbers,))
        )
        return value, numbers.expand(shape)

    def stops(self, why: str) -> str:
        """Nothing may be led back from here on; ``why`` is raised if relevance arrives."""
        shapes = tuple(self.before[id(tensor)].shape for tensor in self.tracked)
        reads = tuple(self.names[id(tensor)] for tensor in self.tracked)
        value = self._write(self.outputs[0])
        self.tape.steps.append(Stopped(self.operation, reads, value, why, shapes))
        return value

    def refuse(self, why: str) -> ModelError:
        """The error that says what cannot be led back, and where it stands."""
        return ModelError(f"{self.tape.place(self.operation)} cannot be led back: {why}")

    def squashes(self, value: str) -> None:
        """The value that this operation wrote is a gate, or the probabilities at the end of the module."""
        self.tape.squash(value, Squash(self.ordinal, self.operation))

    def _write(self, tensor: Tensor) -> str:
        return self.tape.write(tensor, self.operation)


def _moved_box(
    boxes: Sequence[Bounds], again: Callable[[Sequence[Tensor]], Tensor], reached: Tensor | None
) -> Bounds:
    """Bounds that moved with their numbers; padding has those of what it was put beside."""

    def moved() -> Box:
        ends = list(zip(*(box() for box in boxes), strict=True))
        # clones, since the operation may work in place
        return Box(*(_beside(list(end), again([each.clone() for each in end]), reached) for end in ends))

    return moved


def _beside(before: Sequence[Tensor], after: Tensor, reached: Tensor | None) -> Tensor:
    if reached is None or len(before) > 1 or before[0].dim() != after.dim():
        return after
    grown = [axis for axis in range(after.dim()) if before[0].shape[axis] != after.shape[axis]]
    edge = before[0].narrow(grown[0], 0, 1) if len(grown) == 1 else torch.zeros((), dtype=after.dtype)
    return torch.where(reached == 0, edge, after)
