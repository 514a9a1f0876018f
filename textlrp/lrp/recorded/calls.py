"""One observed operation of a module, and the methods that define how relevance passes through it.

Open this module before you write a handler for :func:`textlrp.register`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from textlrp.errors import ModelError
from textlrp.lrp.recorded.moved_bounds import moved_bounds
from textlrp.lrp.recorded.roles import Role
from textlrp.lrp.recorded.steps import Applied, Bilinear, Moved, Passed, Stopped
from textlrp.lrp.recorded.trace_builder import Squash, TraceBuilder
from textlrp.lrp.recorded.watch import replayed, tensors_in
from textlrp.lrp.shares import Box
from textlrp.lrp.trace_steps import Linear, Product, Sum


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One operation on values that depend on the words ("tracked" values).

    A handler reads the operation with :meth:`argument`, :meth:`tracks` and :meth:`numbers`. It then calls one of
    these methods to define how relevance passes through the operation: :meth:`passes` (unchanged), :meth:`moves` (as
    the values move), :meth:`linear` (distributed by a rule), :meth:`sums`, :meth:`product`, :meth:`expands` (as the
    operations that it is made of), or :meth:`stops` (not at all).

    ``args``, ``kwargs`` and ``result`` are those of the call. ``before`` and ``names`` contain, by id(), the values
    that the tracked tensors had before it, and their names in the trace. ``ordinal`` is the position of the last
    softmax or sigmoid among all of these in the forward pass so far. ``recorded`` calls a function and records the
    operations in it.
    """

    trace: TraceBuilder
    operation: str
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    result: Any
    before: dict[int, Tensor]
    names: dict[int, str]
    ordinal: int
    recorded: Callable[[Callable[[], Any]], Any]

    # ---- reading the operation

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by its position or its name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    def tracks(self, value: Any) -> bool:
        """Whether a value depends on the words."""
        return isinstance(value, Tensor) and id(value) in self.names

    def numbers(self, tensor: Tensor) -> Tensor:
        """Return the values that a tensor had before the call, which may have changed it in place."""
        return self.before.get(id(tensor), tensor)

    @property
    def outputs(self) -> list[Tensor]:
        """The floating-point tensors of the result."""
        return [tensor for tensor in tensors_in(self.result) if tensor.is_floating_point()]

    @property
    def tracked(self) -> list[Tensor]:
        """The tensors among the arguments that depend on the words, each once."""
        return list({id(t): t for t in tensors_in((self.args, self.kwargs)) if self.tracks(t)}.values())

    def role(self, tensor: Tensor) -> Role:
        """Return what a tracked value is as a factor of a product."""
        return self.trace.roles[self.names[id(tensor)]]

    # ---- defining how relevance passes

    def passes(self, *, blocked: Tensor | None = None, role: Role = Role.VALUE) -> str:
        """Let relevance pass unchanged through an elementwise operation of one tracked value.

        Relevance is absorbed where ``blocked`` is True. ``role`` is what the result is, at least, as a factor of a
        product. Returns the name of the result. Raises :class:`ModelError` if
        the operation reads several tracked values.
        """
        if len(self.tracked) > 1:
            raise self.refuse(
                f"it reads {len(self.tracked)} values that depend on the words, and call.passes() is for one.",
                "Use call.sums(...), call.product(gate, source) or call.moves().",
            )
        read, _ = self.expanded(self.tracked[0])
        name = self.trace.step_name(self.operation)
        value = self._write(self.outputs[0])
        self.trace.steps.append(Passed(name, self.operation, (read,), value, blocked))
        self.trace.roles.follows(value, [self.names[id(self.tracked[0])]], at_least=role)
        return value

    def moves(self, *, into: Tensor | None = None, like: Callable[..., Any] | None = None) -> None:
        """Let relevance move back to where the operation took its values from; it may insert constants between them.

        ``into`` is the tensor that the operation changes, if it returns none. ``like`` is a function of the same
        arguments whose derivative shows where values were taken from, if the operation itself has another derivative.
        """
        inputs = tuple(self.before[id(tensor)] for tensor in self.tracked)
        name = self.trace.step_name(self.operation)
        keys = [id(tensor) for tensor in self.tracked]
        self.trace.kept.keep(each for each in tensors_in((self.args, self.kwargs)) if id(each) not in self.before)
        function, constant = like or self.function, {} if into is None else {id(into): self.before[id(into)]}
        for index, output in enumerate(self.outputs if into is None else [into]):

            def replay(leaves: Sequence[Tensor], index: int = index) -> Tensor:
                replaced = constant | dict(zip(keys, leaves, strict=True))
                result = replayed(function, self.args, self.kwargs, replaced)
                return [tensor for tensor in tensors_in(result) if tensor.is_floating_point()][index]

            # An entry of the result that differs between inputs of 1 and of 0 was taken from an input; the others are
            # constants. They are compared and not subtracted, because the difference of two constants of -inf is NaN.
            ones, zeros = ([filled(value) for value in inputs] for filled in (torch.ones_like, torch.zeros_like))
            differs = replay(ones) != replay(zeros)
            reached = None if bool(differs.all()) else differs.to(inputs[0].dtype)
            value = self._write(output)
            reads = tuple(self.names[key] for key in keys)
            self.trace.steps.append(Moved(name, reads, value, replay, inputs, reached))
            self.trace.roles.set(value, min(self.trace.roles[read] for read in reads))
            if len(reads) == 1 and reads[0] in self.trace.squashed:
                self.trace.squashed[value] = self.trace.squashed[reads[0]]
            if all(read in self.trace.boxes for read in reads):
                self.trace.boxes[value] = moved_bounds([self.trace.boxes[read] for read in reads], replay, reached)

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
        """Let a rule distribute relevance through z = scale × apply(inputs, weight) + bias.

        ``apply`` must be linear in the inputs and in the weight. ``kind`` is the kind of layer for composites, such
        as "dense" or "sum". The step is named after the layer that has one of the parameters ``layer``.
        ``connected`` and ``scale`` are as in :class:`.Applied`. The weight must not be changed in place afterwards.
        Returns the name of the result.
        """
        z = self.outputs[0]
        read = self.names[id(inputs)]
        name = self.trace.step_name(self.operation, *layer)
        value = self._write(z)
        box = self.trace.boxes.get(read)
        mapped = Applied(self.numbers(inputs), weight.detach(), apply, box, connected, scale)
        added = z.new_zeros(()) if bias is None else bias.detach()
        self.trace.kept.keep(tensor for tensor in (weight, bias) if isinstance(tensor, Tensor))
        # [None] adds the axis of the one document; z is cloned because the module may change it in place later
        self.trace.steps.append(Linear(name, kind, (read,), value, mapped, added[None], z.detach().clone()[None]))
        if box is not None and kind in ("mean", "sum", "bag") and bias is None and bool((weight >= 0).all()):
            self.trace.boxes[value] = lambda: Box(*(apply(end, weight) for end in box()))
        return value

    def sums(self, tensors: Sequence[Tensor], signs: Sequence[float]) -> None:
        """Let a rule distribute relevance among several tracked values that are added up.

        ``signs`` has the factor of each value, such as -1 for one that is subtracted.
        """
        expanded = [self.expanded(tensor) for tensor in tensors]
        name = self.trace.step_name(self.operation)
        value = self._write(self.outputs[0])
        inputs = tuple(sign * numbers[None] for (_, numbers), sign in zip(expanded, signs, strict=True))
        self.trace.steps.append(Sum(name, tuple(read for read, _ in expanded), value, inputs))
        self.trace.roles.follows(value, [self.names[id(tensor)] for tensor in tensors])

    def product(self, gate: Tensor, source: Tensor) -> None:
        """Let all relevance of gate × source pass to the source (Arras et al. 2017, arXiv 1706.07206)."""
        (gated, _), (read, _) = self.expanded(gate), self.expanded(source)
        name = self.trace.step_name(self.operation)
        value = self._write(self.outputs[0])
        self.trace.steps.append(Product(name, (gated, read), value))
        self.trace.roles.multiplies(value, [self.names[id(gate)], self.names[id(source)]])

    def expands(self, function: Callable[..., Any]) -> None:
        """Record the operations that ``function`` of the same arguments performs instead of this one."""
        # the values before the call, which may have changed them in place
        for key, name in self.names.items():
            self.trace.name(self.before[key], name)
        result = self.recorded(lambda: replayed(function, self.args, self.kwargs, self.before))
        for output, own in zip(self.outputs, tensors_in(result), strict=True):
            if id(own) in self.trace.values:
                self.trace.name(output, self.trace.values[id(own)].name)

    def expanded(self, tensor: Tensor) -> tuple[str, Tensor]:
        """Return the name and the values of a tracked tensor, expanded to the shape of the result."""
        numbers, shape = self.before[id(tensor)], self.outputs[0].shape
        if numbers.shape == shape:
            return self.names[id(tensor)], numbers
        value = self.trace.new_value("expand")
        self.trace.steps.append(
            Moved("expand", (self.names[id(tensor)],), value, lambda leaves: leaves[0].expand(shape), (numbers,))
        )
        return value, numbers.expand(shape)

    def stops(self, why: str) -> str:
        """Let no relevance pass: a :class:`ModelError` with the message ``why`` is raised if any arrives.

        Returns the name of the result.
        """
        shapes = tuple(self.before[id(tensor)].shape for tensor in self.tracked)
        reads = tuple(self.names[id(tensor)] for tensor in self.tracked)
        value = self._write(self.outputs[0])
        self.trace.steps.append(Stopped(self.operation, reads, value, why, shapes))
        return value

    def refuse(self, why: str, hint: str = "") -> ModelError:
        """Return the error for an operation through which relevance cannot be propagated.

        The message names the operation and its module. ``why`` is the reason and ``hint`` what the user can do, both
        as sentences; the default hint is to register a handler.
        """
        hint = hint or (
            "Rewrite it, or define how relevance passes through it with "
            f"@textlrp.register({self.operation!r}); see textlrp.register."
        )
        return ModelError(
            f"relevance cannot be propagated through {self.trace.describe(self.operation)}: {why} {hint}"
        )

    def squashes(self, value: str) -> None:
        """Mark the result as a gate, or as the probabilities at the end of the module."""
        self.trace.squash(value, Squash(self.ordinal, self.operation))

    def _write(self, tensor: Tensor) -> str:
        return self.trace.write(tensor, self.operation)
