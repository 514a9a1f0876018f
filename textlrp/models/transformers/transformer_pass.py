"""Relevance of whole batches of texts by the fast engine: texts to padded sequences, and pieces back to words.

Letters: N texts, M sequences (windows of the texts), P pieces of a text, L words, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.lrp.gradients.gradient_pass import GradientPass, gradient_pass
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.trace import Propagated
from textlrp.models.transformers.piece_batch import PIECES
from textlrp.models.transformers.sequence_batches import SequenceBatches
from textlrp.models.transformers.sequence_calls import PieceIds
from textlrp.models.transformers.window_traces import summed_by

TOGETHER = 1 << 10
"""Sequences are propagated together as long as their ids, with padding, are at most this many."""
HELD = 1 << 12
"""If the sequences of a batch have more ids than this, not all forward passes are kept in memory at a time."""


class PiecesOfText(NamedTuple):
    """One text as its pieces: their ids (P,), the word (P,) of each, the number of words, and its windows.

    ``windows`` are the first piece of each window and the piece after its last one.
    """

    ids: PieceIds
    word_of: NDArray[np.int64]
    words: int
    windows: Sequence[tuple[int, int]]


class _PassOfWindows(NamedTuple):
    """A forward pass of some windows: the text (M,) of each, and its first piece and the one after its last."""

    forward: GradientPass
    texts: list[int]
    bounds: list[tuple[int, int]]


class TransformerPass:
    """A forward pass of N texts; ``scores`` (N, C) are means over the windows of a text."""

    def __init__(
        self, module: nn.Module, texts: Sequence[PiecesOfText], batches: SequenceBatches, rules: GradientRules
    ) -> None:
        self._module = module
        self._texts = texts
        self._batches = batches
        self._rules = rules
        self._owners = [(n, window) for n, text in enumerate(texts) for window in text.windows]
        self._sequences = [texts[n].ids[first:end] for n, (first, end) in self._owners]
        self._held = list(self._passes()) if sum(map(len, self._sequences)) <= HELD else None
        if self._held is None:
            with torch.no_grad():
                of_windows = batches.scores(module, self._sequences, TOGETHER)
            rows = torch.tensor([n for n, _ in self._owners])
        else:
            of_windows = torch.cat([each.forward.scores for each in self._held])
            rows = torch.tensor([n for each in self._held for n in each.texts])
        self._counts = of_windows.new_tensor([len(text.windows) for text in texts])
        total = of_windows.new_zeros(len(texts), of_windows.shape[1]).index_add_(0, rows, of_windows)
        self.scores = total / self._counts[:, None]

    def propagate(self, seed: Tensor) -> Propagated:
        """Propagate relevance from the scores to the words.

        ``seed`` (K, N, C) is the relevance of the scores. Relevance is (K, N, L), a ledger entry (K, N), and the
        relevance of the pieces (K, N, P) is watched.
        """
        most = max((len(text.ids) for text in self._texts), default=0)
        pieces = seed.new_zeros(*seed.shape[:2], most)
        ledger: dict[tuple[str, str], Tensor] = {}
        for forward, texts, bounds in self._passes() if self._held is None else self._held:
            found = forward.propagate(self._seed_of_windows(seed, forward.scores, texts))
            for row, (n, (first, end)) in enumerate(zip(texts, bounds, strict=True)):
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

    def _seed_of_windows(self, seed: Tensor, scores: Tensor, texts: list[int]) -> Tensor:
        """The relevance (K, M, C) of the scores (M, C) of windows: LRP-0 of the mean over the windows of a text."""
        alone = (self._counts[texts] == 1)[:, None]
        mean = self.scores[texts] * self._counts[texts][:, None]
        share = torch.where(mean == 0, 0, scores / torch.where(mean == 0, 1, mean))
        return seed[:, texts] * torch.where(alone, 1, share)

    def _passes(self) -> Iterator[_PassOfWindows]:
        for rows, batch in self._batches.batches(self._module, self._sequences, TOGETHER):
            forward = gradient_pass(
                self._module,
                lambda batch=batch: batch.scores(self._module),  # type: ignore[misc]
                ids=batch.ids,
                pieces=batch.pieces,
                rules=self._rules,
                words=max(len(self._sequences[row]) for row in rows),
            )
            yield _PassOfWindows(
                forward, [self._owners[row][0] for row in rows], [self._owners[row][1] for row in rows]
            )
