"""A user's function from texts to scores, as a model that textlrp can explain by leaving words out.

The function sees texts only: a word is left out by cutting it out of the text, or by replacing it with a mask.
:func:`textlrp.wrap` makes these models.

Letters: N texts, L words of one text, S alternatives of one text (some words left out), C classes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from torch import nn

from textlrp.errors import ModelError, TextlrpError
from textlrp.lrp.trace import Trace
from textlrp.models.classifier import Classifier
from textlrp.models.differentiable import InputPoint
from textlrp.models.function_results import ScoreKind, score_table
from textlrp.models.options import TextInputs, check_texts
from textlrp.models.torch_module.refusals import on_one_line
from textlrp.models.torch_module.word_reader import WordReader
from textlrp.records import Document, no_ranges
from textlrp.text.batches import Batch
from textlrp.text.cut_words import CutText, cut_text
from textlrp.text.tokens import Tokenizer
from textlrp.text.user_tokenizers import callable_path

TextFunction = Callable[[list[str]], Any]
"""A list of N texts -> scores (N, C), as an array, a tensor, a table or a list of rows."""

REMOVE = "remove"
"""The value of ``masked`` that cuts words out of the text."""

TRIAL_TEXT = "This is a trial text."
"""The scores of this text are part of a function's fingerprint."""

OTHER_TRIAL_TEXT = "Here is another one."
SAME_SCORES = 1e-3
"""Largest difference between the scores of a text in two lists, relative to the largest score: that of rounding."""


@dataclass(frozen=True, eq=False)
class FunctionBatch(Batch):
    """Encoded texts, cut into ``pieces`` (N,): their words and what is between them. The ``words`` are all 1.

    ``known_scores`` maps complete texts to their scores (C,), so that the function is called once for each of them.
    """

    pieces: tuple[CutText, ...]
    known_scores: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def select(self, rows: Sequence[int]) -> FunctionBatch:
        """Return some of the texts, in the order of ``rows``."""
        return replace(super().select(rows), pieces=tuple(self.pieces[row] for row in rows))


