"""What a recording writes: the steps of a forward pass, the names of its values and what is known about them.

The recorder watches a module and names the values; :class:`.Call` adds the steps of one operation.
"""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import NamedTuple

from torch import Tensor, nn

from textlrp.lrp.maps import Bounds
from textlrp.lrp.recorded.steps import Fold
from textlrp.lrp.trace_steps import Step


class Squash(NamedTuple):
    """A softmax or sigmoid: its position among all of the forward pass (from 0), and its name."""

    ordinal: int
    operation: str


class NamedValue(NamedTuple):
    """A tensor that depends on the word vectors: its name on the tape, and the version of its numbers."""

    name: str
    version: int


class Tape:
    """The steps so far, and the values that they read and write.

    ``values`` has the tensors that depend on the words, by id(). The others are by the name of a value: ``boxes`` are
    its bounds; ``gates`` are sigmoids and softmaxes, or moved from one; ``squashed`` may be the probabilities at the
    end; ``folds`` can become part of the weighted step before; ``scalable`` values have a row of weights per channel
    (axis 1). ``elements`` is the number of elements of the largest value.
    """

    def __init__(self, module: nn.Module, words: int) -> None:
        self.steps: list[Step] = []
        self.values: dict[int, NamedValue] = {}
        self.boxes: dict[str, Bounds] = {}
        self.gates: set[str] = set()
        self.squashed: dict[str, Squash] = {}
        self.folds: dict[str, Fold] = {}
        self.scalable: set[str] = set()
        self.elements = words
        self._alive: list[Tensor] = []  # an id() names a tensor only while the tensor exists
        self._counted: Counter[str] = Counter()
        self._module = module
        self._modules: dict[int, str] = {id(part): name for name, part in module.named_modules()}
        self.layers: dict[int, str] = {
            id(tensor): name
            for name, part in module.named_modules(remove_duplicate=False)
            for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False))
        }
        """The name of the layer that has a parameter or buffer, by id() of that tensor."""

    # ---- values

    def new_value(self, operation: str) -> str:
        """A name that no value has yet."""
        self._counted["value"] += 1
        return f"{operation}#{self._counted['value']}"

    def write(self, tensor: Tensor, operation: str) -> str:
        """Name the value of a tensor."""
        name = self.new_value(operation)
        self._alive.append(tensor)
        self.values[id(tensor)] = NamedValue(name, _version(tensor))
        self.elements = max(self.elements, tensor.numel())
        return name

    def changed(self, tensor: Tensor) -> bool:
        """Whether the numbers of a named tensor were changed since it was named."""
        return _version(tensor) != self.values[id(tensor)].version

    def squash(self, value: str, squash: Squash) -> None:
        """Note that a value is the result of a softmax or sigmoid: a gate, or the probabilities at the end."""
        self.gates.add(value)
        self.squashed[value] = squash

    # ---- names of steps and places

    def step_name(self, operation: str, *parameters: Tensor | None) -> str:
        """The module's name for the layer with one of these parameters; else the operation, numbered from 2 on."""
        given = [parameter for parameter in parameters if parameter is not None]
        for parameter in given:
            if name := self.layers.get(id(parameter)):
                return name
        if given and (name := self._modules[id(self._innermost())]):  # weights that each forward pass makes anew
            return name
        self._counted[operation] += 1
        return operation if self._counted[operation] == 1 else f"{operation}_{self._counted[operation]}"

    def place(self, operation: str) -> str:
        """An operation and the innermost named module whose forward is running."""
        owner = self._innermost()
        name = self._modules[id(owner)]
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
    """How often a tensor was changed; torch does not count that for one made in inference mode."""
    return 0 if tensor.is_inference() else tensor._version
