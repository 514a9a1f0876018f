"""Put sequences of different lengths into batches, with padding only where it does not change the scores of a module.

Letters: M sequences, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from textlrp.lrp.recorded.replaced_vectors import class_scores
from textlrp.models.torch_module.refusals import FORWARD_ERRORS
from textlrp.models.transformers.fast_tokenizer import FastTokenizer
from textlrp.models.transformers.sequence_calls import Padded, PieceIds, padded

Side = Literal["right", "left", "none"]
"""Where padding is put; "none": the module reads one sequence at a time."""


class SequenceBatches:
    """Batches of sequences for one module.

    Where padding can be put depends on the module: some read it in spite of the attention mask, some look for the
    last token of a text, and some refuse more than one text. With the first batch, each side is tried, beginning with
    that of the tokenizer, until a padded text has the scores that it has alone.
    """

    def __init__(self, tokenizer: FastTokenizer) -> None:
        self.tokenizer = tokenizer
        self._side: Side | None = None

    def scores(self, module: nn.Module, sequences: Sequence[PieceIds], together: int) -> Tensor:
        """Return the scores (M, C) of sequences; a single output f counts as two classes with the scores (-f, f).

        Sequences of similar length are read together, at most ``together`` ids with padding at a time.
        """
        found: dict[int, Tensor] = {}
        for rows, batch in self.batches(module, sequences, together):
            found.update(zip(rows, batch.scores(module), strict=True))
        return class_scores(torch.stack([found[row] for row in range(len(sequences))]), len(sequences))

    def batches(
        self, module: nn.Module, sequences: Sequence[PieceIds], together: int
    ) -> Iterator[tuple[list[int], Padded]]:
        """Yield batches of sequences, the longest first, with the rows in ``sequences`` that are in each."""
        lengths = [len(each) + self.tokenizer.special_tokens.size for each in sequences]
        side = self._side_for(module, sequences)
        order = np.argsort(lengths, kind="stable").tolist()
        while order:
            count = 1 if side == "none" else max(1, together // max(1, lengths[order[-1]]))
            rows, order = order[-count:], order[:-count]
            yield rows, self._padded([sequences[row] for row in rows], side)

    def _padded(self, sequences: Sequence[PieceIds], side: Side) -> Padded:
        return padded(sequences, self.tokenizer, left=side == "left")

    def _side_for(self, module: nn.Module, sequences: Sequence[PieceIds]) -> Side:
        longest = max(sequences, key=len, default=np.zeros(0, np.int64))
        if self._side is None and len(sequences) > 1 and len(longest) > 1:
            self._side = self._tried(module, [longest[:1], longest])
        return self._side or "none"

    def _tried(self, module: nn.Module, pair: Sequence[PieceIds]) -> Side:
        """The first side on which padding does not change the scores of the first of two sequences."""
        with torch.no_grad():
            alone = self._padded(pair[:1], "none").scores(module)
            tolerance = torch.finfo(alone.dtype).eps ** 0.5 * max(1.0, float(alone.abs().max()))
            for side in self._sides():
                try:
                    together = self._padded(pair, side).scores(module)
                except FORWARD_ERRORS:  # some models refuse several texts if they have no padding
                    return "none"
                if float((together[:1] - alone).abs().max()) <= tolerance:
                    return side
        return "none"

    def _sides(self) -> tuple[Side, Side]:
        return ("left", "right") if self.tokenizer.left else ("right", "left")
