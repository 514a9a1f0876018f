"""Which entries of a value belong to which document of a batch, and sums by document.

In most values documents are the first axis. A module may also transpose it, or merge it with other axes, as in
(N · heads, L, d).

Letters: N documents, K targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class DocumentAxis(NamedTuple):
    """The axis along which documents differ.

    ``axis`` is negative, so that it is the same after broadcasting. ``inner`` consecutive entries along the axis
    belong to one document; after ``documents`` · ``inner`` entries the documents repeat.
    """

    axis: int
    inner: int
    documents: int

    def owners(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """Return the document of each entry of a value of the given shape, as an expanded tensor."""
        size = shape[self.axis]
        along = torch.arange(size, device=device).div(self.inner, rounding_mode="floor") % self.documents
        return along.reshape(size, *(1 for _ in range(-1 - self.axis))).expand(tuple(shape))


def reshaped_axis(documents: DocumentAxis, before: Sequence[int], after: Sequence[int]) -> DocumentAxis | None:
    """Return the axis of a value after its shape changed from ``before`` to ``after``; None if there is none."""
    period = documents.inner * math.prod(before[len(before) + documents.axis + 1 :])
    for axis in range(-len(after), 0):
        trailing = math.prod(after[len(after) + axis + 1 :])
        inner, rest = divmod(period, max(1, trailing))
        if rest == 0 and inner > 0 and after[axis] % (inner * documents.documents) == 0:
            return DocumentAxis(axis, inner, documents.documents)
    return None


def moved_axis(
    documents: DocumentAxis, shape: Sequence[int], move: Callable[[Tensor], Tensor], device: torch.device
) -> DocumentAxis | None:
    """Return the axis of the value that ``move`` makes of a value of the given shape; None if there is none.

    A value without entries has the same axis as before.
    """
    moved = move(documents.owners(shape, device))
    return axis_of(moved, documents.documents) if moved.numel() else documents


def axis_of(index: Tensor, documents: int) -> DocumentAxis | None:
    """Return the axis of a value, given the document of each of its entries; None if there is none."""
    for axis in range(-index.dim(), 0):
        along = index
        for other in range(index.dim() - 1, -1, -1):
            if other != index.dim() + axis:
                along = along.select(other, 0)
        inner = int((along == 0).int().cumprod(0).sum())
        if inner == 0 or len(along) % (inner * documents):
            continue
        found = DocumentAxis(axis, inner, documents)
        if torch.equal(found.owners(index.shape, index.device), index):
            return found
    return None


def sum_by_document(values: Tensor, documents: DocumentAxis | None, keep: int = 0) -> Tensor:
    """Sum values (K, ...) over all axes except the targets, the documents and the last ``keep``: (K, N, ...).

    ``documents`` is None for a single document.
    """
    kept = set(range(values.dim() - keep, values.dim())) | {0}
    if documents is None:
        summed = [axis for axis in range(values.dim()) if axis not in kept]
        return (values.sum(dim=summed) if summed else values).unsqueeze(1)
    kept.add(values.dim() + documents.axis)
    summed = [axis for axis in range(values.dim()) if axis not in kept]
    along = values.sum(dim=summed) if summed else values
    if documents.inner == 1 and along.shape[1] == documents.documents:
        return along
    split = along.reshape(len(along), -1, documents.documents, documents.inner, *along.shape[2:])
    return split.sum(dim=(1, 3))
