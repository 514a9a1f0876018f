"""A torch module of the user's own, with a tokenizer and a vocabulary, behind the Classifier protocol.

Letters: N documents, T tokens, L words the module reads, C classes, D dimensions.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textlrp.errors import ModelError, OptionError, TextlrpError
from textlrp.lrp.recorded.record import Recording, recording
from textlrp.lrp.recorded.swapped_vectors import evaluating, looked_up_vectors, squashes_in, swapped, swapped_scores
from textlrp.lrp.recorded.unseen import check_all_seen
from textlrp.lrp.trace import Trace
from textlrp.models.differentiable import InputPoint
from textlrp.models.options import TextInputs, is_whole
from textlrp.models.outputs import choose_output, named_outputs, outputs_with_shapes
from textlrp.models.text_options import TORCH_DTYPES
from textlrp.models.torch_module.refusals import (
    CUT_OFF,
    FORWARD_ERRORS,
    OFFSETS,
    check_finite_scores,
    check_module,
    on_one_line,
    unreadable,
)
from textlrp.models.torch_module.word_reader import WordLookup, WordReader
from textlrp.text.batches import Batch
from textlrp.text.tokens import make_tokenizer

MOST_PADDING = 64
"""Paddings of a short text that are tried, to tell which one the module reads."""

PROBES = (16, 64, 256, 1024)
"""Words of the made-up texts that tell how many classes a module has."""


class TorchTextModel:
    """A ``torch.nn.Module`` that reads token ids, with what turns a text into them; made by :func:`torch_model`."""

    together = 1

    def __init__(
        self,
        module: nn.Module,
        words: WordReader,
        *,
        classes: NDArray[Any] | None,
        lengths: bool | str | None,
        batch: bool,
        scores: str | int | None = None,
        min_length: int = 0,
    ) -> None:
        self.module = module
        self.words = words
        self.lengths = lengths
        self.batch = batch
        self.min_length = min_length
        self._output = None if scores is None else str(scores)  # the name of the class scores, once it is known
        self._output_given = scores is not None
        self._chosen = False
        self._classes = classes
        self._classes_given = classes is not None
        self._copies: dict[str, tuple[tuple[tuple[int, int], ...], nn.Module]] = {}
        self._end: Recording | None = None
        self._all_seen = False  # a text was recorded with every value that depends on the words in sight

    # ---- the Classifier protocol

    @property
    def classes_(self) -> NDArray[Any]:
        """(C,) labels; positions where none were given."""
        if self._classes is None:
            self._classes = np.arange(self._ends().trace.scores.shape[1])
        return self._classes

    @property
    def fingerprint_(self) -> str:
        """Twelve hexadecimal digits: a hash of the module's class, its weights and the classes."""
        digest = hashlib.sha256(f"{type(self.module).__module__}.{type(self.module).__qualname__}".encode())
        for name, value in self.module.state_dict().items():
            digest.update(name.encode())
            if isinstance(value, Tensor):
                digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
            else:  # what a module keeps beside its weights
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
        """The recorded tape of one text's forward pass."""
        (n,) = range(len(batch))
        module = self._in(dtype)
        ids, forward = self._call(module, batch, n)
        with self._explained(batch, n):
            self._choose_output(module, ids)
            if not self._all_seen:
                check_all_seen(module, ids, forward)
                self._all_seen = True
            found = recording(module, ids, forward)
        self._check_classes(found.trace.scores.shape[1], batch, n)
        check_finite_scores(found.trace.scores, batch)
        self._end = self._end or found
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
        """The vectors (L, D) of one text where its embeddings answer; those of several embeddings side by side."""
        module = self._in(dtype)
        ids, forward = self._call(module, batch, n)
        self._ends(batch, n)
        with self._explained(batch, n):
            tables = looked_up_vectors(module, ids, forward)
            skip = self._skipped(module, ids, forward)
        sizes = [table.shape[1] for table in tables]

        def scores(alternatives: Tensor) -> Tensor:
            rows = [swapped_scores(module, ids, forward, _instead(each, sizes), skip) for each in alternatives]
            return torch.cat(rows)

        return InputPoint(torch.cat(tables, dim=1), scores)

    # ---- calling

    def _in(self, dtype: str | None = None) -> nn.Module:
        """The module itself, or a copy of it in another dtype; in float32 where its own is half precision."""
        own = {p.dtype for p in self.module.parameters() if p.is_floating_point()}
        if dtype is None and own & {torch.float16, torch.bfloat16}:
            dtype = "float32"  # a stabiliser would be nothing
        locked = any(tensor.is_inference() for tensor in (*self.module.parameters(), *self.module.buffers()))
        if (dtype is None or own <= {TORCH_DTYPES[dtype]}) and not locked:
            return self.module
        dtype = dtype or next((name for name, each in TORCH_DTYPES.items() if each in own), "float32")
        state = tuple(
            (id(tensor), 0 if tensor.is_inference() else tensor._version)  # an inference tensor counts no versions
            for tensor in (*self.module.parameters(), *self.module.buffers())
        )
        if self._copies.get(dtype, ((), None))[0] != state:  # the module may have been trained on
            try:
                with torch.inference_mode(False):  # a copy that gradients can be taken through
                    copied = copy.deepcopy(self.module).to(TORCH_DTYPES[dtype])
            except (RuntimeError, TypeError) as problem:
                raise ModelError(
                    f"the module cannot be copied ({on_one_line(problem)}); bring it to {dtype} yourself, without "
                    "dtype=."
                ) from problem
            self._copies[dtype] = state, copied
        return self._copies[dtype][1]

    def _call(self, module: nn.Module, batch: Batch, n: int) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """The ids (1, L) of a text and the call of the module with them."""
        length = int(batch.lengths[n])
        return torch.from_numpy(batch.text(n)[None].copy()), self._forward(module, length)

    def _forward(self, module: nn.Module, *lengths_of_texts: int) -> Callable[[Tensor], Any]:
        """The call of the module that gives its class scores."""
        whole = self._whole_forward(module, *lengths_of_texts)
        return lambda ids: self._scores_in(whole(ids))

    def _whole_forward(
        self, module: nn.Module, *lengths_of_texts: int, min_length: int | None = None
    ) -> Callable[[Tensor], Any]:
        """The call of the module with all its outputs; short texts are padded at the right."""
        least = self.min_length if min_length is None else min_length
        lengths = torch.tensor(lengths_of_texts)

        def forward(ids: Tensor) -> Any:
            if ids.shape[1] < least:
                ids = nn.functional.pad(ids, (0, least - ids.shape[1]), value=self.words.padding)
            if not self.lengths:
                return module(ids)
            return module(ids, lengths) if self.lengths is True else module(ids, **{self.lengths: lengths})

        return forward

    def _scores_in(self, result: Any) -> Any:
        """The class scores in what the module returned."""
        if self._output is None:
            return result
        outputs = named_outputs(result)
        if self._output in outputs:
            return outputs[self._output]
        shapes = [(name, tuple(tensor.shape)) for name, tensor in outputs.items()]
        raise OptionError(
            f"scores must be the name or position of one of the module's outputs; got {self._output!r}. The module "
            f"returns {outputs_with_shapes(shapes) or 'no numbers'}."
        )

    def _choose_output(self, module: nn.Module, ids: Tensor) -> None:
        """Find out which output holds the class scores, once: they do not change their size with the text."""
        if self._chosen:
            return
        shapes = self._shapes(module, ids)
        if len(shapes) and not self._output_given:
            longer = ids.repeat(1, 2 + self.min_length // max(1, ids.shape[1]))  # than what it is padded to, too
            try:
                more = self._shapes(module, longer)
            except FORWARD_ERRORS:  # it does not read a text of that length, which is no fault
                more = None
            self._output = choose_output(shapes, more, len(self._classes) if self._classes is not None else None)
        self._chosen = True

    def _shapes(self, module: nn.Module, ids: Tensor) -> list[tuple[str, tuple[int, ...]]]:
        with evaluating(module), torch.no_grad():
            outputs = named_outputs(self._whole_forward(module, ids.shape[1])(ids))
        return [(name, tuple(tensor.shape)) for name, tensor in outputs.items()]

    def _skipped(self, module: nn.Module, ids: Tensor, forward: Callable[[Tensor], Any]) -> int | None:
        """The ordinal of the softmax or sigmoid at the end, which is left out."""
        end = self._ends()
        if end.squash is None or end.squashes == 1:
            return end.squash and end.squash.ordinal
        return squashes_in(module, ids, forward) - end.squashes + end.squash.ordinal

    def _alone(self, batch: Batch, n: int, keep: NDArray[np.bool_] | None) -> Tensor:
        """(1, C) scores of one text."""
        self._ends(batch, n)
        module = self._in()
        ids, forward = self._call(module, batch, n)
        with self._explained(batch, n):
            scores = swapped_scores(module, ids, forward, _keeping(keep), self._skipped(module, ids, forward))
        self._check_classes(scores.shape[1], batch, n)
        return scores

    def _together(self, batch: Batch, keep: NDArray[np.bool_] | None) -> Tensor:
        """(N, C) scores of all texts by one call of the module on (N, L) ids."""
        self._ends(batch)
        module = self._in()
        ids = torch.from_numpy(batch.ids)
        forward = self._forward(module, *batch.lengths.tolist())
        change = _keeping(None if keep is None else keep.reshape(-1))
        with self._explained(batch, int(batch.lengths.argmin())):
            output = swapped(module, ids, forward, change, self._skipped(module, ids, forward))
        scores = output.reshape(len(batch), -1)
        return torch.cat([-scores, scores], dim=1) if scores.shape[1] == 1 else scores

    def _ends(self, batch: Batch | None = None, n: int = 0) -> Recording:
        """How the module ends: learned from the first text it reads, or from made-up ones."""
        if self._end is not None:
            return self._end
        module = self._in()
        if batch is not None:
            ids, forward = self._call(module, batch, n)
            with self._explained(batch, n):
                self._choose_output(module, ids)
                self._end = recording(module, ids, forward)
            self._check_classes(self._end.trace.scores.shape[1], batch, n)
            return self._end
        for length in PROBES:
            ids = torch.full((1, length), self.words.padding)
            try:
                self._choose_output(module, ids)
                self._end = recording(module, ids, self._forward(module, length))
                return self._end
            except TextlrpError:
                raise
            except FORWARD_ERRORS as problem:
                stopped = on_one_line(problem)
        raise OptionError(
            f"how many classes the module has cannot be found out by trying, for it stopped with {stopped}; call it "
            "as its forward wants (lengths=), or pass the labels of its scores, classes=."
        )

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
            f"classes= holds {len(self._classes)} labels, but the module gives {scores} scores (a single output "
            "counts as two classes); one label for each is wanted."
        )

    @contextmanager
    def _explained(self, batch: Batch, n: int) -> Iterator[None]:
        """What goes wrong inside the user's forward, in one sentence with the text it was about."""
        name, length = batch.readings[n].document_id, int(batch.lengths[n])
        try:
            yield
        except TextlrpError:
            raise
        except FORWARD_ERRORS as problem:
            if not length:
                raise unreadable(name) from problem
            if "nference tensor" in str(problem):  # of an inference_mode() inside of forward
                raise ModelError(CUT_OFF) from problem
            raise ModelError(
                f"the module stopped at text {name!r} of {length} word{'s' * (length != 1)}: {on_one_line(problem)}"
                f"{self._hint(batch, n, problem)}"
            ) from problem

    def _hint(self, batch: Batch, n: int, problem: Exception) -> str:
        """What to do, where that is known: padding for a short text, one bag for one text."""
        if "offsets" in str(problem):
            return OFFSETS
        module, length = self._in(), int(batch.lengths[n])
        ids = torch.from_numpy(batch.text(n)[None].copy())
        for longer in range(max(length, self.min_length) + 1, MOST_PADDING + 1):
            try:
                with evaluating(module), torch.no_grad():
                    self._whole_forward(module, length, min_length=longer)(ids)
            except FORWARD_ERRORS:
                continue
            return (
                f". It reads the text when that is padded: pass min_length={longer}, and padding= the id of padding "
                f"if it is not {self.words.padding}."
            )
        return ""


