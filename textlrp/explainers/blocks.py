"""Explain one block of documents: split it into batches, compute relevance, and build the Explanations.

Letters: N documents, T tokens, C classes, K targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import TargetError
from textlrp.explainers.batch_relevance import DocumentRelevance, ExplainSettings, relevance_of_batch
from textlrp.explainers.notes import notes_of_targets, prediction_note
from textlrp.explanation import Explanation
from textlrp.lrp.kernels.threads import threads_for
from textlrp.models.abilities import BatchLimits, OwnResults, batch_limits, own_results
from textlrp.models.classifier import Classifier, thresholds_of
from textlrp.models.transformers.piece_batch import PieceBatch, PieceReading
from textlrp.predicted import highest_position
from textlrp.records import Document, Pieces, label_text, label_texts
from textlrp.text.batches import Batch
from textlrp.version import __version__


def explain_block(
    model: Classifier, block: list[Document], target: Any, targets: Iterable[Any] | None, settings: ExplainSettings
) -> Iterator[Explanation]:
    """Yield the explanations of a block, in input order.

    ``targets``, if given, has one target for each document. Raises :class:`TargetError` if it has too few.
    """
    targets_per_document = None if targets is None else list(targets)
    if targets_per_document is not None and len(targets_per_document) != len(block):
        raise TargetError(
            f"targets must have one target for each document; document {block[len(targets_per_document)].id!r} has "
            "none. Pass as many targets as documents, or target= for all of them."
        )
    done: dict[int, Explanation] = {}
    labels, thresholds = tuple(map(str, model.classes_)), thresholds_of(model)
    for rows, batch, explained in relevance_in_batches(
        model, model.encode(block), target, targets_per_document, settings
    ):
        own = own_results(model, batch, np.stack([each.scores for each in explained]))
        for n, row in enumerate(rows):
            done[row] = _explanation(labels, thresholds, block[row], batch, n, explained[n], own, settings)
    for row in range(len(block)):
        yield done.pop(row)


def relevance_in_batches(
    model: Classifier, block: Batch, target: Any, targets_per_document: list[Any] | None, settings: ExplainSettings
) -> Iterator[tuple[list[int], Batch, list[DocumentRelevance]]]:
    """Call :func:`relevance_of_batch` on a block of any size, batch by batch.

    Yields the rows of the block that are in the batch, the batch, and the results.
    """
    for rows in batches_of_block(block.lengths, batch_limits(model)):
        batch = block if rows == list(range(len(block))) else block.select(rows)
        targets = None if targets_per_document is None else [targets_per_document[row] for row in rows]
        with threads_for(len(rows), int(batch.lengths.max(initial=0))):
            explained = relevance_of_batch(model, batch, target, targets, settings)
        yield rows, batch, explained


def batches_of_block(lengths: NDArray[np.int32], limits: BatchLimits) -> Iterator[list[int]]:
    """Split the rows of a block into batches of texts of similar length, small enough to need little padding."""
    batch: list[int] = []
    for row in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) == limits.texts or (len(batch) + 1) * int(lengths[row]) > limits.words):
            yield batch
            batch = []
        batch.append(row)
    yield batch


def _explanation(
    labels: tuple[str, ...],
    thresholds: Array | None,
    document: Document,
    batch: Batch,
    n: int,
    explained: DocumentRelevance,
    own: OwnResults,
    settings: ExplainSettings,
) -> Explanation:
    reading = batch.readings[n]
    on_tokens = np.zeros((len(explained.targets), len(reading.tokens)), dtype=explained.relevance.dtype)
    on_tokens[:, reading.positions] = explained.relevance
    by_lrp, several = settings.method is None, thresholds is not None
    own_prediction = None if several else int(own.predicted[n])
    if own_prediction == highest_position(explained.scores, None):
        own_prediction = None
    entries = np.array(list(explained.ledger.values())) if explained.ledger else np.zeros((0, 1))
    note = prediction_note(explained.scores, labels, thresholds) if own_prediction is None else ()
    return Explanation(
        document_id=document.id,
        tokens=reading.tokens,
        labels=labels,
        scores=explained.scores,
        probabilities=None if own.probabilities is None else own.probabilities[n],
        targets=explained.targets,
        relevance=on_tokens,
        status=batch.status[n],
        counts=batch.counts[n],
        ledger=dict(compress(explained.ledger.items(), np.asarray(entries.any(axis=1)).tolist())),
        phrases=explained.phrases,
        method=settings.name,
        rule=settings.printed,
        model=settings.fingerprint,
        version=__version__,
        true_label=None if several else label_text(document.label),
        start=explained.start,
        score_name=settings.score_name,
        notes=(*own.notes[n], *explained.remarks, *note),
        target_notes=notes_of_targets(
            explained.targets,
            labels,
            explained.scores,
            explained.start,
            explained.relevance,
            fixed_sign=explained.fixed_sign,
            for_pixels=bool(explained.remarks),
        )
        if by_lrp
        else (),
        thresholds=thresholds.astype(explained.scores.dtype) if thresholds is not None else None,
        true_labels=label_texts(document.label) if several else None,
        pieces=_pieces(batch, n, explained.pieces),
        own_prediction=own_prediction,
    )


def _pieces(batch: Batch, n: int, relevance: Array | None) -> Pieces | None:
    """The pieces of text ``n`` with their relevance (K, P); None for models without pieces."""
    if relevance is None or not isinstance(batch, PieceBatch):
        return None
    ids, word_of = batch.pieces(batch.text(n))
    reading = batch.readings[n]
    assert isinstance(reading, PieceReading)
    words = reading.positions[word_of]
    return Pieces(reading.piece_forms, reading.piece_spans, words, relevance[:, : len(ids)])
