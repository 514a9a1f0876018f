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

from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.recorded.record import recording
from textlrp.lrp.trace import Trace
from textlrp.models.encoders.embedding import embed_group, window_shares
from textlrp.models.encoders.encoder_pass import EncoderPass
from textlrp.models.encoders.linear_heads import EncoderHead
from textlrp.models.encoders.loaded_encoder import module_digest
from textlrp.models.encoders.pooled_encoder import EncoderScores, linear_layer
from textlrp.models.encoders.sentence_encoder import SentenceEncoder
from textlrp.models.encoders.side_windows import windows_side_by_side
from textlrp.models.finite import check_scores
from textlrp.models.torch_module.module_digest import digest_of
from textlrp.models.transformers.fast_tokenizer import fast_tokenizer
from textlrp.models.transformers.piece_batch import PieceBatch, PieceReading
from textlrp.models.transformers.piece_reader import PieceReader
from textlrp.models.transformers.reading_notes import notes_of_reading
from textlrp.models.transformers.sequence_batches import SequenceBatches
from textlrp.models.transformers.sequence_calls import OfPieces, of_pieces
from textlrp.models.transformers.transformer_model import TransformerModel
from textlrp.models.transformers.window_passes import PiecesOfText, pieces_of_text
from textlrp.models.transformers.window_traces import trace_of_windows
from textlrp.text.batches import Batch

TEXTS_EMBEDDED_TOGETHER = 32
"""Texts of the greatest length that the encoder reads together, unless another number is given."""


class EncoderModel(TransformerModel):
    """A sentence encoder and a linear head; made by :func:`encoder_model`.

    ``together`` is the number of ids that the encoder reads together to compute scores.
    """

    def __init__(self, module: EncoderScores, reader: PieceReader, head: EncoderHead, *, together: int) -> None:
        super().__init__(module, reader, classes=head.classes)
        self._head = head
        self.together = together

    @property
    def fingerprint_(self) -> str:
        """Twelve hexadecimal digits: a hash of the encoder, the head, the classes and how texts are read."""
        module: Any = self.module
        digest = digest_of(module.output)
        reader = self.reader
        read = (self.classes_.tolist(), reader.tokenizer.digest, reader.room, reader.windows)
        digest.update(f"{module_digest(module.encoder)}{read!r}".encode())
        return digest.hexdigest()[:12]

    @property
    def batches(self) -> SequenceBatches:
        """The batches of windows, padded where the encoder allows it."""
        return self._batches

    @property
    def special(self) -> int:
        """The number of special tokens of a window."""
        return self.reader.tokenizer.special_tokens.size

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return pre-softmax scores (N, C). A word with ``keep`` (N, L) False is removed."""
        scores = self.scores_of_words(batch, batch.texts() if keep is None else batch.kept(keep))
        return check_scores(scores, self.classes_, lambda n: batch.readings[n].document_id)

    def scores_of_words(self, batch: Batch, texts: Sequence[NDArray[np.int64]]) -> NDArray[Any]:
        """Return the scores (N, C) of texts, given as ids of words of a batch; id 0 is a word that is left out."""
        module: Any = self._copies.in_dtype()
        if not len(texts):
            return np.zeros((0, len(self.classes_)), dtype=np.float32)
        windows = self.windows_of(batch, texts)
        vectors = embed_group(module.encoder, self._batches, windows, special=self.special, together=self.together)
        with torch.no_grad():
            scores: NDArray[Any] = module.output(vectors).numpy()
        return scores

    def windows_of(self, batch: Batch, texts: Sequence[NDArray[np.int64]]) -> list[list[NDArray[np.int64]]]:
        """Return the pieces of each window of texts, given as ids of words of a batch."""
        return [[text.ids[first:end] for first, end in text.windows] for text in self._texts(batch, texts)]

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Record the trace of the forward pass of one text."""
        (text,) = self._texts(batch, batch.texts())
        module: Any = self._copies.in_dtype(dtype)
        self._check_observable(module, text)
        pool = self._of_window(module)
        ends = [end for _, end in text.windows[:-1]]

        def forward(ids: Tensor) -> Tensor:
            # one window at a time: windows of unequal length would need padding
            outputs = [pool(part) for part in torch.tensor_split(ids, ends, dim=1)]
            return self._scores_of_windows(module, outputs, text)

        recorded = recording(module, torch.from_numpy(text.ids)[None], forward).trace
        return trace_of_windows([recorded], [(0, len(text.ids))], text.word_of, text.words)

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class probabilities (N, C), or None if the head has none."""
        return None if self._head.probabilities is None else self._head.probabilities(scores)

    # ---- optional abilities

    def _pass(self, module: Any, texts: Sequence[PiecesOfText], rules: GradientRules) -> EncoderPass:
        return EncoderPass(module, texts, self._batches, self.special, rules)

    def notes(self, batch: Batch, n: int) -> tuple[str, ...]:
        """Return sentences on how text ``n`` of a batch was read, for its explanation."""
        (text,) = self._texts(batch, [batch.text(n)])
        reading = batch.readings[n]
        assert isinstance(reading, PieceReading)
        notes = notes_of_reading(reading, self.reader, 1, self._copies.own_half())
        if len(text.windows) == 1:
            return notes
        side_by_side = (
            f"The text was read in {len(text.windows)} windows side by side, each of at most {self.reader.room} "
            "pieces. Its embedding is the mean over all windows."
        )
        return (side_by_side, *notes)

    # ---- helpers

    def _of_window(self, module: Any) -> OfPieces:
        return of_pieces(module.encoder.pool, self.reader.tokenizer)

    def _scores_of_windows(self, module: Any, outputs: Sequence[Tensor], text: PiecesOfText) -> Tensor:
        pooled = [output * share for output, share in zip(outputs, self._shares(text), strict=True)]
        scores: Tensor = module.output(module.encoder.finish(sum(pooled[1:], pooled[0])))
        return scores

    def _texts(self, batch: Batch, words: Sequence[NDArray[np.int64]]) -> list[PiecesOfText]:
        """The pieces and windows of texts, each given by the ids (L,) of its words in ``batch``."""
        assert isinstance(batch, PieceBatch)
        return [pieces_of_text(batch, each, self.reader.room, windows_side_by_side) for each in words]

    def _shares(self, text: PiecesOfText) -> list[float]:
        """The share of each window in the embedding of a text."""
        return window_shares([[end - first for first, end in text.windows]], self.special).tolist()


def encoder_model(
    encoder: SentenceEncoder,
    head: EncoderHead,
    *,
    windows: bool = False,
    max_length: int | None = None,
    texts_together: int = TEXTS_EMBEDDED_TOGETHER,
) -> EncoderModel:
    """Combine an encoder and a head to a model. ``windows`` and ``max_length`` are those of EncoderClassifier."""
    dtype = next(encoder.module.parameters()).dtype
    length = min(max_length or encoder.max_length, encoder.max_length)
    return EncoderModel(
        EncoderScores(
            encoder.module, linear_layer(torch.as_tensor(head.weight).to(dtype), torch.as_tensor(head.bias).to(dtype))
        ),
        PieceReader(fast_tokenizer(encoder.tokenizer), length, windows),
        head,
        together=texts_together * length,
    )
