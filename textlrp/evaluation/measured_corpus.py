"""A labeled corpus encoded and scored by a model, and the relevance that a method gives to its words.

All measures that delete words start here: :func:`score_corpus` once, then :func:`word_relevances` for each method.

Letters: N documents, L words of a document that the model reads, C classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import DataError
from textlrp.explainers.batch_relevance import ExplainSettings, relevance_of_batch
from textlrp.explainers.blocks import batches_of_block
from textlrp.explainers.explain import explain_settings
from textlrp.explainers.methods import Method
from textlrp.explainers.targets import Index
from textlrp.label_measures import LabelCounts
from textlrp.lrp.composite import Composite
from textlrp.lrp.shares import Rule
from textlrp.models.abilities import batch_limits, own_predictions_of
from textlrp.models.adapt import without_options
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.known_labels import KnownLabels
from textlrp.predicted import highest_position, predicted_positions
from textlrp.records import Document, Status
from textlrp.text.batches import Batch

SORTED_TOGETHER = 1024
"""Documents that are sorted by length before they are cut into batches, so that a batch needs little padding."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCorpus:
    """N labeled documents, encoded in batches of similar length, with their scores (N, C).

    ``rows[b]`` contains the positions in the corpus of the documents of ``batches[b]``. ``true_label`` (N,) is the
    position of each label in ``classes_``, or -1 for a label that the model does not know.

    A multi-label model is measured on one label of each document, ``predicted``: the one with the highest score
    relative to its threshold. ``true_label`` is the same if it is one of the true labels, else the first of these, or
    -1. ``counts`` are then those of all labels.

    All measures follow the scores. ``own_predicted`` (N,) are the classes that the model itself predicts, for its
    accuracy; None if it is multi-label.
    """

    model: Classifier
    ids: tuple[str, ...]
    batches: tuple[Batch, ...]
    rows: tuple[NDArray[np.int64], ...]
    true_label: NDArray[np.int64]
    scores: Array
    counts: LabelCounts | None = None
    own_predicted: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.true_label)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) position of the class with the highest score; ties go to the first."""
        thresholds = thresholds_of(self.model)
        return np.asarray((self.scores if thresholds is None else self.scores - thresholds).argmax(axis=1))

    @property
    def accuracy(self) -> float:
        """The accuracy on the documents whose labels the model knows; multi-label: the subset accuracy."""
        if self.counts is not None:
            return self.counts.subset_accuracy
        predicted = self.predicted if self.own_predicted is None else self.own_predicted
        return float((predicted == self.true_label)[self.true_label >= 0].mean())

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) number of words that the model reads, known or not."""
        lengths = np.zeros(len(self), dtype=np.int64)
        for batch, rows in zip(self.batches, self.rows, strict=True):
            lengths[rows] = batch.lengths
        return lengths

    @property
    def known(self) -> NDArray[np.int64]:
        """(N,) number of words that the model reads and that are in its vocabulary."""
        known = np.zeros(len(self), dtype=np.int64)
        for batch, rows in zip(self.batches, self.rows, strict=True):
            known[rows] = [(status == Status.READ).sum() for status in batch.status]
        return known

    def iter_batches(self, mask: NDArray[np.bool_] | None = None) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """Yield each batch with its rows; only the documents where ``mask`` (N,) is True, if given."""
        for batch, rows in zip(self.batches, self.rows, strict=True):
            if mask is None:
                yield batch, rows
            elif (chosen := np.flatnonzero(mask[rows])).size:
                yield batch.select(chosen.tolist()), rows[chosen]


def empty_corpus(model: Classifier) -> ScoredCorpus:
    """A corpus without documents, for measures that do not need any."""
    return ScoredCorpus(model, (), (), (), np.zeros(0, dtype=np.int64), np.zeros((0, len(model.classes_))))


