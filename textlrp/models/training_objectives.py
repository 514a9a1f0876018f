"""What the training of a network minimizes and measures: for one label a text, and for sets of labels.

Letters: N texts, C classes, B texts of a batch, V held-out texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.models.thresholds import ChosenThresholds, best_shared_f1, choose_thresholds

TextRows = NDArray[np.int64]
"""Positions of texts."""


class Objective(Protocol):
    """The labels of N texts, the loss of scores, and the measure on held-out texts."""

    @property
    def measure(self) -> str:
        """The name of what :meth:`quality` returns."""
        ...

    def initial_bias(self) -> NDArray[np.float64] | float:
        """Return the bias (C,) of the last layer to start from, or one number for all classes."""
        ...

    def hold_out(self, fraction: float, rng: np.random.Generator) -> tuple[TextRows, TextRows]:
        """Split the texts: positions to train on, and held-out positions."""
        ...

    def loss(self, scores: Tensor, rows: TextRows) -> Tensor:
        """Return the loss of the scores (B, C) of texts ``rows`` (B,)."""
        ...

    def quality(self, rows: TextRows, scores: NDArray[np.floating]) -> float:
        """Return the measure for scores (V, C) of texts ``rows`` (V,); larger is better."""
        ...

    def thresholds(self, rows: TextRows, scores: Callable[[], NDArray[np.floating]]) -> ChosenThresholds | None:
        """Choose the thresholds of a multi-label model by the scores (V, C) of texts ``rows``; else None."""
        ...


def objective_of(
    codes: NDArray[np.int64], weights: NDArray[np.floating] | None, label_smoothing: float, dtype: torch.dtype
) -> Objective:
    """Return the objective for classes (N,) or an indicator matrix (N, C).

    ``weights`` are those of ``TextClassifier._class_weights``, in the shape that belongs to ``codes``.
    """
    tensor = None if weights is None else torch.from_numpy(weights).to(dtype)
    kind = OneLabel if codes.ndim == 1 else LabelSets
    return kind(codes, tensor, label_smoothing)


@dataclass(frozen=True, slots=True, eq=False)
class OneLabel:
    """One class for each text: cross-entropy of the softmax, and accuracy. ``weights`` (C,)."""

    codes: NDArray[np.int64]
    weights: Tensor | None
    label_smoothing: float
    measure = "accuracy"

    def initial_bias(self) -> float:
        """Return 0."""
        return 0.0

    def hold_out(self, fraction: float, rng: np.random.Generator) -> tuple[TextRows, TextRows]:
        """Keep out ``fraction`` of each class; see :func:`hold_out`."""
        return hold_out(self.codes, fraction, rng)

    def loss(self, scores: Tensor, rows: TextRows) -> Tensor:
        """Return the cross-entropy."""
        return torch.nn.functional.cross_entropy(
            scores, torch.from_numpy(self.codes[rows]), weight=self.weights, label_smoothing=self.label_smoothing
        )

    def quality(self, rows: TextRows, scores: NDArray[np.floating]) -> float:
        """Return the accuracy."""
        return float((scores.argmax(axis=1) == self.codes[rows]).mean())

    def thresholds(self, rows: TextRows, scores: Callable[[], NDArray[np.floating]]) -> None:
        """Return None: the class with the highest score is predicted."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelSets:
    """A set of labels for each text: binary cross-entropy of the sigmoid of each label, and micro F1.

    ``codes`` (N, C) are 0 and 1; ``weights`` (2, C) of texts without and with each label. Label smoothing s trains
    towards s / C and 1 - s / C.
    """

    codes: NDArray[np.int64]
    weights: Tensor | None
    label_smoothing: float
    measure = "micro F1"

    def initial_bias(self) -> NDArray[np.float64]:
        """Return the log-odds of each label."""
        counts = self.codes.sum(axis=0)
        return np.asarray(np.log((counts + 1) / (len(self.codes) - counts + 1)))

    def hold_out(self, fraction: float, rng: np.random.Generator) -> tuple[TextRows, TextRows]:
        """Keep out about ``fraction`` of the texts of each label; see :func:`hold_out_sets`."""
        return hold_out_sets(self.codes, fraction, rng)

    def loss(self, scores: Tensor, rows: TextRows) -> Tensor:
        """Return the binary cross-entropy, summed over the labels, as a mean over the texts."""
        present = torch.from_numpy(self.codes[rows]).to(scores.dtype)
        weight = None if self.weights is None else torch.where(present > 0, self.weights[1], self.weights[0])
        margin = self.label_smoothing / scores.shape[1]
        smooth = present * (1 - 2 * margin) + margin
        total: Tensor = torch.nn.functional.binary_cross_entropy_with_logits(scores, smooth, weight, reduction="sum")
        return total / len(rows)

    def quality(self, rows: TextRows, scores: NDArray[np.floating]) -> float:
        """Return the largest micro F1 that one threshold for all labels reaches."""
        return best_shared_f1(self.codes[rows], scores)

    def thresholds(self, rows: TextRows, scores: Callable[[], NDArray[np.floating]]) -> ChosenThresholds:
        """Choose a threshold for each label; see :func:`choose_thresholds`."""
        return choose_thresholds(self.codes[rows], scores())


def hold_out(codes: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> tuple[TextRows, TextRows]:
    """Split the texts: positions to train on, and held-out positions, ``fraction`` of each class.

    At least one text of each class remains for training.
    """
    held: list[NDArray[np.int64]] = []
    for code in np.unique(codes):
        members = rng.permutation(np.flatnonzero(codes == code))
        held.append(members[: min(round(len(members) * fraction), len(members) - 1)])
    held_out = np.sort(np.concatenate(held)).astype(np.int64)
    return np.setdiff1d(np.arange(len(codes)), held_out), held_out


def hold_out_sets(
    indicator: NDArray[np.int64], fraction: float, rng: np.random.Generator
) -> tuple[TextRows, TextRows]:
    """Split texts with label sets (N, C): positions to train on, and held-out positions.

    About ``fraction`` of the texts of each label are held out, the rarest label first, and of the texts without
    labels (after iterative stratification, Sechidis et al. 2011). At least one text of each label remains.
    """
    without = (indicator.sum(axis=1) == 0).astype(np.int64)
    columns = np.concatenate([indicator, without[:, None]], axis=1)
    counts = columns.sum(axis=0)
    wanted = np.minimum(np.round(counts * fraction).astype(np.int64), np.maximum(counts - 1, 0))
    held, left = np.zeros(len(indicator), dtype=bool), counts
    for column in np.argsort(counts, kind="stable").tolist():
        missing = wanted - (counts - left)
        free = rng.permutation(np.flatnonzero((columns[:, column] == 1) & ~held))
        # first the texts without labels of which enough texts are held out
        enough = columns[free] @ (missing <= 0)
        for row in free[np.argsort(enough, kind="stable")][: max(0, int(missing[column]))].tolist():
            if (left[columns[row] == 1] > 1).all():
                held[row], left = True, left - columns[row]
    return np.flatnonzero(~held), np.flatnonzero(held)
