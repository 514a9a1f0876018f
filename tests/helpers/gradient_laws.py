"""Run the fast engine and the recorded trace on the same module, and compare all they return."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from textlrp.lrp.gradients.gradient_pass import GradientPass, gradient_pass
from textlrp.lrp.gradients.gradient_rules import gradient_rules
from textlrp.lrp.presets import as_composite
from textlrp.lrp.recorded.record import record
from textlrp.lrp.trace import Propagated, one_hot_seed, propagate


def fast_pass(
    module: nn.Module,
    preset: str,
    ids: Tensor,
    *,
    call: Callable[[], object] | None = None,
    pieces: Tensor | None = None,
) -> GradientPass:
    """The forward pass of a module; all ids are pieces of the text unless ``pieces`` says otherwise."""
    rules = gradient_rules(as_composite(preset))
    assert rules is not None
    if pieces is None:
        pieces = torch.arange(ids.shape[1]).expand(ids.shape)
    return gradient_pass(module, call or (lambda: module(ids)), ids=ids, pieces=pieces, rules=rules)


def all_classes(forward: GradientPass) -> Propagated:
    """Propagate the score of every class."""
    return forward.propagate(one_hot_seed(forward.scores, range(forward.scores.shape[1])))


def on_tape(module: nn.Module, preset: str, ids: Tensor) -> Propagated:
    """The same by the recorded trace, for one document (1, L)."""
    trace = record(module, ids)
    return propagate(trace, as_composite(preset), one_hot_seed(trace.scores, range(trace.scores.shape[1])))


def sizes(found: Propagated) -> Tensor:
    """sum |relevance| + sum |ledger entries| (K, N): what all differences are relative to."""
    return found.relevance.abs().sum(dim=-1) + sum(entry.abs() for entry in found.ledger.values())


def law_gap(forward: GradientPass, found: Propagated) -> float:
    """Law 1: the largest relative difference of relevance + ledger and the scores of all classes."""
    total = found.relevance.sum(dim=-1) + sum(found.ledger.values())
    return float(((total - forward.scores.T).abs() / sizes(found)).max())


def largest_difference(found: Propagated, other: Propagated) -> float:
    """The largest relative difference of relevance and of each ledger entry; a missing entry counts as 0."""
    scale, words = sizes(other), min(found.relevance.shape[-1], other.relevance.shape[-1])
    nothing = torch.zeros_like(scale)
    worst = float(((found.relevance - other.relevance)[..., :words].abs().amax(dim=-1) / scale).max())
    for key in found.ledger.keys() | other.ledger.keys():
        missing = found.ledger.get(key, nothing) - other.ledger.get(key, nothing)
        worst = max(worst, float((missing.abs() / scale).max()))
    return worst


def of_document(found: Propagated, n: int, words: int) -> Propagated:
    """The results of document ``n`` with its ``words`` pieces; what is left out must be 0."""
    assert not found.relevance[:, n, words:].any()
    ledger = {key: entry[:, n : n + 1] for key, entry in found.ledger.items()}
    return Propagated(found.relevance[:, n : n + 1, :words], ledger, {})