def _instead(own: Tensor, sizes: Sequence[int]) -> Callable[[int, Tensor, Tensor], Tensor]:
    """Other vectors (L, D) for the words of a text; D is that of all embeddings together, ``sizes`` of each."""
    tables = torch.split(own, list(sizes), dim=1)

    def change(number: int, vectors: Tensor, positions: Tensor) -> Tensor:
        return torch.where((positions >= 0)[..., None], tables[number][positions.clamp(min=0)], vectors)

    return change


def _keeping(keep: NDArray[np.bool_] | None) -> Callable[[int, Tensor, Tensor], Tensor]:
    def change(number: int, vectors: Tensor, positions: Tensor) -> Tensor:
        if keep is None or not keep.size:
            return vectors
        gone = torch.from_numpy(~keep)[positions.clamp(min=0)] & (positions >= 0)
        return vectors.masked_fill(gone[..., None], 0)

    return change


def torch_model(
    module: nn.Module,
    *,
    tokenizer: str | Callable[[str], Any],
    vocabulary: WordLookup,
    unknown: int | None = None,
    classes: Sequence[Any] | None = None,
    lengths: bool | str | None = None,
    batch: bool = False,
    padding: int = 0,
    scores: str | int | None = None,
    min_length: int = 0,
) -> TorchTextModel:
    """A torch module as a classifier that can be explained; the options are those of :func:`textlrp.explain`.

    Raises :class:`OptionError` on an option that is none.
    """
    check_module(module)
    listed = isinstance(vocabulary, (Sequence, np.ndarray))
    if listed or not (callable(vocabulary) or hasattr(vocabulary, "__getitem__")):
        hint = " Of a list of words: {word: id for id, word in enumerate(words)}." if listed else ""
        raise OptionError(
            f"vocabulary= came as a {type(vocabulary).__name__}; a mapping or a callable, word -> id, is wanted."
            f"{hint}"
        )
    for name, value in (("unknown", unknown), ("padding", padding)):
        if value is not None and not (is_whole(value) and value >= 0):
            raise OptionError(f"{name}={value!r} came; an id, a whole number >= 0, is wanted.")
    if lengths not in (None, False, True) and not isinstance(lengths, str):
        raise OptionError(f"lengths={lengths!r} came; True (the second argument) or the name of a keyword is wanted.")
    if not (scores is None or isinstance(scores, str) or is_whole(scores)) or scores is True:
        raise OptionError(f"scores must be the name or position of an output of the module; got {scores!r}.")
    if not (is_whole(min_length) and min_length >= 0):
        raise OptionError(f"min_length must be a whole number >= 0; got {min_length!r}.")
    labels = None
    if classes is not None:
        labels = np.array(list(classes))
        if labels.ndim != 1 or len(labels) < 2 or len(set(labels.tolist())) != len(labels):
            raise OptionError(f"classes={classes!r} came; a list of different labels, one for each score, is wanted.")
    return TorchTextModel(
        module,
        WordReader(make_tokenizer(tokenizer), vocabulary, unknown, padding),
        classes=labels,
        lengths=lengths,
        batch=batch,
        scores=scores,
        min_length=int(min_length),
    )
