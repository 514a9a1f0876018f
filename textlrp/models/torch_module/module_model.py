"""A user's PyTorch module as a classifier, with the tokenizer and vocabulary that convert a text to token ids.

Open it for how scores, traces and gradients are taken from a module; :func:`textlrp.wrap` makes these models.

Letters: N documents, L words the module reads, C classes, D dimensions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.errors import ModelError, OptionError, TextlrpError
from textlrp.lrp.recorded.record import Recording, recording
from textlrp.lrp.recorded.replaced_vectors import (
    VectorChange,
    class_scores,
    looked_up_vectors,
    output_with_vectors,
    replacing,
    scores_with_vectors,
    squashes_in,
)
from textlrp.lrp.recorded.trace_builder import Squash
from textlrp.lrp.recorded.untracked import check_all_tracked
from textlrp.lrp.trace import Trace
from textlrp.models.differentiable import InputPoint
from textlrp.models.options import TextInputs
from textlrp.models.torch_module.module_calls import Forward, ModuleCalls
from textlrp.models.torch_module.module_copies import ModuleCopies
from textlrp.models.torch_module.module_digest import digest_of
from textlrp.models.torch_module.refusals import FORWARD_ERRORS, check_finite_scores, on_one_line
from textlrp.models.torch_module.word_reader import WordReader
from textlrp.text.batches import Batch

PROBES = (16, 64, 256, 1024)
"""Lengths of the padding-only texts that are tried, to find how many classes a module has."""


class ModuleEnd(NamedTuple):
    """How a module ends: the number of its scores, and the final softmax or sigmoid, which textlrp removes.

    The other fields are those of :class:`Recording`.
    """

    scores: int
    squash: Squash | None
    single: bool
    squashes: int


class TorchTextModel:
    """A ``torch.nn.Module`` that reads token ids, as a classifier of texts; made by :func:`textlrp.wrap`."""

    max_texts_per_trace = 1

    def __init__(
        self, module: nn.Module, words: WordReader, calls: ModuleCalls, *, classes: NDArray[Any] | None, batch: bool
    ) -> None:
        self.module = module
        self.words = words
        self.batch = batch
        self._calls = calls
        self._copies = ModuleCopies(module)
        self._classes = classes
        self._classes_given = classes is not None
        self._end: ModuleEnd | None = None
        self._all_seen = False  # one text was recorded, and the trace has every value that depends on its words

    # ---- the Classifier protocol

    @property
    def classes_(self) -> NDArray[Any]:
        """(C,) labels; the positions 0 to C - 1 if none were given."""
        if self._classes is None:
            self._classes = np.arange((self._end or self._probed_end()).scores)
        return self._classes

    @property
    def fingerprint_(self) -> str:
        """Twelve hexadecimal digits: a hash of the module's class, its weights and the classes."""
        digest = digest_of(self.module)
        digest.update(repr(self.classes_.tolist()).encode())
        return digest.hexdigest()[:12]

    def encode(self, texts: TextInputs) -> Batch:
        """Convert texts to the ids (N, L) that the module reads, padded at the right with ``padding``."""
        return self.words.encode(texts)

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return pre-softmax scores (N, C). A word with ``keep`` (N, L) False is a zero vector at its position."""
        with torch.no_grad():
            if self.batch and len(batch):
                scores = self._scores_of_batch(batch, keep)
            else:
                rows = range(len(batch))
                scores = torch.cat([self._scores_of_one(batch, n, None if keep is None else keep[n]) for n in rows])
        check_finite_scores(scores, batch)
        return scores.numpy()

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Record the trace of one text's forward pass. Raises :class:`ModelError` for an operation without a rule."""
        (n,) = range(len(batch))
        module = self._copies.in_dtype(dtype)
        ids, forward = self._calls.one_text(module, batch, n)
        with self._calls.explained_errors(module, batch, n):
            self._calls.choose_output(module, ids, self._number_of_classes())
            if not self._all_seen:
                check_all_tracked(module, ids, forward)
                self._all_seen = True
            found = recording(module, ids, forward)
        self._check_classes(found.trace.scores.shape[1], batch, n)
        check_finite_scores(found.trace.scores, batch)
        self._end = self._end or _end_of(found)
        return found.trace

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return class probabilities (N, C) if the module itself ends in a softmax or sigmoid, else None."""
        if self._end is None or self._end.squash is None:
            return None
        values = torch.from_numpy(scores)
        if self._end.squash.operation in ("softmax", "log_softmax"):
            return torch.softmax(values, dim=1).numpy()
        return torch.sigmoid(values).numpy() if self._end.single else None

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return the vectors (L, D) of one text's words; the vectors of several embeddings are concatenated."""
        module = self._copies.in_dtype(dtype)
        ids, forward = self._calls.one_text(module, batch, n)
        end = self._end_at(batch, n)
        with self._calls.explained_errors(module, batch, n):
            tables = looked_up_vectors(module, ids, forward)
            skip = _squash_to_skip(end, module, ids, forward)
        sizes = [table.shape[1] for table in tables]

        def scores(alternatives: Tensor) -> Tensor:
            rows = [scores_with_vectors(module, ids, forward, replacing(each, sizes), skip) for each in alternatives]
            return torch.cat(rows)

        return InputPoint(torch.cat(tables, dim=1), scores)

    # ---- calling

    def _scores_of_one(self, batch: Batch, n: int, keep: NDArray[np.bool_] | None) -> Tensor:
        """(1, C) scores of one text."""
        end = self._end_at(batch, n)
        module = self._copies.in_dtype()
        ids, forward = self._calls.one_text(module, batch, n)
        with self._calls.explained_errors(module, batch, n):
            scores = scores_with_vectors(
                module, ids, forward, _keeping(keep), _squash_to_skip(end, module, ids, forward)
            )
        self._check_classes(scores.shape[1], batch, n)
        return scores

    def _scores_of_batch(self, batch: Batch, keep: NDArray[np.bool_] | None) -> Tensor:
        """(N, C) scores of all texts, by one call of the module with ids (N, L)."""
        end = self._end_at(batch, 0)
        module = self._copies.in_dtype()
        ids = torch.from_numpy(batch.ids)
        forward = self._calls.forward(module, *batch.lengths.tolist())
        change = _keeping(None if keep is None else keep.reshape(-1))
        # an error of a batch is most often caused by its shortest text
        with self._calls.explained_errors(module, batch, int(batch.lengths.argmin())):
            output = output_with_vectors(module, ids, forward, change, _squash_to_skip(end, module, ids, forward))
        return class_scores(output, len(batch))

    def _end_at(self, batch: Batch, n: int) -> ModuleEnd:
        """How the module ends, found with the first text that it gets."""
        if self._end is None:
            module = self._copies.in_dtype()
            ids, forward = self._calls.one_text(module, batch, n)
            with self._calls.explained_errors(module, batch, n):
                self._calls.choose_output(module, ids, self._number_of_classes())
                self._end = _end_of(recording(module, ids, forward))
            self._check_classes(self._end.scores, batch, n)
        return self._end

    def trace_of_padding(self) -> Trace:
        """The trace of a text of padding only, for properties of the module that are the same for every text."""
        return self._probe().trace

    def _probed_end(self) -> ModuleEnd:
        """How the module ends, found with a text of padding only."""
        self._end = _end_of(self._probe())
        return self._end

    def _probe(self) -> Recording:
        module = self._copies.in_dtype()
        for length in PROBES:
            ids = torch.full((1, length), self.words.padding)
            try:
                self._calls.choose_output(module, ids, None)
                return recording(module, ids, self._calls.forward(module, length))
            except TextlrpError:
                raise
            except FORWARD_ERRORS as problem:
                raised = on_one_line(problem)
        raise OptionError(
            f"classes must be the labels of the module's scores; got None, and a trial call raised {raised}. Pass "
            "classes=, or lengths= if forward takes the lengths of the texts."
        )

    def _number_of_classes(self) -> int | None:
        return None if self._classes is None else len(self._classes)

    def _check_classes(self, scores: int, batch: Batch, n: int) -> None:
        if self._classes is None or len(self._classes) == scores:
            return
        if not self._classes_given:
            raise ModelError(
                f"module must return one score for each class, whatever the text; got {scores} scores for text "
                f"{batch.readings[n].document_id!r} and {len(self._classes)} for another one. If it has several "
                "outputs, pass scores= to name the one with the class scores."
            )
        raise OptionError(
            f"classes must have one label for each score; got {len(self._classes)} labels, and the module returns "
            f"{scores} scores (a single output counts as two classes). Pass classes= with {scores} labels."
        )


def _end_of(found: Recording) -> ModuleEnd:
    return ModuleEnd(found.trace.scores.shape[1], found.squash, found.single, found.squashes)


def _squash_to_skip(end: ModuleEnd, module: nn.Module, ids: Tensor, forward: Forward) -> int | None:
    """The ordinal of the final softmax or sigmoid, which is left out to get pre-softmax scores."""
    if end.squash is None or end.squashes == 1:
        return end.squash and end.squash.ordinal
    return squashes_in(module, ids, forward) - end.squashes + end.squash.ordinal


def _keeping(keep: NDArray[np.bool_] | None) -> VectorChange:
    """Set the vectors of words with ``keep`` (L,) False to zero."""

    def change(number: int, vectors: Tensor, positions: Tensor) -> Tensor:
        if keep is None or not keep.size:
            return vectors
        dropped = torch.from_numpy(~keep)[positions.clamp(min=0)] & (positions >= 0)
        return vectors.masked_fill(dropped[..., None], 0)

    return change