def score_corpus(model: Classifier, documents: Iterable[Document]) -> ScoredCorpus:
    """Encode and score a labeled corpus once, for all measures.

    Warns about labels that are not classes of the model. Raises :class:`DataError` if there are no documents, if a
    document has no label, or if no label is a class of the model.
    """
    model = without_options(model)
    classes = {str(name): position for position, name in enumerate(model.classes_.tolist())}
    known = KnownLabels(model.classes_.tolist())
    batches: list[Batch] = []
    rows: list[NDArray[np.int64]] = []
    ids: list[str] = []
    several = thresholds_of(model) is not None
    true_sets: list[list[int]] = []
    scores: list[tuple[NDArray[np.int64], Array]] = []
    own: list[NDArray[np.int64] | None] = []
    rest = iter(documents)
    while block := list(islice(rest, SORTED_TOGETHER)):
        begin = len(ids)
        for document in block:
            if not hasattr(document, "label"):  # a string
                kind = type(document).__name__
                raise DataError(f"documents must be labeled Documents; got a {kind}. Pass load_corpus(FILE).")
            if document.label is None:
                raise DataError(f"document {document.id!r}: label is missing. Fill it in or drop the document.")
            ids.append(document.id)
            true = known.classes_of(document.label) if several else (known.class_of(document.label),)
            true_sets.append([-1 if found is None else classes[str(found)] for found in true])
        encoded = model.encode(block)
        for chosen in batches_of_block(encoded.lengths, batch_limits(model)):
            batches.append(encoded.select(chosen))
            rows.append(np.array(chosen, dtype=np.int64) + begin)
            scores.append((rows[-1], model.scores(batches[-1])))
            own.append(own_predictions_of(model, batches[-1], scores[-1][1]))
    if not ids:
        raise DataError("documents must contain at least 1 document to measure on; got none.")
    if max(chain.from_iterable(true_sets), default=-1) < 0:
        raise DataError(
            f"no label of the corpus is a class of the model ({', '.join(list(classes)[:5])}"
            f"{', ...' if len(classes) > 5 else ''}). Pass the corpus that the model was trained for."
        )
    known.warn()
    all_scores = np.zeros((len(ids), len(classes)), dtype=scores[0][1].dtype)
    for batch_rows, batch_scores in scores:
        all_scores[batch_rows] = batch_scores
    if not several:
        true_label = np.array([labels[0] for labels in true_sets], dtype=np.int64)
        corpus = ScoredCorpus(model, tuple(ids), tuple(batches), tuple(rows), true_label, all_scores)
        own_predicted = corpus.predicted
        for batch_rows, of_batch in zip(rows, own, strict=True):
            if of_batch is not None:
                own_predicted[batch_rows] = of_batch
        return replace(corpus, own_predicted=own_predicted)
    true_label, counts = _of_label_sets(model, true_sets, all_scores)
    return ScoredCorpus(model, tuple(ids), tuple(batches), tuple(rows), true_label, all_scores, counts)


def _of_label_sets(
    model: Classifier, true_sets: Sequence[Sequence[int]], scores: Array
) -> tuple[NDArray[np.int64], LabelCounts]:
    """The one label of each document to measure, and the counts of the documents whose labels are all known."""
    thresholds, counts = thresholds_of(model), LabelCounts(scores.shape[1])
    true_label = np.full(len(true_sets), -1, dtype=np.int64)
    for n, (true, row) in enumerate(zip(true_sets, scores, strict=True)):
        if min(true, default=0) >= 0:
            counts.add(true, predicted_positions(row, thresholds))
        best = highest_position(row, thresholds)
        true_label[n] = best if best in true else next((label for label in true if label >= 0), -1)
    return true_label, counts


class MethodSpec(NamedTuple):
    """An attribution method and its rule, with the ``title`` that tables and figures show."""

    title: str
    method: str | Method = "lrp"
    rule: str | Rule | Composite | None = None

    def settings(self, model: Classifier) -> ExplainSettings:
        """The settings for the explainers; raises as :func:`textlrp.explain` does."""
        return explain_settings(model, self.rule, self.method)


@dataclass(frozen=True, slots=True, eq=False)
class WordRelevances:
    """Relevance of the words of N documents for the predicted class and for the true label.

    ``predicted[n]`` and ``true_label[n]`` are (L,) float32; the two are equal if the prediction is correct. Both are
    None for a document that was left out, and ``true_label[n]`` is None for a label that the model does not know.
    ``seconds`` is the time that the method took.
    """

    predicted: Sequence[Array | None]
    true_label: Sequence[Array | None]
    seconds: float


def word_relevances(
    corpus: ScoredCorpus,
    spec: MethodSpec,
    *,
    mask: NDArray[np.bool_] | None = None,
    progress: Callable[[int], object] = lambda documents: None,
) -> WordRelevances:
    """Explain documents for the predicted class and for the true label.

    ``mask`` (N,) selects documents; by default all are explained. ``progress`` is called with the number of documents
    explained since the last call.
    """
    settings = spec.settings(corpus.model)
    predicted: list[Array | None] = [None] * len(corpus)
    true_label: list[Array | None] = [None] * len(corpus)
    predictions = corpus.predicted
    seconds = 0.0
    for batch, rows in corpus.iter_batches(mask):
        targets = [_target_indices(int(predictions[row]), int(corpus.true_label[row])) for row in rows]
        began = time.perf_counter()
        explained = relevance_of_batch(corpus.model, batch, None, targets, settings)
        seconds += time.perf_counter() - began
        for row, found in zip(rows.tolist(), explained, strict=True):
            values = found.relevance.astype(np.float32)
            predicted[row] = values[0]
            true_label[row] = None if corpus.true_label[row] < 0 else values[-1]
        progress(len(rows))
    return WordRelevances(predicted, true_label, seconds)


def _target_indices(predicted: int, true_label: int) -> list[Any]:
    # dict.fromkeys: a correct prediction is explained once
    return [Index(position) for position in dict.fromkeys((predicted, true_label)) if position >= 0]
