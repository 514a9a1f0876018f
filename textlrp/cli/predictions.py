"""The work of ``textlrp predict``: predict the class of each document of a corpus, and write the predictions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from textlrp.explainers.streams import BLOCK
from textlrp.files.kinds import csv_table, json_lines
from textlrp.files.spreadsheet_cells import table_line
from textlrp.files.written_file import atomic_file, check_output
from textlrp.models.abilities import own_results
from textlrp.models.classifier import Classifier
from textlrp.models.known_labels import KnownLabels
from textlrp.records import Document, Label
from textlrp.text.surrogates import without_surrogates


class AnyPrediction(Protocol):
    """A prediction that can be written: of one class, or of a set of labels."""

    def cells(self) -> list[str]:
        """Return the fields of a table of predictions."""
        ...

    def values(self) -> list[Any]:
        """Return the fields of a JSON file of predictions."""
        ...


class Prediction(NamedTuple):
    """The predicted class of a document.

    ``score`` is the score of that class before the softmax. ``probability`` is None for a model without
    probabilities, ``true_label`` is None for a document without a label that is a class of the model.
    """

    id: str
    predicted: Label
    score: float
    probability: float | None
    true_label: Label | None

    def cells(self) -> list[str]:
        """Return the fields of a table of predictions."""
        probability = "" if self.probability is None else f"{self.probability:.6g}"
        return [self.id, str(self.predicted), f"{self.score:.6g}", probability]

    def values(self) -> list[Any]:
        """Return the fields of a JSON file of predictions."""
        return [self.id, self.predicted, self.score, self.probability]

    @property
    def correct(self) -> bool | None:
        """Whether the prediction is the true label, compared as text; None without a true label."""
        return None if self.true_label is None else str(self.true_label) == str(self.predicted)


def predict(model: Classifier, documents: Iterable[Document]) -> Iterator[Prediction]:
    """Predict the class of each document, lazily and in order.

    At the end, one warning lists the labels that are not classes of the model; see :class:`KnownLabels`.
    """
    rest = iter(documents)
    classes = model.classes_.tolist()
    known = KnownLabels(classes)
    while block := list(islice(rest, BLOCK)):
        batch = model.encode(block)
        scores = model.scores(batch)
        own = own_results(model, batch, scores)
        for n, document in enumerate(block):
            best = int(own.predicted[n])
            probability = None if own.probabilities is None else float(own.probabilities[n, best])
            true_label = None if document.label is None else known.class_of(document.label)
            yield Prediction(document.id, classes[best], float(scores[n, best]), probability, true_label)
    known.warn()


PREDICTION_COLUMNS = ("id", "predicted", "score", "probability")
PREDICTION_FILES = {
    ".jsonl": json_lines("a file of predictions", PREDICTION_COLUMNS),
    ".csv": csv_table("a table of predictions", PREDICTION_COLUMNS),
}


def write_predictions(
    predictions: Iterable[AnyPrediction], path: str | Path, *, keep_formulas: bool = False, force: bool = False
) -> Path:
    """Write predictions to a ``.jsonl`` or ``.csv`` file, one document per line; raises :class:`DataError`.

    ``keep_formulas`` as in :func:`stream_table`.
    """
    suffix = check_output(path, PREDICTION_FILES, force=force)
    with (
        atomic_file(path, PREDICTION_FILES[suffix], force=force) as beside,
        beside.open("w", encoding="utf-8", newline="") as file,
    ):
        if suffix == ".csv":
            stream_table(predictions, file, keep_formulas=keep_formulas)
        else:
            for prediction in predictions:
                values = dict(zip(PREDICTION_COLUMNS, prediction.values(), strict=True))
                file.write(json.dumps(values) + "\n")
    return Path(path)


def stream_table(
    predictions: Iterable[AnyPrediction], file: IO[str], *, delimiter: str = ",", keep_formulas: bool = False
) -> None:
    """Write a header line and one line per document, in input order.

    Cells that a spreadsheet program would run get a leading apostrophe, unless ``keep_formulas``.
    """
    file.write(table_line(PREDICTION_COLUMNS, delimiter=delimiter))
    for prediction in predictions:
        cells = map(without_surrogates, prediction.cells())
        file.write(table_line(cells, delimiter=delimiter, keep_formulas=keep_formulas))


def accuracy(predictions: Iterable[Prediction]) -> float:
    """Accuracy on the documents whose label is a class of the model; NaN if there is none."""
    outcomes = [prediction.correct for prediction in predictions if prediction.correct is not None]
    return sum(outcomes) / len(outcomes) if outcomes else float("nan")
