"""Relevance of whole batches of texts by the fast engine, through a linear head and a sentence encoder.

Relevance passes first through the head and the layers after the pooling, for each text, then through the encoder, for
each window. Both use multipliers g = R / x, so that nothing is divided.

Letters: N texts, M windows of the texts, P pieces of a text, L words, C classes, K targets, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.recorded.replaced_vectors import evaluating
from textlrp.lrp.trace import Propagated
from textlrp.models.encoders.embedding import means_over_windows, pool_windows, window_shares
from textlrp.models.encoders.pooled_encoder import EncoderScores, UnitLength
from textlrp.models.transformers.sequence_batches import SequenceBatches
from textlrp.models.transformers.window_passes import TOGETHER, PassOfWindows, PiecesOfText, WindowPasses

Ledger = dict[tuple[str, str], Tensor]


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
        self._module = module
        self._windows = WindowPasses(
            module, texts, batches, rules, lambda batch: module.encoder.pool(batch.ids, batch.mask, batch.types)
        )
        sizes = [[end - first for first, end in text.windows] for text in texts]
        with torch.no_grad(), evaluating(module):
            pooled = self._windows.outputs()
            if pooled is None:
                pooled = pool_windows(module.encoder, batches, self._windows.sequences, TOGETHER)
            self._of_windows = pooled
            self._values = _values_of_layers(module, means_over_windows(pooled, sizes, special))
        self._shares = window_shares(sizes, special).to(pooled.dtype)
        self.scores = self._values[-1]

    @torch.no_grad()
    def propagate(self, seed: Tensor) -> Propagated:
        """Propagate relevance from the scores to the words.

        ``seed`` (K, N, C) is the relevance of the scores. Relevance is (K, N, L), a ledger entry (K, N), and the
        relevance of the pieces (K, N, P) is watched.
        """
        multipliers, ledger = _through_layers(self._module, self._values, seed)

        def seed_of_windows(windows: PassOfWindows) -> Tensor:
            values = self._of_windows[windows.numbers] * self._shares[windows.numbers, None]
            return multipliers[:, windows.texts] * values

        return self._windows.propagate(seed, seed_of_windows, ledger)


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
            # f(0), which no input receives
            of_nothing = (multipliers * torch.where(before == 0, after, 0)).sum(dim=-1)
            if of_nothing.any():
                ledger[(name, "empty")] = of_nothing
            multipliers = multipliers * _ratio(after, before)
    return multipliers, ledger


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """``above`` / ``below``; 0 where ``below`` is 0."""
    return torch.where(below == 0, 0, above / torch.where(below == 0, 1, below))
