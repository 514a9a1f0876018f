"""The trace of a module while it is being recorded: its steps, the names of its values and their properties.

:class:`.Recorder` observes a module and creates a :class:`TraceBuilder`; :class:`.Call` adds the steps of one
operation to it.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from types import FrameType
from typing import NamedTuple

from torch import Tensor, nn

from textlrp.lrp.maps import Bounds
from textlrp.lrp.recorded.kept_constants import KeptConstants
from textlrp.lrp.recorded.named_constants import NamedConstants
from textlrp.lrp.recorded.roles import Role, Roles
from textlrp.lrp.recorded.steps import Fold, NamedShift
from textlrp.lrp.trace_steps import Linear, Step


class Squash(NamedTuple):
    """A softmax or sigmoid: its position among all of these in the forward pass (from 0), and its name."""

    ordinal: int
    operation: str


class NamedValue(NamedTuple):
    """A tensor that depends on the word vectors: its name in the trace, and its version when it was named."""

    name: str
    version: int


class TraceBuilder:
    """The steps recorded so far, and the values that they read and write.

    ``values`` has the tensors that depend on the words, by id(). The other attributes use the names of values:

    - ``boxes``: the bounds of a value;
    - ``roles``: what a value is as a factor of a product, also after moves and elementwise operations;
    - ``constants``: position and token-type embeddings, by the id() of the tensor;
    - ``kept``: constants that the steps refer to;
    - ``squashed``: results of a sigmoid or softmax that may be the probabilities at the end of the module;
    - ``folds``: results of a scaling or a shift that can be folded into the weighted step before it;
    - ``scalable``: outputs of a weighted step with one row of weights per channel (axis 1).

    ``elements`` is the number of elements of the largest value.
    """

    def __init__(self, module: nn.Module, words: int) -> None:
        self.steps: list[Step] = []
        self.values: dict[int, NamedValue] = {}
        self.boxes: dict[str, Bounds] = {}
        self.roles = Roles()
        self.squashed: dict[str, Squash] = {}
        self.folds: dict[str, Fold] = {}
        self.scalable: set[str] = set()
        self.elements = words
        self._alive: list[Tensor] = []  # keeps the tensors, because the id() of a deleted tensor may be used again
        self._counted: Counter[str] = Counter()
        self._module = module
        self._modules: dict[int, str] = {id(part): name for name, part in module.named_modules()}
        self.layers: dict[int, str] = {
            id(tensor): name
            for name, part in module.named_modules(remove_duplicate=False)
            for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False))
        }
        """The name of the layer of each parameter and buffer, by id()."""
        self.constants = NamedConstants(module, self.layers)
        self.kept = KeptConstants()

    # ---- values

    def new_value(self, operation: str) -> str:
        """Return an unused name for a value."""
        self._counted["value"] += 1
        return f"{operation}#{self._counted['value']}"

    def write(self, tensor: Tensor, operation: str) -> str:
        """Give the value of a tensor a name, and return it."""
        name = self.new_value(operation)
        self.name(tensor, name)
        self.elements = max(self.elements, tensor.numel())
        return name

    def name(self, tensor: Tensor, value: str) -> None:
        """Note that a tensor is the value of this name."""
        self._alive.append(tensor)
        self.values[id(tensor)] = NamedValue(value, _version(tensor))

    def changed(self, tensor: Tensor) -> bool:
        """Whether a named tensor was changed in place since it was named."""
        return _version(tensor) != self.values[id(tensor)].version

    def squash(self, value: str, squash: Squash) -> None:
        """Mark a value as the result of a softmax or sigmoid: a gate, or the probabilities at the end."""
        self.roles.set(value, Role.WEIGHT if squash.operation in ("softmax", "log_softmax", "softmin") else Role.GATE)
        self.squashed[value] = squash

    def name_bias(self, step: str, cause: str) -> None:
        """Give the last step, the addition of a constant, a name, and its bias a cause in the ledger."""
        last = self.steps[-1]
        assert isinstance(last, Linear)
        self.steps[-1] = NamedShift(replace(last, name=step), cause)

    # ---- names of steps and modules

    def step_name(self, operation: str, *parameters: Tensor | None) -> str:
        """Return the name of the layer with one of these parameters, or else the operation, numbered from 2 on."""
        given = [parameter for parameter in parameters if parameter is not None]
        for parameter in given:
            if name := self.layers.get(id(parameter)):
                return name
        # weights that are computed in each forward pass, as by a parametrization, belong to the module that runs
        if given and (name := self.module_name()):
            return name
        self._counted[operation] += 1
        return operation if self._counted[operation] == 1 else f"{operation}_{self._counted[operation]}"

    def module_name(self) -> str:
        """Return the name of the innermost module whose forward is running; empty for the whole module."""
        return self._modules[id(self._innermost())]

    def describe(self, operation: str) -> str:
        """Return an operation, and the innermost named module whose forward is running, for messages."""
        owner, name = self._innermost(), self.module_name()
        return f"{operation!r} in {f'module {name!r} ({type(owner).__name__})' if name else type(owner).__name__}"

    def _innermost(self) -> nn.Module:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            owner = frame.f_locals.get("self")
            if isinstance(owner, nn.Module) and id(owner) in self._modules:
                return owner
            frame = frame.f_back
        return self._module


def _version(tensor: Tensor) -> int:
    """The number of in-place changes of a tensor; torch does not count them for tensors made in inference mode."""
    return 0 if tensor.is_inference() else tensor._version
