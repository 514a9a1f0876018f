"""One block of documents -> their Explanations, by LRP or by another method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import TargetError
from textlrp.explainers.batch_relevance import How, Led, lead
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
    model: Classifier, block: list[Document], target: Any, targets: Iterable[Any] | None, how: How
) -> Iterator[Explanation]:
    """The explanations of a block, in order; ``targets`` holds one target per document where it is given."""
    own = None if targets is None else list(targets)
    if own is not None and len(own) != len(block):
        raise TargetError(
            f"targets= ended before the documents did; one for each is wanted, {block[len(own)].id!r} has none."
        )
    done: dict[int, Explanation] = {}
    labels = tuple(map(str, model.classes_))
    for rows, piece, led in led_pieces(model, model.encode(block), target, own, how):
        probabilities = model.probabilities(np.stack([each.scores for each in led]))
        for place, row in enumerate(rows):
            own_probabilities = None if probabilities is None else probabilities[place]
            done[row] = _explanation(labels, block[row], piece, place, led[place], own_probabilities, how)
    for row in range(len(block)):
        yield done.pop(row)


def led_pieces(
    model: Classifier, batch: Batch, target: Any, own: list[Any] | None, how: How
) -> Iterator[tuple[list[int], Batch, list[Led]]]:
    """:func:`lead` for a block of any size, piece by piece: the rows of a piece, the piece, and what was found."""
    for rows in pieces(batch.lengths, model.together):
        piece = batch if rows == list(range(len(batch))) else batch.select(rows)
        own_piece = None if own is None else [own[row] for row in rows]
        with threads_for(len(rows), int(piece.lengths.max(initial=0))):
            led = lead(model, piece, target, own_piece, how)
        yield rows, piece, led


def pieces(lengths: NDArray[np.int32], most: int) -> Iterator[list[int]]:
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
    led: Led,
    probabilities: Array | None,
    how: How,
) -> Explanation:
    reading = batch.readings[n]
    on_tokens = np.zeros((len(led.targets), len(reading.tokens)), dtype=led.relevance.dtype)
    on_tokens[:, reading.positions] = led.relevance
    of_lrp = how.method is None
    entries = np.array(list(led.ledger.values())) if led.ledger else np.zeros((0, 1))
    return Explanation(
        document_id=document.id,
        tokens=reading.tokens,
        labels=labels,
        scores=led.scores,
        probabilities=probabilities,
        targets=led.targets,
        relevance=on_tokens,
        status=batch.status[n],
        counts=batch.counts[n],
        ledger=dict(compress(led.ledger.items(), np.asarray(entries.any(axis=1)).tolist())),
        phrases=led.phrases,
        method=how.name,
        rule=how.printed,
        model=how.fingerprint,
        version=__version__,
        gold=None if document.label is None else str(document.label),
        start=led.start,
        notes=(*led.remarks, *tie_note(led.scores, labels)),
        target_notes=notes_of_targets(
            led.targets,
            labels,
            led.scores,
            led.start,
            led.relevance,
            fixed_sign=led.fixed_sign,
            for_pixels=bool(led.remarks),
        )
        if of_lrp
        else (),
    )
