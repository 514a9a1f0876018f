"""The parts of the fast engine's tape: values that depend on the words, and the operations that made them.

A multiplier is the relevance of a value divided by the value, g = R / x. It is propagated like a gradient.

Letters: N documents, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.gradients.document_axis import DocumentAxis

Key = tuple[str, str]
"""An entry of the ledger: the name of a layer, and a cause."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedValue:
    """A value that depends on the words.

    ``documents`` is None for a single document. ``squash`` is the ordinal of the softmax or sigmoid that made the
    value, if it has only been moved since.
    """

    number: int
    shape: torch.Size
    dtype: torch.dtype
    documents: DocumentAxis | None
    squash: int | None = None

    @property
    def name(self) -> str:
        """The name by which :class:`.Roles` has the value."""
        return str(self.number)


class RowMultipliers(NamedTuple):
    """Multipliers that are the same in every row of a value except for a factor, as those of a mean over pieces.

    ``base`` is (K, ..., 1, D) and ``scale`` (..., L, 1); the multipliers are base × scale. If ``position`` is given,
    ``scale`` is not used, and the multipliers are ``base`` in this one row and 0 elsewhere.
    """

    base: Tensor
    scale: Tensor
    position: int | None = None

    def dense(self) -> Tensor:
        """Return the multipliers (K, ..., L, D) as one tensor."""
        if self.position is None:
            return self.base * self.scale
        shape = (*self.base.shape[:-2], self.scale.shape[-2], self.base.shape[-1])
        whole = self.base.new_zeros(shape)
        whole.narrow(-2, self.position, 1).copy_(self.base)
        return whole

    def times(self, factor: Tensor) -> RowMultipliers:
        """Multiply with a factor (..., L, 1) of each row."""
        if self.position is None:
            return self._replace(scale=self.scale * factor)
        return self._replace(base=self.base * self.of_rows(factor))

    def of_rows(self, factor: Tensor) -> Tensor:
        """Return the part of a constant (..., L, D) or (..., L, 1) at the rows with multipliers."""
        if self.position is None or factor.dim() < 2 or factor.shape[-2] == 1:
            return factor
        return factor.narrow(-2, self.position, 1)


Multipliers = Tensor | RowMultipliers


def as_tensor(multipliers: Multipliers) -> Tensor:
    """Return multipliers as one tensor."""
    return multipliers.dense() if isinstance(multipliers, RowMultipliers) else multipliers


class Backward(NamedTuple):
    """The multipliers (K, ...) of the values that an operation read (None: none), and ledger entries (K, N)."""

    parts: Sequence[Multipliers | None]
    absorbed: Mapping[Key, Tensor] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """An operation on the tape: the values that it read and wrote, and its modified gradient.

    ``rows`` is the modified gradient of :class:`RowMultipliers`, if the operation has one. ``saved`` are the tensors
    that the gradient uses, with their version when the operation ran.
    """

    reads: tuple[TrackedValue, ...]
    writes: TrackedValue
    back: Callable[[Tensor], Backward]
    rows: Callable[[RowMultipliers], Backward] | None = None
    saved: tuple[tuple[Tensor, int], ...] = ()

    def backward(self, multipliers: Multipliers) -> Backward:
        """Return the multipliers of the values read, and what the operation absorbs."""
        if isinstance(multipliers, RowMultipliers):
            if self.rows is not None:
                return self.rows(multipliers)
            multipliers = multipliers.dense()
        return self.back(multipliers)

    @property
    def changed(self) -> bool:
        """Whether a saved tensor was changed in place since."""
        return any(tensor._version != version for tensor, version in self.saved)
