"""The bar chart of class scores on a document page: one row per class, as text and percentages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.reports.numbers import number, percentage


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class of the chart. The bar begins at ``left`` and has ``width`` percent of the chart.

    ``position`` is the class's position in the labels of the model, and ``row`` that among the explained targets,
    None if it is not explained. ``value`` is the score as a number. ``threshold`` is that of a label of a multi-label
    model, with the sign of the comparison, and is drawn at ``mark`` percent; else both are None.
    """

    name: str
    score: str
    probability: str | None
    left: float
    width: float
    row: int | None
    position: int
    value: float
    threshold: str | None
    mark: float | None


def class_rows(explanation: Explanation, digits: int) -> tuple[ClassRow, ...]:
    """Return one row per class, the highest score first. All bars begin at the same zero line.

    The labels of a multi-label model are in the order of their scores relative to their thresholds.
    """
    scores = explanation.scores.astype(np.float64)
    thresholds = None if explanation.thresholds is None else explanation.thresholds.astype(np.float64)
    drawn = scores if thresholds is None else np.concatenate([scores, thresholds])
    low, high = min(0.0, float(drawn.min())), max(0.0, float(drawn.max()))
    extent = (high - low) or 1.0
    rows = {target: row for row, target in enumerate(explanation.targets)}
    return tuple(
        ClassRow(
            name=explanation.labels[c],
            score=number(float(scores[c]), digits),
            probability=probability_of(explanation, c),
            left=round(100 * (min(0.0, float(scores[c])) - low) / extent, 1),
            width=round(100 * abs(float(scores[c])) / extent, 1),
            row=rows.get(c),
            position=c,
            value=float(scores[c]),
            threshold=None if thresholds is None else _against(float(scores[c]), float(thresholds[c]), digits),
            mark=None if thresholds is None else round(100 * (float(thresholds[c]) - low) / extent, 1),
        )
        for c in np.argsort((0.0 if thresholds is None else thresholds) - scores, kind="stable").tolist()
    )


def _against(score: float, threshold: float, digits: int) -> str:
    return f"{'>' if score > threshold else '≤'} {number(threshold, digits)}"


def probability_of(explanation: Explanation, position: int) -> str | None:
    """Return the probability of a class as text, None if the model has none besides the explained scores."""
    if explanation.probabilities is None or explanation.score_name == "probability":
        return None
    return percentage(float(explanation.probabilities[position]))
