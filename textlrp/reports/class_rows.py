"""The bar chart of class scores on a document page: one row per class, as text and percentages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.predicted import predicted_positions
from textlrp.reports.numbers import number, percentage


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class of the chart. The bar begins at ``left`` and has ``width`` percent of the chart.

    ``row`` is the class's position among the explained targets, None if it is not explained.
    """

    name: str
    score: str
    probability: str | None
    left: float
    width: float
    row: int | None
    predicted: bool
    true_label: bool


def class_rows(explanation: Explanation, digits: int) -> tuple[ClassRow, ...]:
    """Return one row per class, the highest score first. All bars begin at the same zero line."""
    scores = explanation.scores.astype(np.float64)
    low, high = min(0.0, float(scores.min())), max(0.0, float(scores.max()))
    extent = (high - low) or 1.0
    chosen = predicted_positions(explanation.scores, explanation.thresholds)
    true = (explanation.true_label,) if explanation.thresholds is None else explanation.true_labels or ()
    rows = {target: row for row, target in enumerate(explanation.targets)}
    return tuple(
        ClassRow(
            name=explanation.labels[c],
            score=number(float(scores[c]), digits),
            probability=probability_of(explanation, c),
            left=round(100 * (min(0.0, float(scores[c])) - low) / extent, 1),
            width=round(100 * abs(float(scores[c])) / extent, 1),
            row=rows.get(c),
            predicted=c in chosen,
            true_label=explanation.labels[c] in true,
        )
        for c in np.argsort(-scores, kind="stable").tolist()
    )


def probability_of(explanation: Explanation, position: int) -> str | None:
    """Return the probability of a class as text, None if the model has no probabilities."""
    return None if explanation.probabilities is None else percentage(float(explanation.probabilities[position]))
