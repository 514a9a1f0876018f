"""Relevance of whole batches of texts by the fast engine, through a linear head and a sentence encoder.

Relevance passes first through the head and the layers after the pooling, for each text, then through the encoder, for
each window. Both use multipliers g = R / x, so that nothing is divided.

Letters: N texts, M windows of the texts, P pieces of a text, L words, C classes, K targets, D dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from textlrp.lrp.gradients.gradient_pass import GradientPass, gradient_pass
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.recorded.replaced_vectors import evaluating
from textlrp.lrp.trace import Propagated
from textlrp.models.encoders.embedding import means_over_windows, pool_windows, window_shares
from textlrp.models.encoders.pooled_encoder import EncoderScores, UnitLength
from textlrp.models.transformers.piece_batch import PIECES
from textlrp.models.transformers.sequence_batches import SequenceBatches
from textlrp.models.transformers.transformer_pass import HELD, TOGETHER, PiecesOfText
from textlrp.models.transformers.window_traces import summed_by

Ledger = dict[tuple[str, str], Tensor]


class _Windows(NamedTuple):
    """A forward pass of some windows, given by their numbers among all M."""

    forward: GradientPass
    numbers: list[int]


class EncoderPass:
    """A forward pass of N texts; ``scores`` (N, C) are those of the embeddings of whole texts."""

    def __init__(
        self,
        module: EncoderScores,
        texts: Sequence[PiecesOfText],
        batches: SequenceBatches,
        special: int,
        rules: GradientRules,
    ) -> None:
        self._module, self._texts, self._batches, self._rules = module, texts, batches, rules
        self._owners = [(n, window) for n, text in enumerate(texts) for window in text.windows]
        self._sequences = [texts[n].ids[first:end] for n, (first, end) in self._owners]
        sizes = [[end - first for first, end in text.windows] for text in texts]
        self._held = list(self._passes()) if sum(map(len, self._sequences)) <= HELD else None
        with torch.no_grad(), evaluating(module):
            self._of_windows = self._pooled()
            self._pooled_texts = means_over_windows(self._of_windows, sizes, special)
            self._values = _values_of_layers(module, self._pooled_texts)
        self._shares = window_shares(sizes, special).to(self._of_windows.dtype)
        self.scores = self._values[-1]

    @torch.no_grad()
    def propagate(self, seed: Tensor) -> Propagated:
        """Propagate relevance from the scores to the words.

        ``seed`` (K, N, C) is the relevance of the scores. Relevance is (K, N, L), a ledger entry (K, N), and the
        relevance of the pieces (K, N, P) is watched.
        """
        multipliers, ledger = _through_layers(self._module, self._values, seed)
        most = max((len(text.ids) for text in self._texts), default=0)
        pieces = seed.new_zeros(*seed.shape[:2], most)
        for forward, numbers in self._passes() if self._held is None else self._held:
            texts = [self._owners[number][0] for number in numbers]
            values = self._of_windows[numbers] * self._shares[numbers, None]
            found = forward.propagate(multipliers[:, texts] * values)
            for row, number in enumerate(numbers):
                n, (first, end) = self._owners[number]
                pieces[:, n, first:end] += found.relevance[:, row, : end - first]
            for key, entry in found.ledger.items():
                total = ledger.setdefault(key, seed.new_zeros(seed.shape[:2]))
                total.index_add_(1, torch.tensor(texts), entry)
        words = seed.new_zeros(*seed.shape[:2], max((text.words for text in self._texts), default=0))
        for n, text in enumerate(self._texts):
            words[:, n, : text.words] = summed_by(
                torch.from_numpy(text.word_of), text.words, pieces[:, n, : len(text.ids)]
            )
        return Propagated(words, ledger, {PIECES: pieces})

    def _pooled(self) -> Tensor:
        """The pooled vectors (M, D) of all windows."""
        if self._held is None:
            return pool_windows(self._module.encoder, self._batches, self._sequences, TOGETHER)
        rows = [number for each in self._held for number in each.numbers]
        return torch.cat([each.forward.scores for each in self._held])[torch.tensor(rows).argsort()]

    def _passes(self) -> Iterator[_Windows]:
        module = self._module
        for numbers, batch in self._batches.batches(module, self._sequences, TOGETHER):
            forward = gradient_pass(
                module,
                lambda batch=batch: module.encoder.pool(batch.ids, batch.mask, batch.types),  # type: ignore[misc]
                ids=batch.ids,
                pieces=batch.pieces,
                rules=self._rules,
                words=max(len(self._sequences[number]) for number in numbers),
            )
            yield _Windows(forward, numbers)


# ---- the layers after the pooling


def _steps(module: EncoderScores) -> list[tuple[str, nn.Module]]:
    """The names and modules of the layers after the pooling, the head last."""
    return [*((f"encoder.layers.{name}", each) for name, each in module.encoder.layers.named_children()),
            ("output", module.output)]  # fmt: skip


def _values_of_layers(module: EncoderScores, pooled: Tensor) -> list[Tensor]:
    """The pooled vectors (N, D), and the result of each layer after the pooling."""
    values = [pooled]
    for _, layer in _steps(module):
        values.append(layer(values[-1]))
    return values


def _through_layers(module: EncoderScores, values: Sequence[Tensor], seed: Tensor) -> tuple[Tensor, Ledger]:
    """The multipliers (K, N, D) of the pooled vectors, and what the layers after the pooling absorb.

    LRP-0 for linear layers, the identity for activations; the length of a vector is a constant.
    """
    multipliers = _ratio(seed, values[-1])
    ledger: Ledger = {}
    for (name, layer), before, after in reversed(list(zip(_steps(module), values[:-1], values[1:], strict=True))):
        if isinstance(layer, nn.Linear):
            if layer.bias is not None:
                ledger[(name, "bias")] = multipliers @ layer.bias
            multipliers = multipliers @ layer.weight
        elif isinstance(layer, UnitLength):
            multipliers = multipliers / before.norm(dim=1, keepdim=True).clamp_min(layer.smallest)
        else:
            multipliers = multipliers * _ratio(after, before)
    return multipliers, ledger


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """``above`` / ``below``; 0 where ``below`` is 0."""
    return torch.where(below == 0, 0, above / torch.where(below == 0, 1, below))
