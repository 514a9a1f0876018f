"""A document in the list of a report: its prediction, its true label, and the words that its row shows."""

from __future__ import annotations

from typing import Any, NamedTuple

LabelPositions = tuple[int, ...]
"""LabelPositions of labels in :attr:`.Summary.names`."""


class DocumentRow(NamedTuple):
    """A document in the list.

    ``position`` counts documents in input order from 0. ``predicted`` and ``true_label`` are positions in
    :attr:`.Summary.names`; ``true_label`` is -1 without a label, or if the label is not a class of the model.
    ``confidence`` is 0 to 1000, for sorting; ``score`` is the probability, or the score without one, as text.
    ``label_sets`` are the predicted and the true labels of a multi-label model, each ascending; the true ones are
    None if they are unknown. ``true_label`` is then -1, and ``predicted`` the highest score above its threshold.
    """

    position: int
    id: str
    predicted: int
    true_label: int
    confidence: int
    score: str
    words: tuple[str, ...]
    snippet: str
    label_sets: tuple[LabelPositions, LabelPositions | None] | None = None

    @property
    def predicted_labels(self) -> LabelPositions:
        """The predicted class; multi-label: all predicted labels."""
        return (self.predicted,) if self.label_sets is None else self.label_sets[0]

    @property
    def true_labels(self) -> LabelPositions | None:
        """The true label; multi-label: all true labels. None if unknown, or if one is not a class of the model."""
        if self.label_sets is not None:
            return self.label_sets[1]
        return None if self.true_label < 0 else (self.true_label,)

    @property
    def correct(self) -> bool | None:
        """Whether the predicted class is the true label, or the label sets are equal; None without true labels."""
        return None if self.true_labels is None else self.true_labels == self.predicted_labels

    @property
    def cell(self) -> str:
        """The identifier of the document's cell in the confusion matrix."""
        return f"c{self.true_label}-{self.predicted}"

    @property
    def sort_key(self) -> tuple[Any, ...]:
        """Sorts by true label; documents without one come last."""
        true = self.true_labels
        return (true is None, true or (), self.correct is not True, self.predicted_labels)
