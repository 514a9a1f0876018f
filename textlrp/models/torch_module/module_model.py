"""A user's PyTorch module as a classifier, with the tokenizer and vocabulary that turn a text into its token ids.

Letters: N documents, L words the module reads, C classes, D dimensions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.errors import ModelError, OptionError, TextlrpError
from textlrp.lrp.recorded.record import Recording, recording
from textlrp.lrp.recorded.replaced_vectors import (
    VectorChange,
    looked_up_vectors,
    output_with_vectors,
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
from textlrp.models.torch_module.refusals import FORWARD_ERRORS, check_finite_scores, on_one_line
from textlrp.models.torch_module.word_reader import WordReader
from textlrp.text.batches import Batch

PROBES = (16, 64, 256, 1024)
"""Lengths of the texts of padding alone that are tried to find how many classes a module has."""


class ModuleEnd(NamedTuple):
    """How a module ends: with how many scores, and after which softmax or sigmoid, which is left out.

    The other fields are those of :class:`Recording`.
    """

    scores: int
    squash: Squash | None
    single: bool
    squashes: int


class TorchTextModel:
    """A ``torch.nn.Module`` that reads token ids, with what turns a text into them; made by :func:`textlrp.wrap`."""

    together = 1

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
        self._all_seen = False  # one text was recorded and no value that depends on its words was missed

    # ---- the Classifier protocol

    @property
    def classes_(self) -> NDArray[Any]:
        """(C,) labels; positions where none were given."""
        if self._classes is None:
            self._classes = np.arange((self._end or self._probed_end()).scores)
        return self._classes

    @property
    def fingerprint_(self) -> str:
        """Twelve hexadecimal digits: a hash of the module's class, its weights and the classes."""
        digest = hashlib.sha256(f"{type(self.module).__module__}.{type(self.module).__qualname__}".encode())
        for name, value in self.module.state_dict().items():
            digest.update(name.encode())
            if isinstance(value, Tensor):
                digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
            else:  # extra state of the module
                digest.update(repr(value).encode())
        digest.update(repr(self.classes_.tolist()).encode())
        return digest.hexdigest()[:12]

    def encode(self, texts: TextInputs) -> Batch:
        """The texts as the module reads them: ids (N, L), padded at the right with ``padding``."""
        return self.words.encode(texts)

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Pre-softmax scores (N, C); a word with ``keep`` (N, L) False is the zero vector, its position stays."""
        with torch.no_grad():
            if self.batch and len(batch):
                scores = self._together(batch, keep)
            else:
                rows = range(len(batch))
                scores = torch.cat([self._alone(batch, n, None if keep is None else keep[n]) for n in rows])
        check_finite_scores(scores, batch)
        return scores.numpy()

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """The recorded trace of one text's forward pass."""
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
        """Class probabilities (N, C) where the module itself ends in a softmax or sigmoid, else None."""
        if self._end is None or self._end.squash is None:
            return None
        values = torch.from_numpy(scores)
        if self._end.squash.operation in ("softmax", "log_softmax"):
            return torch.softmax(values, dim=1).numpy()
        return torch.sigmoid(values).numpy() if self._end.single else None

    def point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """The vectors (L, D) that the embeddings give for one text; those of several embeddings are concatenated."""
        module = self._copies.in_dtype(dtype)
        ids, forward = self._calls.one_text(module, batch, n)
        end = self._end_at(batch, n)
        with self._calls.explained_errors(module, batch, n):
            tables = looked_up_vectors(module, ids, forward)
            skip = _skipped(end, module, ids, forward)
        sizes = [table.shape[1] for table in tables]

        def scores(alternatives: Tensor) -> Tensor:
            rows = [scores_with_vectors(module, ids, forward, _instead(each, sizes), skip) for each in alternatives]
            return torch.cat(rows)

        return InputPoint(torch.cat(tables, dim=1), scores)

    # ---- calling

    def _alone(self, batch: Batch, n: int, keep: NDArray[np.bool_] | None) -> Tensor:
        """(1, C) scores of one text."""
        end = self._end_at(batch, n)
        module = self._copies.in_dtype()
        ids, forward = self._calls.one_text(module, batch, n)
        with self._calls.explained_errors(module, batch, n):
            scores = scores_with_vectors(module, ids, forward, _keeping(keep), _skipped(end, module, ids, forward))
        self._check_classes(scores.shape[1], batch, n)
        return scores

    def _together(self, batch: Batch, keep: NDArray[np.bool_] | None) -> Tensor:
        """(N, C) scores of all texts by one call of the module on (N, L) ids."""
        end = self._end_at(batch, 0)
        module = self._copies.in_dtype()
        ids = torch.from_numpy(batch.ids)
        forward = self._calls.forward(module, *batch.lengths.tolist())
        change = _keeping(None if keep is None else keep.reshape(-1))
        with self._calls.explained_errors(module, batch, int(batch.lengths.argmin())):
            output = output_with_vectors(module, ids, forward, change, _skipped(end, module, ids, forward))
        scores = output.reshape(len(batch), -1)
        return torch.cat([-scores, scores], dim=1) if scores.shape[1] == 1 else scores

    def _end_at(self, batch: Batch, n: int) -> ModuleEnd:
        """How the module ends, found on its first text."""
        if self._end is None:
            module = self._copies.in_dtype()
            ids, forward = self._calls.one_text(module, batch, n)
            with self._calls.explained_errors(module, batch, n):
                self._calls.choose_output(module, ids, self._number_of_classes())
                self._end = _end_of(recording(module, ids, forward))
            self._check_classes(self._end.scores, batch, n)
        return self._end

    def _probed_end(self) -> ModuleEnd:
        """How the module ends, found on texts of padding alone."""
        module = self._copies.in_dtype()
        for length in PROBES:
            ids = torch.full((1, length), self.words.padding)
            try:
                self._calls.choose_output(module, ids, None)
                self._end = _end_of(recording(module, ids, self._calls.forward(module, length)))
                return self._end
            except TextlrpError:
                raise
            except FORWARD_ERRORS as problem:
                stopped = on_one_line(problem)
        raise OptionError(
            f"classes must be the labels of the module's scores; got None, and a trial stopped with {stopped}. Pass "
            "classes=, or lengths= if forward takes the lengths of the texts."
        )

    def _number_of_classes(self) -> int | None:
        return None if self._classes is None else len(self._classes)

    def _check_classes(self, scores: int, batch: Batch, n: int) -> None:
        if self._classes is None or len(self._classes) == scores:
            return
        if not self._classes_given:
            raise ModelError(
                f"the module gives {scores} scores for text {batch.readings[n].document_id!r} and "
                f"{len(self._classes)} for another one; it must give one score for each class, whatever the text. If "
                "it has several outputs, pass scores= to name the right one."
            )
        raise OptionError(
            f"classes must have one label for each score; got {len(self._classes)} labels, and the module gives "
            f"{scores} scores (a single output counts as two classes)."
        )


