"""The tape of the fast engine: the values that depend on the words, and the operations that made them.

Letters: N documents, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.gradients.document_axis import DocumentAxis

Key = tuple[str, str]
"""An entry of the ledger: the name of a layer, and a cause."""


class Kind(Enum):
    """What a value is when it is a factor of another value."""

    PLAIN = "plain"
    GATE = "gate"
    """The result of a softmax or a sigmoid: a constant weight."""
    BOUNDED = "bounded"
    """The result of tanh or erf: a gate where it is an elementwise factor, as in handwritten GELUs."""
    ACTIVATION = "activation"
    """The result of another activation: under SourceOnly the gate of a gated linear unit."""
    LENGTH = "length"
    """A length, deviation or variance: a constant (Ali et al. 2022)."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A value that depends on the words; ``documents`` is None for a single document."""

    number: int
    shape: torch.Size
    dtype: torch.dtype
    documents: DocumentAxis | None
    kind: Kind = Kind.PLAIN
    squash: int | None = None
    """The ordinal of the softmax or sigmoid that made the value, if the value has only been moved since."""


class Backward(NamedTuple):
    """The multipliers (K, ...) of the values that an operation read (None: none), and ledger entries (K, N)."""

    parts: Sequence[Tensor | None]
    absorbed: Mapping[Key, Tensor] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """An operation on the tape: the values that it read and wrote, and its modified gradient.

    ``saved`` are the tensors that the gradient uses, with their version when the operation ran.
    """

    reads: tuple[Value, ...]
    writes: Value
    back: Callable[[Tensor], Backward]
    saved: tuple[tuple[Tensor, int], ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a saved tensor was changed in place since."""
        return any(tensor._version != version for tensor, version in self.saved)
