"""The protocol of a model that can be explained; textlrp's classifiers and all adapters implement it.

Letters: N texts, L words read of one text, C classes.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from textlrp.lrp.trace import Trace
from textlrp.models.differentiable import InputPoint
from textlrp.models.options import TextInputs
from textlrp.text.batches import Batch


@runtime_checkable
class Classifier(Protocol):
    """A model for ``explain``: a classifier of textlrp, or an adapter of a pipeline or an external module."""

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels (C,)."""
        ...

    @property
    def fingerprint_(self) -> str:
        """Twelve hexadecimal digits that change with everything that the scores depend on."""
        ...

    @property
    def max_texts_per_trace(self) -> int:
        """Largest number of texts in one trace."""
        ...

    def encode(self, texts: TextInputs) -> Batch:
        """Return the word ids (N, L) of texts, together with the tokens of each text."""
        ...

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Return the pre-softmax scores (N, C) of a batch.

        A word with ``keep`` (N, L) False becomes the zero vector; the other words keep their positions.
        """
        ...

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """Return the recorded trace of the forward pass, in the model's own dtype unless another is given."""
        ...

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class probabilities (N, C) of scores (N, C), or None if the model has none."""
        ...

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Return text ``n`` of a batch as an input to gradient methods."""
        ...


def thresholds_of(model: object) -> NDArray[Any] | None:
    """Return the thresholds (C,) of a multi-label model: a label is predicted if its score is above; else None."""
    thresholds: NDArray[Any] | None = getattr(model, "thresholds_", None)
    return thresholds


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
    return OwnResults(scores.argmax(axis=1), model.probabilities(scores), ((),) * len(scores))