def _end_of(found: Recording) -> ModuleEnd:
    return ModuleEnd(found.trace.scores.shape[1], found.squash, found.single, found.squashes)


def _skipped(end: ModuleEnd, module: nn.Module, ids: Tensor, forward: Forward) -> int | None:
    """The ordinal of the softmax or sigmoid at the end, which is left out."""
    if end.squash is None or end.squashes == 1:
        return end.squash and end.squash.ordinal
    return squashes_in(module, ids, forward) - end.squashes + end.squash.ordinal


def _instead(own: Tensor, sizes: Sequence[int]) -> VectorChange:
    """Other vectors (L, D) for the words of a text; D is that of all embeddings together, ``sizes`` of each."""
    tables = torch.split(own, list(sizes), dim=1)

    def change(number: int, vectors: Tensor, positions: Tensor) -> Tensor:
        return torch.where((positions >= 0)[..., None], tables[number][positions.clamp(min=0)], vectors)

    return change


def _keeping(keep: NDArray[np.bool_] | None) -> VectorChange:
    """The zero vector for words with ``keep`` (L,) False."""

    def change(number: int, vectors: Tensor, positions: Tensor) -> Tensor:
        if keep is None or not keep.size:
            return vectors
        gone = torch.from_numpy(~keep)[positions.clamp(min=0)] & (positions >= 0)
        return vectors.masked_fill(gone[..., None], 0)

    return change
