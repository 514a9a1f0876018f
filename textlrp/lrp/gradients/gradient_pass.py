"""The fast engine for the presets of transformers: one forward pass of any module, and relevance of many targets.

The forward pass of the user's module runs unchanged while a torch function mode observes its operations. Their
gradients are modified: multipliers g = R / x take the place of relevance, so that no rule divides. The relevance of a
piece is its vector × multipliers, summed over the features. The ledger has what biases, position embeddings, special
tokens and the softmax absorb. The recorded trace (:mod:`textlrp.lrp.recorded`) is the second opinion: it gives the
same results for one document at a time, and for any rule.

Letters: N documents, L pieces with special tokens and padding, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.gradients.forward_parts import Reached, forward_parts
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.gradients.gradient_tape import GradientTape, add_entries
from textlrp.lrp.gradients.gradient_watch import GradientWatch, LookedUp
from textlrp.lrp.gradients.tracked_values import Key, Multipliers, TrackedValue, as_tensor
from textlrp.lrp.recorded.replaced_vectors import evaluating, output_of
from textlrp.lrp.trace import BACKWARD_ELEMENTS, Propagated

_CACHED_ELEMENTS = 1 << 20
"""On a CPU, targets are propagated together as long as the largest value stays below this number of elements.

Larger tensors do not fit into the cache of a core and make each class slower.
"""


@dataclass(frozen=True, slots=True, eq=False)
class GradientPass:
    """A forward pass of N documents, through which relevance can be propagated any number of times.

    ``scores`` (N, C) are pre-softmax scores; for a module with a single output f they are (-f, f).
    """

    scores: Tensor
    output: TrackedValue
    tape: GradientTape
    lookups: Sequence[LookedUp]
    pieces: Tensor
    words: int

    @torch.no_grad()
    def propagate(self, seed: Tensor) -> Propagated:
        """Propagate relevance from the scores to the pieces.

        ``seed`` (K, N, C) is the relevance of the scores; a score of 0 receives none. Returns the relevance
        (K, N, words), and ledger entries (K, N). Raises :class:`ModelError` if relevance reaches an operation that it
        cannot pass.
        """
        multipliers = self._multipliers(seed)
        if self._forward_is_faster(len(seed)):
            return self._propagate_forward(multipliers)
        bound = _CACHED_ELEMENTS if seed.is_cpu else BACKWARD_ELEMENTS
        together = max(1, bound // self.tape.elements)
        self.tape.products.rows = len(seed) * self.pieces.numel()
        chunks = [self._propagate_chunk(chunk) for chunk in torch.split(multipliers, together)]
        ledger = {key: torch.cat([chunk.ledger[key] for chunk in chunks]) for key in chunks[0].ledger}
        return Propagated(torch.cat([chunk.relevance for chunk in chunks]), ledger, {})

    def _forward_is_faster(self, targets: int) -> bool:
        """Whether to propagate parts from the pieces to the scores: about one in four operations adds half a part."""
        length = self.pieces.shape[1]
        one_axis = all(each.vectors.dim() == 3 for each in self.lookups) and self.output.shape[0] == len(self.scores)
        return one_axis and targets > length + len(self.tape.nodes) // 4

    def _propagate_forward(self, multipliers: Tensor) -> Propagated:
        """As :meth:`propagate`, by the parts of the scores."""
        self.tape.products.rows = 0
        documents, length = self.pieces.shape
        reached: list[Reached] = []
        self._propagate_chunk(torch.ones_like(multipliers[:1]), reached)  # also raises what a target would raise
        parts = forward_parts(reached[::-1], self.lookups, self.output, length)
        of_output = parts.values[self.output.number].reshape(-1, documents, self.output.shape.numel() // documents)
        flat = multipliers.reshape(len(multipliers), documents, -1).to(of_output.dtype)
        relevance = torch.einsum("knc,pnc->knp", flat, of_output).to(multipliers.dtype)
        entries = dict(zip(parts.keys, relevance[..., length:].unbind(-1), strict=True))
        received = relevance.new_zeros(*relevance.shape[:2], self.words + 1)
        column = torch.where(self.pieces >= 0, self.pieces, self.words).expand(len(relevance), -1, -1)
        received.scatter_add_(2, column, relevance[..., :length])
        add_entries(entries, {(self.lookups[0].layer, "special"): received[..., -1]})
        return Propagated(received[..., :-1], entries, {})

    def _multipliers(self, seed: Tensor) -> Tensor:
        """The multipliers (K, *output) of the output of the module."""
        values = self.scores
        if self.output.shape.numel() == len(values):  # a single output, the score of the second class
            seed, values = seed.sum(dim=-1, keepdim=True), values[:, 1:]
        multipliers = torch.where(values == 0, 0, seed / torch.where(values == 0, 1, values))
        return multipliers.reshape(len(seed), *self.output.shape)

    def _propagate_chunk(self, seed: Tensor, reached: list[Reached] | None = None) -> Propagated:
        """Propagate multipliers (K, *output); append the operations that they reach to ``reached``."""
        multipliers: dict[int, Multipliers] = {self.output.number: seed}
        ledger: dict[Key, Tensor] = {}
        for node in reversed(self.tape.nodes):
            arriving = multipliers.pop(node.writes.number, None)
            if arriving is None:
                continue
            if node.changed:
                raise ModelError("the module changed a tensor in place that is needed to propagate relevance.")
            if reached is None:
                parts, absorbed = node.backward(arriving)
            else:
                reached.append(Reached.by(node, arriving))
                parts, absorbed = reached[-1].backward
            for value, part in zip(node.reads, parts, strict=True):
                if part is not None:
                    earlier = multipliers.get(value.number)
                    multipliers[value.number] = part if earlier is None else as_tensor(earlier) + as_tensor(part)
            add_entries(ledger, absorbed)
        received = seed.new_zeros(len(seed), len(self.scores) * self.words)
        for looked_up in self.lookups:
            if looked_up.value.number in multipliers:
                self._collect(looked_up, as_tensor(multipliers[looked_up.value.number]), received, ledger)
        return Propagated(received.reshape(len(seed), len(self.scores), self.words), ledger, {})

    def _collect(self, looked_up: LookedUp, arriving: Tensor, received: Tensor, ledger: dict[Key, Tensor]) -> None:
        """Add the relevance of word vectors to their pieces, and that of other vectors to the ledger."""
        relevance = (arriving * looked_up.vectors).sum(dim=-1).flatten(start_dim=1)
        documents = len(self.pieces)
        positions = looked_up.positions.reshape(-1)
        inside = positions.clamp_min(0)
        piece = torch.where(positions >= 0, self.pieces.reshape(-1)[inside], -1)
        document = _documents_of(looked_up, documents)
        is_word = piece >= 0
        received.index_add_(1, (document * self.words + piece)[is_word], relevance[:, is_word].to(received.dtype))
        special = received.new_zeros(len(received), documents)
        special.index_add_(1, document[~is_word], relevance[:, ~is_word].to(received.dtype))
        add_entries(ledger, {(looked_up.layer, "special"): special})


def _documents_of(looked_up: LookedUp, documents: int) -> Tensor:
    """The document of each looked-up vector, all in one row."""
    shape = looked_up.vectors.shape
    axis = looked_up.value.documents
    if axis is None:
        return looked_up.positions.new_zeros(shape[:-1].numel())
    return axis.owners(shape, looked_up.vectors.device)[..., 0].reshape(-1)


def gradient_pass(
    module: nn.Module,
    call: Callable[[], Any],
    *,
    ids: Tensor,
    pieces: Tensor,
    rules: GradientRules,
    words: int | None = None,
) -> GradientPass:
    """Run ``call()``, a forward pass of ``module``, and return it with the modified gradients of its operations.

    ``ids`` (N, L) is the tensor of ids that the module looks up. ``pieces`` (N, L) has the position of each piece
    among the pieces of its document, and -1 for special tokens and padding. ``words`` is the largest number of pieces
    of a document. The module is in eval mode during the forward pass and unchanged afterwards. Raises
    :class:`ModelError` if the engine does not know an operation.
    """
    skip: int | None = None
    with evaluating(module), torch.no_grad():
        while True:
            watch = GradientWatch(module, ids, rules, skip)
            with watch:
                output = output_of(call())
            watch.tape.names.kept.check()
            value = watch.tape.value_of(output)
            if value is None:
                raise ModelError("the output of the module does not depend on the vectors of the token ids.")
            if value.squash is None:
                scores = _class_scores(output, len(ids))
                words = int(pieces.max()) + 1 if words is None else words
                return GradientPass(scores, value, watch.tape, watch.lookups, pieces, words)
            skip = value.squash


def _class_scores(output: Tensor, documents: int) -> Tensor:
    """The scores (N, C) in the output of a module."""
    if output.numel() == documents:
        single = output.reshape(documents, 1)
        return torch.cat([-single, single], dim=1)
    if output.numel() // documents != output.shape[-1] or output.dim() > 2:
        raise ModelError(f"the module must return scores of shape (N, C); got the shape {tuple(output.shape)}.")
    return output.reshape(documents, -1).clone()
