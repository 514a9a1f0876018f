"""The windows of a batch of texts in the fast engine: their forward passes, and relevance from pieces to words.

Letters: N texts, M windows of the texts, P pieces of a text, L words, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.lrp.gradients.gradient_pass import GradientPass, gradient_pass
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.trace import Propagated
from textlrp.models.transformers.piece_batch import PIECES, PieceBatch
from textlrp.models.transformers.sequence_batches import SequenceBatches
from textlrp.models.transformers.sequence_calls import Padded, PieceIds
from textlrp.models.transformers.window_traces import summed_by

TOGETHER = 1 << 10
"""Sequences are propagated together as long as their ids, with padding, are at most this many."""
HELD = 1 << 12
"""If the sequences of a batch have more ids than this, not all forward passes are kept in memory at a time."""

SplitWords = Callable[[NDArray[np.int64], int | None], list[tuple[int, int]]]
"""The pieces of each word (L,), the largest number in a window -> first word of each window, and that after it."""


class PiecesOfText(NamedTuple):
    """One text as its pieces: their ids (P,), the word (P,) of each, the number of words, and its windows.

    ``windows`` are the first piece of each window and the piece after its last one.
    """

    ids: PieceIds
    word_of: NDArray[np.int64]
    words: int
    windows: Sequence[tuple[int, int]]


def pieces_of_text(batch: PieceBatch, words: NDArray[np.int64], room: int | None, split: SplitWords) -> PiecesOfText:
    """Return the pieces of a text, given by the ids (L,) of its words in ``batch``, in windows of ``room`` pieces."""
    sizes = batch.sizes(words)
    ends = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    windows = [(ends[first], ends[last]) for first, last in split(sizes, room)]
    return PiecesOfText(*batch.pieces(words), len(words), windows)


class PassOfWindows(NamedTuple):
    """A forward pass of some windows: their numbers among all M, and the number of the text of each."""

    forward: GradientPass
    numbers: list[int]
    texts: list[int]


class WindowPasses:
    """The forward passes of all windows of N texts. They are kept in memory if they are small.

    ``output_of_batch`` computes the output of the module for a batch of windows. ``sequences`` are the pieces of the
    M windows, ``text_of`` (M,) is the number of the text of each.
    """

    def __init__(
        self,
        module: nn.Module,
        texts: Sequence[PiecesOfText],
        batches: SequenceBatches,
        rules: GradientRules,
        output_of_batch: Callable[[Padded], Tensor],
    ) -> None:
        self._module, self._texts, self._batches, self._rules = module, texts, batches, rules
        self._output_of_batch = output_of_batch
        self._bounds = [window for text in texts for window in text.windows]
        self.text_of = [n for n, text in enumerate(texts) for _ in text.windows]
        self.sequences = [texts[n].ids[first:end] for n, (first, end) in zip(self.text_of, self._bounds, strict=True)]
        self._held = list(self._passes()) if sum(map(len, self.sequences)) <= HELD else None

    def outputs(self) -> Tensor | None:
        """Return the output (M, ...) of the module for each window; None if the passes are not kept."""
        if self._held is None:
            return None
        numbers = [number for each in self._held for number in each.numbers]
        return torch.cat([each.forward.scores for each in self._held])[torch.tensor(numbers).argsort()]

    def propagate(
        self, seed: Tensor, seed_of_windows: Callable[[PassOfWindows], Tensor], ledger: dict[tuple[str, str], Tensor]
    ) -> Propagated:
        """Propagate relevance from the outputs of the windows to the words of the texts; add to ``ledger``.

        ``seed_of_windows`` returns the relevance (K, M, ...) of the outputs of some windows. Relevance is (K, N, L),
        that of the pieces (K, N, P). Only the shape and dtype of ``seed`` (K, N, C) are used.
        """
        most = max((len(text.ids) for text in self._texts), default=0)
        pieces = seed.new_zeros(*seed.shape[:2], most)
        for each in self._passes() if self._held is None else self._held:
            found = each.forward.propagate(seed_of_windows(each))
            for row, (n, number) in enumerate(zip(each.texts, each.numbers, strict=True)):
                first, end = self._bounds[number]
                pieces[:, n, first:end] += found.relevance[:, row, : end - first]
            for key, entry in found.ledger.items():
                total = ledger.setdefault(key, seed.new_zeros(seed.shape[:2]))
                total.index_add_(1, torch.tensor(each.texts), entry)
        words = seed.new_zeros(*seed.shape[:2], max((text.words for text in self._texts), default=0))
        for n, text in enumerate(self._texts):
            words[:, n, : text.words] = summed_by(
                torch.from_numpy(text.word_of), text.words, pieces[:, n, : len(text.ids)]
            )
        return Propagated(words, ledger, {PIECES: pieces})

    def _passes(self) -> Iterator[PassOfWindows]:
        for numbers, batch in self._batches.batches(self._module, self.sequences, TOGETHER):
            forward = gradient_pass(
                self._module,
                lambda batch=batch: self._output_of_batch(batch),  # type: ignore[misc]
                ids=batch.ids,
                pieces=batch.pieces,
                rules=self._rules,
                words=max(len(self.sequences[number]) for number in numbers),
            )
            yield PassOfWindows(forward, numbers, [self.text_of[number] for number in numbers])
