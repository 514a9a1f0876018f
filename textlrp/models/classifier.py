"""What explaining asks of a model: the protocol that every model and adapter fulfills."""

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
    """What ``explain`` asks of a model: ours, or an adapter around the user's own."""

    @property
    def classes_(self) -> NDArray[Any]:
        """(C,) the labels."""
        ...

    @property
    def fingerprint_(self) -> str:
        """Twelve hexadecimal digits that change with anything the scores depend on."""
        ...

    @property
    def max_texts_per_trace(self) -> int:
        """How many texts one trace may hold at most."""
        ...

    def encode(self, texts: TextInputs) -> Batch:
        """Texts as ids (N, L), with the tokens they came from."""
        ...

    def scores(self, batch: Batch, *, keep: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """Pre-softmax scores (N, C); a word with ``keep`` (N, L) False is the zero vector, its position stays."""
        ...

    def trace(self, batch: Batch, *, dtype: str | None = None) -> Trace:
        """The tape of the forward pass, in the model's own dtype unless another is given."""
        ...

    def probabilities(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Class probabilities (N, C) of scores (N, C), or None where the model has none."""
        ...

    def input_point(self, batch: Batch, n: int, *, dtype: str | None = None) -> InputPoint:
        """Text ``n`` as gradient methods need it."""
        ...
