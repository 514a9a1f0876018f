"""Relevance of whole batches of texts by the fast engine, for a transformer that classifies texts.

Letters: N texts, M windows of the texts, P pieces of a text, L words, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.trace import Propagated
from textlrp.models.transformers.sequence_batches import SequenceBatches
from textlrp.models.transformers.window_passes import TOGETHER, PassOfWindows, PiecesOfText, WindowPasses


class TransformerPass:
    """A forward pass of N texts; ``scores`` (N, C) are means over the windows of a text."""

    def __init__(
        self, module: nn.Module, texts: Sequence[PiecesOfText], batches: SequenceBatches, rules: GradientRules
    ) -> None:
        self._windows = WindowPasses(module, texts, batches, rules, lambda batch: batch.scores(module))
        of_windows = self._windows.outputs()
        if of_windows is None:
            with torch.no_grad():
                of_windows = batches.scores(module, self._windows.sequences, TOGETHER)
        self._counts = of_windows.new_tensor([len(text.windows) for text in texts])
        total = of_windows.new_zeros(len(texts), of_windows.shape[1])
        total.index_add_(0, torch.tensor(self._windows.text_of), of_windows)
        self.scores = total / self._counts[:, None]

    def propagate(self, seed: Tensor) -> Propagated:
        """Propagate relevance from the scores to the words.

        ``seed`` (K, N, C) is the relevance of the scores. Relevance is (K, N, L), a ledger entry (K, N), and the
        relevance of the pieces (K, N, P) is watched.
        """
        return self._windows.propagate(seed, lambda windows: self._seed_of_windows(seed, windows), {})

    def _seed_of_windows(self, seed: Tensor, windows: PassOfWindows) -> Tensor:
        """The relevance (K, M, C) of the scores of windows: LRP-0 of the mean over the windows of a text."""
        scores, texts = windows.forward.scores, windows.texts
        alone = (self._counts[texts] == 1)[:, None]
        mean = self.scores[texts] * self._counts[texts][:, None]
        share = torch.where(mean == 0, 0, scores / torch.where(mean == 0, 1, mean))
        return seed[:, texts] * torch.where(alone, 1, share)