@dataclass(eq=False)
class FunctionModel:
    """A function of texts as a ``Classifier``; made by :func:`textlrp.wrap`, which describes the fields.

    ``score_name`` is what pages call the scores.
    """

    max_texts_per_trace = 64

    function: TextFunction
    classes_: NDArray[Any]
    tokenizer: Tokenizer
    masked: str
    score_name: ScoreKind
    batch_size: int

    def __repr__(self) -> str:
        return f"FunctionModel({callable_path(self.function)}, {len(self.classes_)} classes)"

    @cached_property
    def fingerprint_(self) -> str:
        """Hash of the name of the function, its options, and its scores of :data:`TRIAL_TEXT`, computed once.

        The code of the function and what it depends on are not part of it.
        """
        scores = self._called([TRIAL_TEXT], [TRIAL_TEXT]).ravel()
        if self.batch_size > 1:
            self._warn_if_lists_matter(scores)
        options = (self.classes_.tolist(), self.tokenizer.name, self.masked, self.score_name)
        parts = [callable_path(self.function), repr(options), *(f"{score:.6g}" for score in scores)]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def _warn_if_lists_matter(self, alone: NDArray[np.float64]) -> None:
        """Warn if the trial text has other scores than ``alone`` (C,) in a list with a second text."""
        texts = [TRIAL_TEXT, OTHER_TRIAL_TEXT]
        together = self._called(texts, texts)[0]
        if np.abs(together - alone).max() > SAME_SCORES * np.abs([together, alone]).max():
            warnings.warn(
                f"the function returned the scores {_shown(alone)} for the text {TRIAL_TEXT!r} alone, and "
                f"{_shown(together)} in a list with another text. Explanations compare scores of different lists, so "
                "scores must not depend on the other texts or on chance. Pass batch_size=1 to textlrp.wrap if they "
                "depend on the other texts.",
                UserWarning,
                stacklevel=2,
            )

    def encode(self, texts: TextInputs) -> FunctionBatch:
        """Convert texts to tokens. The function reads all of them, except for the skipped ranges of a Document."""
        documents = check_texts(texts)
        read = WordReader(self.tokenizer, _word_id, None, 0).encode(documents)
        pieces = []
        for document, reading in zip(documents, read.readings, strict=True):
            skip = document.skip if isinstance(document, Document) else no_ranges()
            pieces.append(cut_text(reading.tokens.text, reading.tokens.spans[reading.positions], skip))
        return FunctionBatch(read.readings, read.words, read.starts, read.status, read.counts, tuple(pieces))

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Return the function's scores (N, C). Words with ``keep`` (N, L) False are left out of the texts.

        The function is called once for each distinct text, with at most ``batch_size`` texts at a time.
        """
        batch = _checked(batch)
        if keep is not None:
            kept = [keep[n, : int(length)] for n, length in enumerate(batch.lengths)]
            return self._scores_without(batch, range(len(batch)), kept, removed=False)
        texts = [pieces.text() for pieces in batch.pieces]
        scores = self._scores_of(batch, texts, range(len(batch)))
        batch.known_scores.update(zip(texts, scores, strict=True))
        return scores

    def scores_when_masked(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the scores (S, C) of S alternatives of text ``n`` without the words with ``keep`` (S, L) False."""
        return self._scores_without(_checked(batch), [n] * len(keep), list(keep), removed=False)

    def scores_when_removed(self, batch: Batch, n: int, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        """As :meth:`scores_when_masked`, but words are cut out, whatever ``masked`` is."""
        return self._scores_without(_checked(batch), [n] * len(keep), list(keep), removed=True)

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class probabilities (N, C) of scores (N, C); None if they are not probabilities."""
        if self.score_name == "score":
            return None
        return scores if self.score_name == "probability" else np.exp(scores)

    def notes(self, batch: Batch, n: int) -> tuple[str, ...]:
        """Return a sentence on how words are left out of text ``n``, unless they are cut out."""
        return () if self.masked == REMOVE else (f"Words that are left out are replaced by {self.masked!r}.",)

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Raise :class:`ModelError`: a function has no layers that relevance could be propagated through."""
        _refuse("'lrp'")

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Raise :class:`ModelError`: a function has no gradient."""
        _refuse("a gradient method")

    # ---- calling the function

    def _scores_without(
        self, batch: FunctionBatch, rows: Sequence[int], kept: Sequence[NDArray[np.bool_]], *, removed: bool
    ) -> NDArray[np.float64]:
        """The scores (S, C) of alternatives: text ``rows[s]`` of the batch with only the words ``kept[s]`` (L,)."""
        cut = removed or self.masked == REMOVE
        texts = [
            batch.pieces[n].without(keep) if cut else batch.pieces[n].masked(keep, self.masked)
            for n, keep in zip(rows, kept, strict=True)
        ]
        return self._scores_of(batch, texts, rows)

    def _scores_of(self, batch: FunctionBatch, texts: Sequence[str], rows: Sequence[int]) -> NDArray[np.float64]:
        """The scores (S, C) of texts that were made from the texts ``rows`` (S,) of the batch."""
        new = {text: n for text, n in zip(texts, rows, strict=True) if text not in batch.known_scores}
        scores = self._called(list(new), [batch.readings[n].document_id for n in new.values()])
        found = batch.known_scores | dict(zip(new, scores, strict=True))
        return np.array([found[text] for text in texts], dtype=np.float64).reshape(-1, len(self.classes_))

    def _called(self, texts: Sequence[str], names: Sequence[str]) -> NDArray[np.float64]:
        """The scores (N, C) of distinct texts, which have these ``names`` in messages."""
        scores = [np.zeros((0, len(self.classes_)))]
        for begin in range(0, len(texts), self.batch_size):
            some = slice(begin, begin + self.batch_size)
            try:
                returned = self.function(list(texts[some]))
            except TextlrpError:
                raise
            except Exception as problem:  # a user's function may raise anything
                raise ModelError(_failure_of_function(problem, texts[some], names[some])) from problem
            scores.append(score_table(returned, names[some], self.classes_, self.score_name))
        return np.concatenate(scores)


def is_text_function(model: object) -> bool:
    """Whether a model is a plain callable: no class, no module, no model of textlrp, and no estimator."""
    return callable(model) and not (isinstance(model, (type, nn.Module, Classifier)) or hasattr(model, "predict"))


def method_refusal(got: str) -> str:
    """Return the sentence that refuses a method on a function, and offers those that work."""
    return (
        "method must be 'occlusion', 'lime', 'shap' or 'kernel-shap' for a function, because LRP and gradient "
        f"methods need the layers of a model; got {got}. Pass method='occlusion', for example."
    )


def _refuse(method: str) -> NoReturn:
    raise ModelError(method_refusal(method))


def _failure_of_function(problem: Exception, texts: Sequence[str], names: Sequence[str]) -> str:
    which = f"text {names[0]!r}" if names[0] == names[-1] else f"texts {names[0]!r} to {names[-1]!r}"
    if "" in texts:
        hint = (
            "One of the texts was empty, because all its words were left out: return scores for it too, or pass "
            "masked='[MASK]' to textlrp.wrap."
        )
    else:
        hint = "It is called with a list of strings, and must return one row of scores for each."
    return f"function must return scores for a list of texts; it raised {on_one_line(problem)} for {which}. {hint}"


def _shown(scores: NDArray[np.float64]) -> str:
    return ", ".join(f"{score:.4g}" for score in scores[:3].tolist()) + (", ..." if len(scores) > 3 else "")


def _word_id(word: str) -> int:
    """The id of every word: a function has no vocabulary."""
    return 1


def _checked(batch: Batch) -> FunctionBatch:
    if not isinstance(batch, FunctionBatch):
        raise ModelError(
            f"batch must come from this model's encode(); got a {type(batch).__name__} of another model."
        )
    return batch
