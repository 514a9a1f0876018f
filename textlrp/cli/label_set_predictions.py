"""The work of ``textlrp predict`` with a multi-label model: all predicted labels of each document, and their measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from textlrp.explainers.streams import BLOCK
from textlrp.label_measures import LabelCounts
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.known_labels import KnownLabels
from textlrp.predicted import predicted_positions
from textlrp.records import Document, Labels
from textlrp.reports.numbers import percentage


class LabelSetPrediction(NamedTuple):
    """The predicted labels of a document, the highest score relative to its threshold first; there may be none.

    ``scores`` and ``probabilities`` are those of the predicted labels; ``probabilities`` is None for a model without.
    ``separator`` is written between several values of a field.
    """

    id: str
    predicted: Labels
    scores: tuple[float, ...]
    probabilities: tuple[float, ...] | None
    separator: str

    def cells(self) -> list[str]:
        """Return the fields of a table of predictions."""
        numbers = (self.scores, self.probabilities or ())
        return [
            self.id,
            self.separator.join(map(str, self.predicted)),
            *(self.separator.join(f"{value:.6g}" for value in values) for values in numbers),
        ]

    def values(self) -> list[Any]:
        """Return the fields of a JSON file of predictions."""
        probabilities = None if self.probabilities is None else list(self.probabilities)
        return [self.id, list(self.predicted), list(self.scores), probabilities]


def predict_label_sets(
    model: Classifier, documents: Iterable[Document], counts: LabelCounts, *, separator: str | None = None
) -> Iterator[LabelSetPrediction]:
    """Predict the labels of each document, lazily and in order; add those with known true labels to ``counts``.

    At the end, one warning lists the labels that are not classes of the model; see :class:`KnownLabels`.
    """
    rest = iter(documents)
    classes, thresholds = model.classes_.tolist(), thresholds_of(model)
    known = KnownLabels(classes)
    while block := list(islice(rest, BLOCK)):
        scores = model.scores(model.encode(block))
        probabilities = model.probabilities(scores)
        for n, document in enumerate(block):
            chosen = predicted_positions(scores[n], thresholds)
            if document.label is not None:
                true = known.classes_of(document.label)
                if None not in true:
                    counts.add([classes.index(label) for label in true], chosen)
            yield LabelSetPrediction(
                document.id,
                tuple(classes[c] for c in chosen),
                tuple(float(scores[n, c]) for c in chosen),
                None if probabilities is None else tuple(float(probabilities[n, c]) for c in chosen),
                separator or ",",
            )
    known.warn()


def measures_line(counts: LabelCounts) -> str:
    """Return micro F1, macro F1 and subset accuracy as one line."""
    return (
        f"micro F1 {percentage(counts.micro_f1)}, macro F1 {percentage(counts.macro_f1)}, "
        f"subset accuracy {percentage(counts.subset_accuracy)} ({counts.exact:,} of {counts.documents:,} labeled texts)"
    )
