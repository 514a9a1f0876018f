"""A sentence encoder with a linear classifier on top, as a model that ``textlrp.explain`` gets.

It reads texts and propagates relevance as every transformer does. What differs: the windows of a long text are pooled
together before the last layers, so a text has one embedding and one score for each class.

Letters: N texts, L words read, P pieces, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.recorded.record import recording
from textlrp.lrp.trace import Trace
from textlrp.models.encoders.embedding import embed_group
from textlrp.models.encoders.linear_heads import EncoderHead
from textlrp.models.encoders.pooled_encoder import EncoderScores, linear_layer
from textlrp.models.encoders.sentence_encoder import SentenceEncoder
from textlrp.models.encoders.text_rows import Rows, rows_of_words
from textlrp.models.finite import check_scores
from textlrp.models.transformers.fast_tokenizer import fast_tokenizer
from textlrp.models.transformers.piece_batch import PieceBatch
from textlrp.models.transformers.piece_reader import PieceReader
from textlrp.models.transformers.transformer_model import TransformerModel
from textlrp.models.transformers.window_traces import trace_of_windows
from textlrp.text.batches import Batch

ROWS_TOGETHER = 32
"""Rows that the encoder reads together, unless another number is given."""


class EncoderModel(TransformerModel):
    """A sentence encoder and a linear head; made by :func:`encoder_model`."""

    def __init__(
        self, module: EncoderScores, reader: PieceReader, head: EncoderHead, *, batch_size: int = ROWS_TOGETHER
    ) -> None:
        super().__init__(module, reader, classes=head.classes)
        self._head = head
        self._batch_size = batch_size

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return pre-softmax scores (N, C). A word with ``keep`` (N, L) False is removed."""
        scores = self.scores_of_words(batch, batch.texts() if keep is None else batch.kept(keep))
        return check_scores(scores, self.classes_, lambda n: batch.readings[n].document_id)

    def scores_of_words(self, batch: Batch, texts: Sequence[NDArray[np.int64]]) -> NDArray[Any]:
        """Return the scores (N, C) of texts, given as ids of words of a batch; id 0 is a word that is left out."""
        module: Any = self._copies.in_dtype()
        if not len(texts):
            return np.zeros((0, len(self.classes_)), dtype=np.float32)
        rows = [self.rows_of(batch, words) for words in texts]
        vectors = embed_group(module.encoder, self.reader.tokenizer, rows, batch_size=self._batch_size)
        with torch.no_grad():
            scores: NDArray[Any] = module.output(torch.from_numpy(vectors)).numpy()
        return scores

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Record the trace of the forward pass of one text."""
        (words,) = batch.texts()
        assert isinstance(batch, PieceBatch)
        module: Any = self._copies.in_dtype(dtype)
        pieces, word_of = batch.pieces(words)
        ends = np.cumsum([len(row) for row in self.rows_of(batch, words)]).tolist()

        def forward(ids: Tensor) -> Tensor:
            rows = [self._framed(part) for part in torch.tensor_split(ids, ends[:-1], dim=1)]
            # one row at a time, because padding would be longer than most last rows
            parts = [module.encoder.pool(row, torch.ones_like(row))[0] for row in rows]
            sizes = [row.shape[1] for row in rows]
            weighted = [part * (size / sum(sizes)) for part, size in zip(parts, sizes, strict=True)]
            scores: Tensor = module.output(module.encoder.finish(sum(weighted[1:], weighted[0])))
            return scores

        recorded = recording(module, torch.from_numpy(pieces)[None], forward).trace
        return trace_of_windows([recorded], [(0, len(pieces))], word_of, len(words))

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class probabilities (N, C), or None if the head has none."""
        return None if self._head.probabilities is None else self._head.probabilities(scores)

    # ---- helpers

    def rows_of(self, batch: Batch, words: NDArray[np.int64]) -> Rows:
        """Return the rows of pieces that the encoder reads of a text, given the ids (L,) of its words."""
        assert isinstance(batch, PieceBatch)
        return rows_of_words(batch, words, self.reader.room)

    def _framed(self, pieces: Tensor) -> Tensor:
        """The ids (1, P) of a row of pieces with its special tokens."""
        frame = self.reader.tokenizer.frame
        before, after = (torch.tensor([part], dtype=torch.int64) for part in frame[:2])
        return torch.cat([before, pieces, after], dim=1)


def encoder_model(
    encoder: SentenceEncoder,
    head: EncoderHead,
    *,
    windows: bool = False,
    max_length: int | None = None,
    batch_size: int = ROWS_TOGETHER,
) -> EncoderModel:
    """Combine an encoder and a head to a model. ``windows`` and ``max_length`` are those of EncoderClassifier."""
    dtype = next(encoder.module.parameters()).dtype
    output = linear_layer(torch.as_tensor(head.weight).to(dtype), torch.as_tensor(head.bias).to(dtype))
    return EncoderModel(
        EncoderScores(encoder.module, output),
        piece_reader(encoder, windows=windows, max_length=max_length),
        head,
        batch_size=batch_size,
    )


def piece_reader(encoder: SentenceEncoder, *, windows: bool, max_length: int | None = None) -> PieceReader:
    """Return the reader of an encoder's texts, at most ``max_length`` pieces at once (None: those of the encoder)."""
    return PieceReader(
        fast_tokenizer(encoder.tokenizer), min(max_length or encoder.max_length, encoder.max_length), windows
    )
