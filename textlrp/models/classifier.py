"""The protocol of a model that can be explained; textlrp's classifiers and all adapters implement it.

Letters: N texts, L words read of one text, C classes.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

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
        """Return the pre-softmax scores (N, C) of a batch; for a function of the user, whatever it returns.

        A word with ``keep`` (N, L) False becomes the zero vector; the other words keep their positions. A transformer
        removes the word instead, because a zero vector is far from everything that it has seen.
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
