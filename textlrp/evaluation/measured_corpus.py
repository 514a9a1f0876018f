"""A labeled corpus as a model reads it, and what a method says of each of its words.

Letters: N documents, L words read of one, C classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import DataError
from textlrp.explainers.batch_relevance import ExplainSettings, relevance_of_batch
from textlrp.explainers.explain import BLOCK, explain_settings
from textlrp.explainers.methods import Method
from textlrp.explainers.targets import Index
from textlrp.lrp.composite import Composite
from textlrp.lrp.shares import Rule
from textlrp.models.adapt import check_wrapped
from textlrp.models.classifier import Classifier
from textlrp.models.known_labels import KnownLabels
from textlrp.records import Document, Status
from textlrp.text.batches import Batch, bucket

READ_TOGETHER = 1024
"""Documents that are sorted by length together."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadCorpus:
    """N labeled documents as a model reads them, in batches of like length.

    ``rows[b]`` are the positions in the corpus of the texts of ``batches[b]``; ``true_label`` (N,) the position of
    each label in ``classes_``, -1 where the model does not know it; ``scores`` (N, C).
    """

    model: Classifier
    ids: tuple[str, ...]
    batches: tuple[Batch, ...]
    rows: tuple[NDArray[np.int64], ...]
    true_label: NDArray[np.int64]
    scores: Array

    def __len__(self) -> int:
        return len(self.true_label)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) position of the class with the highest score, the first of equals."""
        return np.asarray(self.scores.argmax(axis=1))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) words read."""
        lengths = np.zeros(len(self), dtype=np.int64)
        for batch, rows in zip(self.batches, self.rows, strict=True):
            lengths[rows] = batch.lengths
        return lengths

    @property
    def known(self) -> NDArray[np.int64]:
        """(N,) words read that the model knows."""
        known = np.zeros(len(self), dtype=np.int64)
        for batch, rows in zip(self.batches, self.rows, strict=True):
            known[rows] = [(status == Status.READ).sum() for status in batch.status]
        return known

    def each_batch(self, wanted: NDArray[np.bool_] | None = None) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """The batches with their rows; of some documents alone where ``wanted`` (N,) is given."""
        for batch, rows in zip(self.batches, self.rows, strict=True):
            if wanted is None:
                yield batch, rows
            elif (chosen := np.flatnonzero(wanted[rows])).size:
                yield batch.select(chosen.tolist()), rows[chosen]


def no_corpus(model: Classifier) -> ReadCorpus:
    """A corpus of no documents, for measures that need none."""
    return ReadCorpus(model, (), (), (), np.zeros(0, dtype=np.int64), np.zeros((0, len(model.classes_))))


def read_corpus(model: Classifier, documents: Iterable[Document]) -> ReadCorpus:
    """Read a labeled corpus once, for all measures.

    Raises :class:`DataError` where there is no document, one has no label, or the model knows none of the labels.
    """
    check_wrapped(model)
    classes = {str(name): position for position, name in enumerate(model.classes_.tolist())}
    known = KnownLabels(model.classes_.tolist())
    batches: list[Batch] = []
    rows: list[NDArray[np.int64]] = []
    ids: list[str] = []
    true_label: list[int] = []
    scores: list[tuple[NDArray[np.int64], Array]] = []
    rest = iter(documents)
    while block := list(islice(rest, READ_TOGETHER)):
        begin = len(ids)
        for document in block:
            if document.label is None:
                raise DataError(f"document {document.id!r} has no label; measuring needs one of every document.")
            ids.append(document.id)
            found = known.class_of(document.label)
            true_label.append(-1 if found is None else classes[str(found)])
        encoded = model.encode(block)
        for chosen in bucket(encoded.lengths, min(BLOCK, model.max_texts_per_trace)):
            batches.append(encoded.select(chosen.tolist()))
            rows.append(chosen + begin)
            scores.append((rows[-1], model.scores(batches[-1])))
    if not ids:
        raise DataError("there is no document to measure on.")
    if max(true_label) < 0:
        raise DataError(
            f"the model knows none of the corpus's labels; it knows {', '.join(list(classes)[:5])}"
            f"{', ...' if len(classes) > 5 else ''}. Is this the right corpus for it?"
        )
    known.warn()
    together = np.zeros((len(ids), len(classes)), dtype=scores[0][1].dtype)
    for some, values in scores:
        together[some] = values
    return ReadCorpus(model, tuple(ids), tuple(batches), tuple(rows), np.array(true_label, dtype=np.int64), together)


class MethodSpec(NamedTuple):
    """A way to explain, under the title that tables give it."""

    title: str
    method: str | Method = "lrp"
    rule: str | Rule | Composite | None = None

    def settings(self, model: Classifier) -> ExplainSettings:
        """As the explainers take it; raises as :func:`textlrp.explain` does."""
        return explain_settings(model, self.rule, self.method)


@dataclass(frozen=True, slots=True, eq=False)
class WordRelevances:
    """What a method says of the words of N documents: for the predicted class, and for the label.

    ``predicted[n]`` and ``true_label[n]`` (L,) float32: one array if the prediction is correct; no ``true_label`` if the
    model does not know the label. Both are None for documents that were left out.
    """

    predicted: Sequence[Array | None]
    true_label: Sequence[Array | None]
    seconds: float


def word_relevances(
    corpus: ReadCorpus,
    spec: MethodSpec,
    *,
    wanted: NDArray[np.bool_] | None = None,
    progress: Callable[[int], object] = lambda documents: None,
) -> WordRelevances:
    """Explain the documents (those of ``wanted`` (N,), where given) for the predicted class and for the label.

    ``progress`` hears how many documents were explained since it was called last.
    """
    settings = spec.settings(corpus.model)
    predicted: list[Array | None] = [None] * len(corpus)
    true_label: list[Array | None] = [None] * len(corpus)
    names = corpus.predicted
    seconds = 0.0
    for batch, rows in corpus.each_batch(wanted):
        targets = [_target_indices(corpus, int(names[row]), int(corpus.true_label[row])) for row in rows]
        began = time.perf_counter()
        explained = relevance_of_batch(corpus.model, batch, None, targets, settings)
        seconds += time.perf_counter() - began
        for row, found in zip(rows.tolist(), explained, strict=True):
            values = found.relevance.astype(np.float32)
            predicted[row] = values[0]
            true_label[row] = None if corpus.true_label[row] < 0 else values[-1]
        progress(len(rows))
    return WordRelevances(predicted, true_label, seconds)


def _target_indices(corpus: ReadCorpus, predicted: int, true_label: int) -> list[Any]:
    return [Index(position) for position in dict.fromkeys((predicted, true_label)) if position >= 0]
