"""The fast engine for the presets of transformers: one forward pass of any module, and relevance of many targets.

The user's forward pass runs unchanged, while a torch function mode observes its operations. The gradients of these are
modified: multipliers g = R / x take the place of relevance, so that nothing is divided. Relevance of a piece is then
the sum over the features of vector × multiplier. The ledger has what biases, position embeddings, special tokens and
the softmax absorb. The recorded trace (:mod:`textlrp.lrp.recorded`) is the second opinion: it gives the same results,
one document at a time, for any rule.

Letters: N documents, L pieces (with special tokens and padding), C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.gradients.gradient_watch import GradientWatch, LookedUp
from textlrp.lrp.gradients.observed_operation import GradientTape
from textlrp.lrp.gradients.tracked_values import Key
from textlrp.lrp.recorded.replaced_vectors import evaluating, output_of
from textlrp.lrp.trace import Propagated


@dataclass(frozen=True, slots=True, eq=False)
class GradientPass:
    """A forward pass through which relevance can be propagated; ``scores`` (N, C) are pre-softmax."""

    scores: Tensor
    output: Tensor
    number: int
    tape: GradientTape
    lookups: list[LookedUp]
    pieces: Tensor
    words: int

    def propagate(self, seed: Tensor) -> Propagated:
        """Propagate relevance from the scores to the pieces.

        ``seed`` (K, N, C) is the relevance of the scores. Relevance is (K, N, words), a ledger entry (K, N).
        """
        return _propagate(self, seed)


def gradient_pass(
    module: nn.Module,
    call: Callable[[], Any],
    *,
    ids: Tensor,
    pieces: Tensor,
    rules: GradientRules,
    words: int | None = None,
) -> GradientPass:
    """Run ``call()``, the forward pass of ``module``, and return it with the modified gradients of its operations.

    ``ids`` (N, L) is the tensor of ids that the module looks up. ``pieces`` (N, L) has the position of each piece
    among the pieces of its document, -1 for special tokens and padding. ``words`` is the largest number of pieces of
    a document. Raises :class:`ModelError` if the engine does not know an operation.
    """
    skip: int | None = None
    with evaluating(module), torch.no_grad():
        while True:
            watch = GradientWatch(module, ids, rules, skip)
            with watch:
                output = output_of(call())
            value = watch.tape.value_of(output)
            if value is None:
                raise ModelError("the output of the module does not depend on the vectors of the token ids.")
            if value.squash is None:
                break
            skip = value.squash
        scores = _class_scores(output, len(ids))
    words = int(pieces.max()) + 1 if words is None else words
    return GradientPass(scores, output, value.number, watch.tape, watch.lookups, pieces, words)


def _class_scores(output: Tensor, documents: int) -> Tensor:
    if output.numel() == documents:
        single = output.reshape(documents, 1)
        return torch.cat([-single, single], dim=1)
    if output.dim() != 2 or output.shape[0] != documents:
        if documents == 1 and output.numel() == max(output.shape):
            return output.reshape(1, -1).clone()
        raise ModelError(f"the module must return scores of shape (N, C); got the shape {tuple(output.shape)}.")
    return output.clone()


@torch.no_grad()
def _propagate(forward: GradientPass, seed: Tensor) -> Propagated:
    scores, output = forward.scores, forward.output
    if output.numel() == len(scores):
        relevance, values = seed.sum(dim=-1, keepdim=True), scores[:, 1:]
    else:
        relevance, values = seed, scores
    multipliers = torch.where(values == 0, 0, relevance / torch.where(values == 0, 1, values))
    gradients: dict[int, Tensor] = {forward.number: multipliers.reshape(len(seed), *output.shape)}
    ledger: dict[Key, Tensor] = {}
    leaves = {each.number for each in forward.lookups}
    for node in reversed(forward.tape.nodes):
        gradient = gradients.pop(node.writes.number, None)
        if gradient is None:
            continue
        if node.changed:
            raise ModelError("the module changed a tensor in place that its gradient needs.")
        parts, absorbed = node.back(gradient)
        for value, part in zip(node.reads, parts, strict=True):
            if part is not None:
                part = part.to(value.dtype)
                number = value.number
                gradients[number] = gradients[number] + part if number in gradients else part
        _add_entries(ledger, absorbed)
    received = seed.new_zeros(len(seed), forward.pieces.numel() // len(scores) * 0 + forward.words * len(scores))
    for each in forward.lookups:
        if each.number in gradients:
            _collect(forward, each, gradients[each.number], received, ledger)
    del leaves
    return Propagated(received.reshape(len(seed), len(scores), forward.words), ledger, {})


def _collect(
    forward: GradientPass, looked_up: LookedUp, gradient: Tensor, received: Tensor, ledger: dict[Key, Tensor]
) -> None:
    """Add the relevance of word vectors to the pieces, and that of other vectors to the ledger."""
    relevance = (gradient * looked_up.vectors).sum(dim=-1).flatten(start_dim=1)
    documents, words = len(forward.scores), forward.words
    positions = looked_up.positions.reshape(-1)
    piece = torch.where(positions >= 0, forward.pieces.reshape(-1)[positions.clamp_min(0)], -1)
    rows = len(piece) // documents
    document = torch.arange(documents, device=piece.device).repeat_interleave(rows)
    is_word = piece >= 0
    received.index_add_(1, (document * words + piece)[is_word], relevance[:, is_word])
    special = (relevance * ~is_word).reshape(len(relevance), documents, rows).sum(dim=-1)
    _add_entries(ledger, {(looked_up.layer, "special"): special})


def _add_entries(ledger: dict[Key, Tensor], absorbed: Mapping[Key, Tensor]) -> None:
    for key, entry in absorbed.items():
        ledger[key] = ledger[key] + entry if key in ledger else entry
