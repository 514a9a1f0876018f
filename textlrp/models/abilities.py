"""Optional abilities of a :class:`.Classifier`, asked for in one place: a model without one gets the usual answer.

Letters: N texts, L words, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from textlrp.lrp.composite import Composite
from textlrp.lrp.gradients.gradient_rules import gradient_rules
from textlrp.lrp.trace import Propagated
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.records import BEFORE_SOFTMAX
from textlrp.text.batches import Batch

PADDED_WORDS = 1 << 16
"""Texts are in one batch as long as texts × longest text, in words, is at most this; a single text may be longer."""


class BatchLimits(NamedTuple):
    """The largest number of ``texts`` in a batch, and of ``words`` with padding if there are several texts."""

    texts: int
    words: int


class BatchPass(Protocol):
    """A forward pass of N texts through which relevance can be propagated; ``scores`` (N, C) are pre-softmax."""

    scores: Tensor

    def propagate(self, seed: Tensor) -> Propagated:
        """Propagate relevance from the scores (K, N, C) to the words (K, N, L)."""
        ...


Passes = Callable[[Batch], BatchPass | None]
"""A function from a batch to its forward pass, None if the recorded trace must take its place."""


def batch_limits(model: Classifier) -> BatchLimits:
    """Return how many texts a model explains in one batch: as many as one trace has, unless it sets limits."""
    limits: BatchLimits = getattr(model, "batch_limits", BatchLimits(model.max_texts_per_trace, PADDED_WORDS))
    return limits


def default_rule(model: Classifier) -> str:
    """Return the name of the rule that explains a model if the user names none."""
    name: str = getattr(model, "default_rule", "epsilon")
    return name


def word_dropout_of(model: Classifier) -> float:
    """Return the share of the words that training replaced by the zero vector at random (word dropout), often 0."""
    return float(getattr(model, "word_dropout", 0.0))


def fast_passes(model: Classifier, composite: Composite, dtype: str | None) -> Passes | None:
    """Return the fast engine of a model for a composite; None if the model has none or it lacks the composite."""
    make: Any = getattr(model, "gradient_pass", None)
    rules = None if make is None else gradient_rules(composite)
    return None if rules is None else partial(make, rules=rules, dtype=dtype)


def notes_of_text(model: Classifier, batch: Batch, n: int) -> tuple[str, ...]:
    """Return sentences on how the model read text ``n`` of a batch, for the notes of its explanation."""
    notes = getattr(model, "notes", None)
    return () if notes is None else tuple(notes(batch, n))


def score_name_of(model: Classifier) -> str:
    """Return what the scores of a model are, in words: of a function its ``score_name``.

    The scores of all other models are called before softmax only if a softmax turns them into the probabilities.
    Those of a support vector machine, of a logistic function for each class, or of several labels are just scores.
    """
    named: str | None = getattr(model, "score_name", None)
    if named is not None:
        return named
    examples = np.linspace([-1.0, 2.0], [1.0, -0.5], len(model.classes_), axis=1)
    found = model.probabilities(examples) if thresholds_of(model) is None else None
    exponentials = np.exp(examples)
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    # written out, because np.allclose alone would take a tenth of the time of explaining a short text
    return BEFORE_SOFTMAX if found is not None and np.abs(found - softmax).max() < 1e-6 else "score"


class OwnResults(NamedTuple):
    """The predictions and probabilities of a model for N texts, shown next to its scores.

    ``predicted`` (N,) are positions in ``classes_``, ``probabilities`` (N, C) or None. ``notes`` (N,) are sentences
    about the scores, such as which scores they are.
    """

    predicted: NDArray[np.int64]
    probabilities: NDArray[Any] | None
    notes: tuple[tuple[str, ...], ...]


def own_results(model: Classifier, batch: Batch, scores: NDArray[Any]) -> OwnResults:
    """Return the predictions, the probabilities and the notes of a model for a batch with these ``scores`` (N, C).

    A model that predicts by other numbers than its scores has a method ``own_results`` of its own. All other models
    predict the class with the highest score.
    """
    of_model = getattr(model, "own_results", None)
    if of_model is not None:
        found: OwnResults = of_model(batch, scores)
        return found
    notes = tuple(notes_of_text(model, batch, n) for n in range(len(batch)))
    return OwnResults(scores.argmax(axis=1), model.probabilities(scores), notes)


def own_predictions_of(model: Classifier, batch: Batch, scores: NDArray[Any]) -> NDArray[np.int64] | None:
    """Return the positions (N,) of the classes that a model itself predicts, if it may not be the highest score."""
    found = own_results(model, batch, scores).predicted if hasattr(model, "own_results") else None
    return None if thresholds_of(model) is not None else found


def texts_of_rows(model: Classifier, texts: Any) -> Any:
    """Return the texts of the rows of a table, for a model that reads several columns; other models read texts."""
    of_rows = getattr(model, "rows", None)
    return texts if of_rows is None else of_rows(texts)
