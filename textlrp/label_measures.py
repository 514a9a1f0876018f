"""How well label sets are predicted: precision, recall and F1 of each label, micro and macro F1, subset accuracy.

Counts are added one document at a time. Only the standard library is needed. C classes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple


class LabelMeasures(NamedTuple):
    """The measures of one label. ``support`` is the number of documents with it, ``predicted`` of those predicted.

    A ratio without any document is 0, as in scikit-learn.
    """

    label: int
    support: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        """The share of the documents predicted to have the label that have it."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """The share of the documents with the label that are predicted to have it."""
        return self.correct / self.support if self.support else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.support + self.predicted
        return 2 * self.correct / total if total else 0.0


@dataclass(slots=True)
class LabelCounts:
    """Counts over documents, each added with its true and its predicted labels, as positions from 0 to C - 1."""

    classes: int
    documents: int = 0
    exact: int = 0
    _support: dict[int, int] = field(default_factory=dict)
    _predicted: dict[int, int] = field(default_factory=dict)
    _correct: dict[int, int] = field(default_factory=dict)

    def add(self, true: Collection[int], predicted: Collection[int]) -> None:
        """Count one document."""
        self.documents += 1
        self.exact += set(true) == set(predicted)
        for counts, labels in (
            (self._support, set(true)),
            (self._predicted, set(predicted)),
            (self._correct, set(true) & set(predicted)),
        ):
            for label in labels:
                counts[label] = counts.get(label, 0) + 1

    def labels(self) -> list[LabelMeasures]:
        """Return the measures of each of the C labels."""
        return [
            LabelMeasures(c, self._support.get(c, 0), self._predicted.get(c, 0), self._correct.get(c, 0))
            for c in range(self.classes)
        ]

    @property
    def micro_f1(self) -> float:
        """F1 of all pairs of a document and a label together."""
        total = sum(self._support.values()) + sum(self._predicted.values())
        return 2 * sum(self._correct.values()) / total if total else 0.0

    @property
    def macro_f1(self) -> float:
        """The mean of the F1 of all labels."""
        return sum(each.f1 for each in self.labels()) / self.classes if self.classes else 0.0

    @property
    def subset_accuracy(self) -> float:
        """The share of the documents whose predicted labels are exactly their true labels."""
        return self.exact / self.documents if self.documents else 0.0
