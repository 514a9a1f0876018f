"""Documents in which some words are replaced by one made-up word, so that the other words keep their positions.

Letters: N documents, L words of a document that the model reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.records import Document
from textlrp.text.batches import Reading


@dataclass(frozen=True, slots=True, eq=False)
class MaskedDocument:
    """A document after masking, and where its words are now.

    ``spans`` (L, 2) are the offsets in the new text of the words of the original text, masked or not.
    """

    document: Document
    spans: NDArray[np.int64]

    def relevance(self, reading: Reading, relevance: Array) -> NDArray[np.float64]:
        """(L,) the relevance of each original word, from the ``relevance`` of the words of the new text."""
        owner = np.full(len(self.document.text) + 1, -1, dtype=np.int64)
        for word, (start, end) in enumerate(self.spans.tolist()):
            owner[start:end] = word
        found = np.zeros(len(self.spans))
        words = owner[reading.tokens.spans[reading.positions, 0]]
        np.add.at(found, words[words >= 0], np.asarray(relevance, dtype=np.float64)[words >= 0])
        return found


def masked_document(
    document: Document, spans: NDArray[np.int32], masked: NDArray[np.bool_], mask: str
) -> MaskedDocument:
    """Replace the words at ``spans`` (L, 2) with ``masked`` (L,) True by the word ``mask``.

    Blanks are added where the mask would touch another word. Skipped ranges of the document move with the text.
    """
    text, parts, moved = document.text, [], np.zeros(spans.shape, dtype=np.int64)
    position, length = 0, 0
    ends, shifts = [0], [0]  # characters of the original text up to here, and how far what follows has moved
    for word, (start, end) in enumerate(spans.tolist()):
        parts.append(text[position:start])
        length += start - position
        new, before = text[start:end], ""
        if masked[word]:
            last = parts[-1][-1:] or text[start - 1 : start] if start else ""
            before = " " if last and not last.isspace() else ""
            new = mask + (" " if end < len(text) and not text[end].isspace() else "")
        moved[word] = length + len(before), length + len(before) + (len(mask) if masked[word] else len(new))
        parts += (before, new)
        length += len(before) + len(new)
        position = end
        ends.append(end)
        shifts.append(length - end)
    parts.append(text[position:])
    skip = document.skip
    if len(skip):
        behind = np.searchsorted(ends, skip, side="right") - 1
        skip = (skip + np.array(shifts)[behind]).astype(np.int32)
    return MaskedDocument(replace(document, text="".join(parts), skip=skip), moved)


def more_masked(masked: NDArray[np.bool_], relevance: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """(L,) mask the most relevant of the remaining words until ``share`` of the words are masked, rounded down.

    Masked words stay masked. Of equally relevant words the first is masked first.
    """
    order = np.argsort(np.where(masked, -np.inf, -relevance), kind="stable")
    changed = masked.copy()
    changed[order[: int(share * len(masked) + 1e-9)]] = True
    return changed


def packed_masks(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.uint8]:
    """The masks of N documents as bits, one document after another."""
    return np.packbits(np.concatenate([np.zeros(0, dtype=bool), *masks]))


def unpacked_masks(packed: NDArray[np.uint8], lengths: Sequence[int]) -> list[NDArray[np.bool_]]:
    """The inverse of :func:`packed_masks` for documents of L words each."""
    flat = np.unpackbits(packed, count=sum(lengths)).astype(bool)
    return np.split(flat, np.cumsum(lengths)[:-1])
