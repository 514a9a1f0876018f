"""Predicted and true labels of an explanation as pages show them: one class, or all labels of a multi-label model."""

from __future__ import annotations

from dataclasses import dataclass

from textlrp.explanation import Explanation
from textlrp.reports.numbers import number, percentage

NO_LABEL = "no label"
"""What pages show in place of the labels of a text without any."""


@dataclass(frozen=True, slots=True)
class PredictedLabel:
    """One predicted label of a multi-label model: its numbers as text; ``probability`` is None without."""

    name: str
    score: str
    threshold: str
    probability: str | None


def predicted_text(explanation: Explanation) -> str:
    """Return the predicted class; multi-label: all predicted labels, in the order of the model's labels."""
    chosen = set(explanation.predicted_positions)
    return ", ".join(name for c, name in enumerate(explanation.labels) if c in chosen) or NO_LABEL


def true_text(explanation: Explanation) -> str | None:
    """Return the true label, or all true labels in the order of the model's labels; None if they are unknown."""
    if explanation.thresholds is None or explanation.true_labels is None:
        return explanation.true_label
    order = {name: c for c, name in enumerate(explanation.labels)}
    return ", ".join(sorted(explanation.true_labels, key=lambda name: order.get(name, len(order)))) or NO_LABEL


def is_correct(explanation: Explanation) -> bool | None:
    """Whether the prediction is the true label, or exactly the true labels.

    None if the true labels are unknown, or if one is not a class of the model.
    """
    if explanation.thresholds is None:
        known = explanation.true_label in explanation.labels
        return explanation.true_label == explanation.labels[explanation.predicted] if known else None
    true = explanation.true_labels
    if true is None or not set(true) <= set(explanation.labels):
        return None
    return set(true) == set(explanation.predicted_labels)


def label_positions(explanation: Explanation) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the true and the predicted labels of a multi-label model, as positions in the model's labels.

    None for other models, if the true labels are unknown, or if one is not a class of the model.
    """
    if explanation.thresholds is None or is_correct(explanation) is None:
        return None
    true = tuple(explanation.labels.index(name) for name in explanation.true_labels or ())
    return true, explanation.predicted_positions


def predicted_label_rows(explanation: Explanation, digits: int) -> tuple[PredictedLabel, ...] | None:
    """Return the predicted labels of a multi-label model, the highest above its threshold first; else None."""
    thresholds, probabilities = explanation.thresholds, explanation.probabilities
    if thresholds is None:
        return None
    return tuple(
        PredictedLabel(
            explanation.labels[c],
            number(float(explanation.scores[c]), digits),
            number(float(thresholds[c]), digits),
            None if probabilities is None else percentage(float(probabilities[c])),
        )
        for c in explanation.predicted_positions
    )


def label_set_sentence(explanation: Explanation, digits: int) -> str:
    """Return the predicted labels of a multi-label model with their scores, and the true labels if known, as text."""
    found = [
        f"{each.name} (score {each.score}, threshold {each.threshold}"
        f"{'' if each.probability is None else f', probability {each.probability}'})"
        for each in predicted_label_rows(explanation, digits) or ()
    ]
    sentence = (
        f"predicted label{'s' * (len(found) > 1)} {', '.join(found)}" if found else "no label reaches its threshold"
    )
    true, correct = true_text(explanation), is_correct(explanation)
    if true is None:
        return sentence
    if correct:
        return f"{sentence} (✓ correct)"
    wrong = "not all are classes of the model" if correct is None else "✗ incorrect"
    return f"{sentence} ({wrong}, true labels: {true})"
