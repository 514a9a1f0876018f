"""A transformer that classifies texts, with its tokenizer: the model that ``textlrp.explain`` gets.

Letters: N texts, L words read, P pieces, C classes, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.errors import ModelError
from textlrp.lrp.gradients.gradient_rules import GradientRules
from textlrp.lrp.recorded.record import recording
from textlrp.lrp.recorded.replaced_vectors import (
    class_scores,
    evaluating,
    looked_up_vectors,
    output_with_vectors,
    replacing,
)
from textlrp.lrp.recorded.untracked import check_observable
from textlrp.lrp.trace import Trace
from textlrp.models.abilities import BatchLimits, BatchPass
from textlrp.models.differentiable import InputPoint
from textlrp.models.options import TextInputs
from textlrp.models.torch_module.module_copies import ModuleCopies
from textlrp.models.torch_module.module_digest import digest_of
from textlrp.models.torch_module.refusals import errors_of_forward
from textlrp.models.transformers.piece_batch import PieceBatch, PieceReading
from textlrp.models.transformers.piece_reader import PieceReader
from textlrp.models.transformers.reading_notes import notes_of_reading
from textlrp.models.transformers.reading_windows import windows_of_words
from textlrp.models.transformers.sequence_batches import SequenceBatches
from textlrp.models.transformers.sequence_calls import OfPieces, scores_of_pieces
from textlrp.models.transformers.transformer_pass import TransformerPass
from textlrp.models.transformers.window_passes import PiecesOfText, pieces_of_text
from textlrp.models.transformers.window_traces import summed_by, trace_of_windows
from textlrp.text.batches import Batch

TransformerLink = Literal["softmax", "sigmoid", "none"]
"""How scores become probabilities: of one class among all, of each class on its own, or not at all."""

PIECES_TOGETHER = 1 << 13
"""Sequences are scored together as long as their ids, with padding, are at most this many."""

CALL_ADVICE = "Call the model with the tokens of the text to see where; pass its own tokenizer and leave out dtype=."


class TransformerModel:
    """A module from ``input_ids`` and ``attention_mask`` (N, P) to scores (N, C), as a classifier of texts.

    ``reader`` cuts texts into words and pieces. ``classes`` are the C labels. ``link`` is how scores become
    probabilities. A module with a single output f has the scores (-f, f). ``thresholds`` (C,) are those of a
    multi-label model: a label is predicted if its score is above.
    """

    max_texts_per_trace = 1
    batch_limits = BatchLimits(texts=16, words=768)
    default_rule = "cp-lrp"

    def __init__(
        self,
        module: nn.Module,
        reader: PieceReader,
        *,
        classes: NDArray[Any],
        link: TransformerLink = "softmax",
        thresholds: NDArray[Any] | None = None,
    ) -> None:
        self.module = module
        self.reader = reader
        self.link = link
        self.thresholds_ = thresholds
        self._classes = classes
        self._copies = ModuleCopies(module)
        self._observable = False  # whether all operations of the module were found to be observable
        self._needs_trace = False  # the fast engine does not know an operation of the module
        self._batches = SequenceBatches(reader.tokenizer)

    # ---- the Classifier protocol

    @property
    def classes_(self) -> NDArray[Any]:
        """(C,) labels."""
        return self._classes

    @property
    def fingerprint_(self) -> str:
        """Twelve hexadecimal digits: a hash of the weights, the classes and how texts are read."""
        digest = digest_of(self.module)
        reader = self.reader
        for part in (self.classes_.tolist(), reader.tokenizer.digest, reader.room, reader.windows, str(self.module)):
            digest.update(repr(part).encode())
        return digest.hexdigest()[:12]

    def encode(self, texts: TextInputs) -> PieceBatch:
        """Return the words (N, L) of texts, each a sequence of pieces."""
        return self.reader.encode(texts)

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return pre-softmax scores (N, C): means over windows, if a text is read in several.

        A word with ``keep`` (N, L) False is removed, and the words around it become neighbors.
        """
        texts = self._texts(batch, batch.texts() if keep is None else batch.kept(keep))
        sequences = [text.ids[first:end] for text in texts for first, end in text.windows]
        module = self._copies.in_dtype()
        with torch.no_grad(), evaluating(module), errors_of_forward(module, CALL_ADVICE):
            scores = self._batches.scores(module, sequences, PIECES_TOGETHER)
        counts = torch.tensor([len(text.windows) for text in texts])
        owners = torch.repeat_interleave(torch.arange(len(texts)), counts)
        total = scores.new_zeros(len(texts), scores.shape[1]).index_add_(0, owners, scores)
        return (total / counts[:, None]).numpy()

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Record the trace of the forward pass of one text."""
        (text,) = self._texts(batch, batch.texts())
        module = self._copies.in_dtype(dtype)
        self._check_observable(module, text)
        forward = self._of_window(module)
        with errors_of_forward(module, CALL_ADVICE):
            traces = [recording(module, ids, forward).trace for ids in _windows_of(text)]
        return trace_of_windows(traces, text.windows, text.word_of, text.words)

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class probabilities (N, C) of scores (N, C); None if there are none (regression)."""
        if self.link == "none":
            return None
        values = torch.from_numpy(scores)
        return (torch.softmax(values, dim=1) if self.link == "softmax" else torch.sigmoid(values)).numpy()

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return the vectors (P, D) of the pieces of one text as an input to gradient methods."""
        (text,) = self._texts(batch, [batch.text(n)])
        module = self._copies.in_dtype(dtype)
        windows, forward = _windows_of(text), self._of_window(module)
        of_windows = [looked_up_vectors(module, ids, forward) for ids in windows]
        sizes = [table.shape[1] for table in of_windows[0]]
        inputs = of_windows[0][0].new_zeros(len(text.ids), sum(sizes))
        for (first, end), tables in zip(text.windows, of_windows, strict=True):
            inputs[first:end] = torch.cat(tables, dim=1)

        def scores(alternatives: Tensor) -> Tensor:
            count = len(alternatives)
            outputs = [
                output_with_vectors(
                    module, ids.expand(count, -1), forward, replacing(alternatives[:, first:end], sizes), None
                )
                for ids, (first, end) in zip(windows, text.windows, strict=True)
            ]
            return self._scores_of_windows(module, outputs, text)

        padding = self.reader.tokenizer.padding
        nothing = None
        if padding is not None:
            nothing = torch.cat(looked_up_vectors(module, torch.tensor([[padding]]), forward), dim=1)[0]
        return InputPoint(inputs, scores, partial(summed_by, torch.from_numpy(text.word_of), text.words), nothing)

    # ---- optional abilities

    def gradient_pass(self, batch: Batch, rules: GradientRules, *, dtype: str | None = None) -> BatchPass | None:
        """Return a forward pass of the fast engine; None if the engine does not know an operation of the module."""
        if self._needs_trace:
            return None
        module, texts = self._copies.in_dtype(dtype), self._texts(batch, batch.texts())
        self._check_observable(module, *texts[:1])
        try:
            with errors_of_forward(module, CALL_ADVICE):
                return self._pass(module, texts, rules)
        except ModelError:  # the recorded trace covers more operations, and names those that it does not cover
            self._needs_trace = True
            return None

    def _pass(self, module: Any, texts: Sequence[PiecesOfText], rules: GradientRules) -> BatchPass:
        return TransformerPass(module, texts, self._batches, rules)

    def notes(self, batch: Batch, n: int) -> tuple[str, ...]:
        """Return sentences on how text ``n`` of a batch was read, for its explanation."""
        (text,) = self._texts(batch, [batch.text(n)])
        reading = batch.readings[n]
        assert isinstance(reading, PieceReading)
        return notes_of_reading(reading, self.reader, len(text.windows), self._copies.own_half())

    def _check_observable(self, module: nn.Module, *texts: PiecesOfText) -> None:
        """Raise :class:`ModelError` if an operation of the module cannot be observed; checked with one text."""
        for text in texts:
            if not self._observable and len(text.ids):
                check_observable(module, _windows_of(text)[0], self._of_window(module))
                self._observable = True

    def _of_window(self, module: nn.Module) -> OfPieces:
        """The function from the pieces (M, P) of windows to the output of the module for each."""
        return scores_of_pieces(module, self.reader.tokenizer)

    def _scores_of_windows(self, module: nn.Module, outputs: Sequence[Tensor], text: PiecesOfText) -> Tensor:
        """The scores (M, C) of a text from the outputs (M, ...) for each of its windows."""
        return class_scores(torch.stack(list(outputs)).mean(dim=0), len(outputs[0]))

    def _texts(self, batch: Batch, words: Sequence[NDArray[np.int64]]) -> list[PiecesOfText]:
        """The pieces and windows of texts, each given by the ids (L,) of its words in ``batch``."""
        assert isinstance(batch, PieceBatch)
        return [pieces_of_text(batch, each, self.reader.room, windows_of_words) for each in words]


def _windows_of(text: PiecesOfText) -> list[Tensor]:
    """The ids (1, P) of the pieces of each window."""
    return [torch.from_numpy(text.ids[first:end])[None] for first, end in text.windows]
