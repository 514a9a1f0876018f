"""One block of documents -> their Explanations, by LRP or by another method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import TargetError
from textlrp.explainers.batch_relevance import DocumentRelevance, ExplainSettings, relevance_of_batch
from textlrp.explainers.notes import notes_of_targets, tie_note
from textlrp.explanation import Explanation
from textlrp.lrp.kernels.threads import threads_for
from textlrp.models.classifier import Classifier
from textlrp.records import Document
from textlrp.text.batches import Batch
from textlrp.version import __version__

PADDED_WORDS = 1 << 16
"""A block with long texts is split so that documents × longest stays below this, or one text is left."""


def explain_block(
    model: Classifier, block: list[Document], target: Any, targets: Iterable[Any] | None, settings: ExplainSettings
) -> Iterator[Explanation]:
    """The explanations of a block, in order; ``targets`` holds one target per document where it is given."""
    own = None if targets is None else list(targets)
    if own is not None and len(own) != len(block):
        raise TargetError(
            f"targets= ended before the documents did; one for each is wanted, {block[len(own)].id!r} has none."
        )
    done: dict[int, Explanation] = {}
    labels = tuple(map(str, model.classes_))
    for rows, piece, explained in led_pieces(model, model.encode(block), target, own, settings):
        probabilities = model.probabilities(np.stack([each.scores for each in explained]))
        for place, row in enumerate(rows):
            own_probabilities = None if probabilities is None else probabilities[place]
            done[row] = _explanation(labels, block[row], piece, place, explained[place], own_probabilities, settings)
    for row in range(len(block)):
        yield done.pop(row)


def led_pieces(
    model: Classifier, batch: Batch, target: Any, own: list[Any] | None, settings: ExplainSettings
) -> Iterator[tuple[list[int], Batch, list[DocumentRelevance]]]:
    """:func:`relevance_of_batch` for a block of any size, piece by piece: rows, piece, and what was found."""
    for rows in pieces_of_block(batch.lengths, model.max_texts_per_trace):
        piece = batch if rows == list(range(len(batch))) else batch.select(rows)
        own_piece = None if own is None else [own[row] for row in rows]
        with threads_for(len(rows), int(piece.lengths.max(initial=0))):
            explained = relevance_of_batch(model, piece, target, own_piece, settings)
        yield rows, piece, explained


def pieces_of_block(lengths: NDArray[np.int32], most: int) -> Iterator[list[int]]:
    """Rows of a block, texts of like length together, few enough that padding stays small."""
    piece: list[int] = []
    for row in np.argsort(lengths, kind="stable").tolist():
        if piece and (len(piece) == most or (len(piece) + 1) * int(lengths[row]) > PADDED_WORDS):
            yield piece
            piece = []
        piece.append(row)
    yield piece


def _explanation(
    labels: tuple[str, ...],
    document: Document,
    batch: Batch,
    n: int,
    explained: DocumentRelevance,
    probabilities: Array | None,
    settings: ExplainSettings,
) -> Explanation:
    reading = batch.readings[n]
    on_tokens = np.zeros((len(explained.targets), len(reading.tokens)), dtype=explained.relevance.dtype)
    on_tokens[:, reading.positions] = explained.relevance
    of_lrp = settings.method is None
    entries = np.array(list(explained.ledger.values())) if explained.ledger else np.zeros((0, 1))
    return Explanation(
        document_id=document.id,
        tokens=reading.tokens,
        labels=labels,
        scores=explained.scores,
        probabilities=probabilities,
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
        true_label=None if document.label is None else str(document.label),
        start=explained.start,
        notes=(*explained.remarks, *tie_note(explained.scores, labels)),
        target_notes=notes_of_targets(
            explained.targets,
            labels,
            explained.scores,
            explained.start,
            explained.relevance,
            fixed_sign=explained.fixed_sign,
            for_pixels=bool(explained.remarks),
        )
        if of_lrp
        else (),
    )
