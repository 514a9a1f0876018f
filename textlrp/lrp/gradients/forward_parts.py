"""Propagate from the words to the scores: faster than from the scores if a text has fewer pieces than targets.

Relevance is a linear function of the multipliers of the scores. Each score is therefore a sum of parts: one of each
piece, and one of each entry of the ledger. This module computes the parts of all scores in one forward sweep. The
relevance of a piece is its part × the multiplier of the score, for any number of targets.

The modified gradient of an operation is a linear function of multipliers, and its own gradient propagates parts
forward.

Letters: N documents, L pieces with special tokens and padding, K targets, P parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from textlrp.lrp.gradients.gradient_watch import LookedUp
from textlrp.lrp.gradients.tracked_values import Backward, Key, Multipliers, Node, TrackedValue, as_tensor


class Reached(NamedTuple):
    """An operation that relevance of the output reaches: the multipliers (1, ...) that arrive, with autograd's graph
    of what becomes of them.
    """

    node: Node
    arriving: Tensor
    backward: Backward

    @classmethod
    def by(cls, node: Node, multipliers: Multipliers) -> Reached:
        """Propagate the multipliers of one target through an operation, and keep the graph."""
        arriving = as_tensor(multipliers).detach().requires_grad_()
        with torch.enable_grad():
            return cls(node, arriving, node.back(arriving))


@dataclass(slots=True, eq=False)
class Parts:
    """The parts (P, ...) of each value, first those of the L pieces, then those of the ledger entries ``keys``.

    Parts of entries that come later than a value are left out, because they are 0.
    """

    pieces: int
    keys: list[Key] = field(default_factory=list)
    values: dict[int, Tensor] = field(default_factory=dict)


def forward_parts(
    reached: Sequence[Reached], lookups: Sequence[LookedUp], output: TrackedValue, length: int
) -> Parts:
    """Return the parts of the output of a module: those of the ``length`` pieces of each document, and of the ledger.

    ``reached`` are the operations, in forward order, that relevance of the output reaches.
    """
    found = Parts(length)
    for looked_up in lookups:
        parts, special = _parts_of_pieces(looked_up, length), looked_up.positions < 0
        if bool(special.any()):  # tokens that the module itself adds, which have no piece
            vectors = (special.unsqueeze(-1) * looked_up.vectors)[None]
            parts = _with_entry(found, (looked_up.layer, "special"), vectors, parts)
        found.values[looked_up.value.number] = parts
    last_read = {value.number: at for at, each in enumerate(reached) for value in each.node.reads}
    with torch.enable_grad():
        for at, each in enumerate(reached):
            _through(each, found)
            for value in each.node.reads:
                if last_read[value.number] == at and value.number != output.number:
                    found.values.pop(value.number, None)
    return found


def _parts_of_pieces(looked_up: LookedUp, length: int) -> Tensor:
    """The word vectors as parts (L, ..., D): part l has the vectors of the ids at position l, and 0 elsewhere."""
    column = looked_up.positions % length
    is_column = column == torch.arange(length, device=column.device).reshape(-1, *(1 for _ in column.shape))
    is_column = is_column & (looked_up.positions >= 0)
    return is_column.unsqueeze(-1) * looked_up.vectors


def _through(reached: Reached, found: Parts) -> None:
    """Propagate the parts of the values that an operation read to the value that it wrote."""
    node, arriving, (gradients, absorbed) = reached
    total: Tensor | None = None
    for value, gradient in zip(node.reads, gradients, strict=True):
        parts = found.values.get(value.number)
        if gradient is not None and parts is not None:
            part = _pulled(gradient, arriving, parts)
            total = part if total is None else _sum_of_parts(total, part)
    for key, entry in absorbed.items():
        (constant,) = torch.autograd.grad(entry.sum(), arriving, retain_graph=True)
        total = _with_entry(found, key, constant, total)
    if total is not None:
        found.values[node.writes.number] = total


def _pulled(gradient: Multipliers, arriving: Tensor, parts: Tensor) -> Tensor:
    """The parts (P, ...) of the written value, from those of a value that was read."""
    whole = as_tensor(gradient)
    seeds = parts.to(whole.dtype).unsqueeze(1)
    (pulled,) = torch.autograd.grad(whole, arriving, seeds, retain_graph=True, is_grads_batched=True)
    return pulled[:, 0]


def _sum_of_parts(left: Tensor, right: Tensor) -> Tensor:
    """The sum of two values' parts; the value with fewer parts has no others."""
    if len(left) < len(right):
        left, right = right, left
    if len(left) == len(right):
        return left + right
    total = left.clone()
    total[: len(right)] += right
    return total


def _with_entry(found: Parts, key: Key, constant: Tensor, total: Tensor | None) -> Tensor:
    """The parts of a value, with a constant (1, ...) as the part of a ledger entry."""
    if key not in found.keys:
        found.keys.append(key)
    place = found.pieces + found.keys.index(key)
    have = 0 if total is None else len(total)
    if have > place:
        assert total is not None
        total = total.clone()
        total[place] += constant[0]
        return total
    later = [constant.new_zeros(place - have, *constant.shape[1:]), constant]
    return torch.cat(later if total is None else [total, *later])
