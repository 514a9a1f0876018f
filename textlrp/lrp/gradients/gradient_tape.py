"""The tape of the fast engine: what it has observed of a forward pass so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.gradients.document_axis import DocumentAxis, sum_by_document
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.gradients.row_products import RowProducts
from textlrp.lrp.gradients.tracked_values import Key, Multipliers, Node, RowMultipliers, TrackedValue
from textlrp.lrp.recorded.roles import Roles
from textlrp.lrp.recorded.trace_builder import TraceBuilder

_MARK = "_textlrp_value"
"""The attribute of a tensor that depends on the words."""


class _Mark(NamedTuple):
    """The tape that a tensor is on, its value, and its version when it was named."""

    tape: object
    value: TrackedValue
    version: int


@dataclass(slots=True, eq=False)
class GradientTape:
    """The operations in forward order, and the tensors that depend on the words.

    ``names`` names layers and operations as the recorded trace does. ``elements`` is the number of elements of the
    largest value. The value of a tensor is an attribute of the tensor, which is an intermediate result of the forward
    pass, so that it lives as long as the tensor.
    """

    names: TraceBuilder
    rules: GradientRules
    nodes: list[Node] = field(default_factory=list)
    roles: Roles = field(default_factory=Roles)
    products: RowProducts = field(default_factory=RowProducts)
    elements: int = 1
    _count: int = 0
    _token: object = field(default_factory=object)

    def value_of(self, tensor: Tensor) -> TrackedValue | None:
        """Return the value of a tensor, None if it does not depend on the words."""
        mark: _Mark | None = getattr(tensor, _MARK, None)
        return mark.value if mark is not None and mark.tape is self._token else None

    def changed(self, tensor: Tensor) -> bool:
        """Whether a tensor that depends on the words was changed in place since it was named."""
        mark: _Mark = getattr(tensor, _MARK)
        return mark.version != tensor._version

    def write(self, tensor: Tensor, documents: DocumentAxis | None, squash: int | None = None) -> TrackedValue:
        """Register a tensor as a new value."""
        value = TrackedValue(self._count, tensor.shape, tensor.dtype, documents, squash)
        self._count += 1
        self.elements = max(self.elements, tensor.numel())
        self.name(tensor, value)
        return value

    def name(self, tensor: Tensor, value: TrackedValue) -> None:
        """Note that a tensor has a value."""
        setattr(tensor, _MARK, _Mark(self._token, value, tensor._version))


def absorbed_constant(
    key: Key, multipliers: Multipliers, constant: Tensor, documents: DocumentAxis | None
) -> dict[Key, Tensor]:
    """Return the ledger entry of a constant that was added: multipliers × constant, summed by document: (K, N).

    An infinite constant, as in masks, has multipliers of exactly 0 and counts as 0.
    """
    if not math.isfinite(constant.sum()):
        constant = torch.where(constant.isfinite(), constant, 0)
    if isinstance(multipliers, RowMultipliers):
        rows = multipliers
        by_row = (rows.base * rows.of_rows(constant)).sum(dim=-1, keepdim=True)
        by_row = by_row * rows.scale if rows.position is None else by_row
        return {key: sum_by_document(by_row, documents)}
    one_per_feature = constant.dim() <= 1 and constant.numel() == multipliers.shape[-1]
    if one_per_feature and (documents is None or documents.axis < -1):
        return {key: sum_by_document(multipliers, documents, keep=1) @ constant.reshape(-1).to(multipliers.dtype)}
    return {key: sum_by_document(multipliers * constant, documents)}


def add_entries(ledger: dict[Key, Tensor], entries: Mapping[Key, Tensor]) -> None:
    """Add ledger entries (K, N) to a ledger."""
    for key, entry in entries.items():
        ledger[key] = ledger[key] + entry if key in ledger else entry
