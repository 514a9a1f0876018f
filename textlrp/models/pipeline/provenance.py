"""N-gram provenance: which characters of a text made which feature, and how a feature's relevance is distributed.

If a character analyzer takes part, the tokens of a text are its characters. Otherwise they are the stretches into
which the edges of all vectorizers' words divide the text. The relevance of a feature is distributed in three steps:

1. equally over its occurrences in the text (by their sign, if a hashed feature counts with signs),
2. equally over the units (words or characters) of each occurrence,
3. over the tokens of each unit in proportion to their length.

Units without an origin in the text (padding) get a share only if an n-gram has no others: that share is ``ignored``.
The shares of a non-zero feature sum to 1, so relevance is conserved.

Letters: T tokens of a text, L of them read by the model, M units, O occurrences, V columns of a vectorizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.arrays import IntArray
from textlrp.models.pipeline.frame_rows import FrameRow
from textlrp.models.pipeline.vectorizers import Analysis, TextVectorizer, analyze
from textlrp.records import Document, Ranges, Status, Tokens
from textlrp.text.batches import Reading
from textlrp.text.placing import Offsets


@dataclass(frozen=True, slots=True, eq=False)
class Occurrences:
    """The occurrences of one vectorizer's features in one text, in terms of the L tokens that the model reads.

    ``columns``, ``signs``, ``first``, ``last`` (O,) as in :class:`Analysis`. ``shares`` (M, L), CSR: how a unit's
    relevance is distributed over the tokens; a row of zeros for a unit without an origin.
    """

    columns: IntArray
    signs: IntArray
    first: IntArray
    last: IntArray
    shares: Any

    def kept(self, keep: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
        """Return columns and signs of the occurrences without a dropped unit.

        A unit is dropped when all its tokens are: ``keep`` (L,) is False there.
        """
        has_tokens = np.diff(self.shares.indptr) > 0
        dropped = has_tokens & ~(self.shares @ keep.astype(np.float64) > 0)
        # an occurrence is kept if no unit between its first and its last is dropped
        before = np.concatenate([[0], np.cumsum(dropped)])
        is_kept = before[self.first] == before[self.last]
        return self.columns[is_kept], self.signs[is_kept]

    def column_shares(self, columns_to_share: IntArray, *, present: bool) -> Any:
        """Return how the relevance of some columns (J,) is distributed: (J, L + 1), CSR; the last column is ignored.

        ``present``: a column counts once, however often it occurs, whatever the signs.
        """
        chosen = np.flatnonzero(np.isin(self.columns, columns_to_share))
        columns, row = np.unique(self.columns[chosen], return_inverse=True)
        signs = np.ones(len(chosen)) if present else self.signs[chosen].astype(np.float64)
        total = np.bincount(row, signs, minlength=len(columns))
        # Signs may cancel: then the feature is 0 and has no relevance, and its shares are 0 instead of 0/0.
        weight = np.where(total[row] == 0, 0.0, signs / np.where(total[row] == 0, 1.0, total[row]))
        occurrences = sparse.csr_matrix((weight, (row, np.arange(len(chosen)))), shape=(len(columns), len(chosen)))
        return (occurrences @ self._occurrence_shares(chosen))[np.searchsorted(columns, columns_to_share)]

    def _occurrence_shares(self, chosen: IntArray) -> Any:
        """(chosen, L + 1), CSR: each occurrence, equally over those of its units that have an origin in the text."""
        first, lengths = self.first[chosen], (self.last - self.first)[chosen]
        row = np.repeat(np.arange(len(chosen)), lengths)
        # all ranges first[i] to last[i] concatenated, without a loop
        unit = np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(len(row))
        real = (np.diff(self.shares.indptr) > 0)[unit]
        units = np.bincount(row, real, minlength=len(chosen))
        share = sparse.csr_matrix(
            (1 / units[row[real]], (row[real], unit[real])), shape=(len(chosen), self.shares.shape[0])
        )
        ignored = sparse.csr_matrix((units == 0).astype(np.float64)[:, None])
        return sparse.hstack([share @ self.shares, ignored], format="csr")


@dataclass(frozen=True, slots=True, eq=False)
class ReadSource:
    """A text as a pipeline reads it.

    ``document`` has the text with skipped ranges blanked. ``texts`` are what each vectorizer reads of it, and
    ``occurrences`` those of its features in it.
    """

    document: Document
    texts: tuple[str, ...]
    occurrences: tuple[Occurrences, ...]


def read_document(
    document: Document, readers: Sequence[TextVectorizer], used_columns: Sequence[NDArray[np.bool_]]
) -> tuple[Reading, ReadSource]:
    """Return the tokens of a document, and what the vectorizers read in it.

    ``used_columns``: for each vectorizer, which of its columns (V,) the linear model uses.
    """
    text = blank(document.text, document.skip)
    places = [_place(document, reader) for reader in readers]
    texts = tuple(text[start:end] for start, end in places)
    analyses = [
        _shifted_analysis(analyze(reader, part), start)
        for reader, part, (start, _) in zip(readers, texts, places, strict=True)
    ]
    if any(reader.characters for reader in readers):
        edges = np.arange(len(text) + 1, dtype=np.int32)
        spans = np.stack([edges[:-1], edges[1:]], axis=1)
    else:
        skipped_words = _skipped_words(document, readers) if len(document.skip) else []
        words = (
            [analysis.spans for analysis in analyses] + [analysis.stopped for analysis in analyses] + skipped_words
        )
        spans = split_at_edges(words, document.skip)
    status, reached = _status(spans, document.skip, analyses, used_columns)
    positions = np.flatnonzero(status == Status.READ).astype(np.int32)
    forms = _forms(document.text, spans, analyses)
    reading = Reading(
        document.id,
        Tokens(document.text, spans, forms),
        status,
        positions,
        tuple(forms[t] for t in positions.tolist()),
    )
    number = np.full(len(spans), -1, dtype=np.int64)
    number[positions] = np.arange(len(positions))
    occurrences = tuple(
        Occurrences(*analysis[3:], _unit_shares(*token_range, spans, number, len(positions)))
        for analysis, token_range in zip(analyses, reached, strict=True)
    )
    return reading, ReadSource(replace(document, text=text), texts, occurrences)


def _place(document: Document, reader: TextVectorizer) -> tuple[int, int]:
    """Start and end of what a vectorizer reads of a document: all of a text, or a column of a row."""
    return document.places[reader.column] if isinstance(document, FrameRow) else (0, len(document.text))


def _shifted_analysis(analysis: Analysis, start: int) -> Analysis:
    """The analysis of a part of a text that begins at ``start``."""
    if not start:
        return analysis
    spans, stopped = (
        np.where(each[:, :1] < each[:, 1:], each + start, each) for each in (analysis.spans, analysis.stopped)
    )
    return analysis._replace(spans=spans.astype(np.int32), stopped=stopped.astype(np.int32))


def blank(text: str, skip: Ranges) -> str:
    """Replace the characters of the skipped ranges by blanks, so that all offsets stay the same."""
    for start, end in skip.tolist():
        text = text[:start] + " " * (len(text[:end]) - len(text[:start])) + text[end:]
    return text


def split_at_edges(words: Sequence[Offsets], skip: Ranges) -> Offsets:
    """Return the stretches (T, 2) that spans (each (M, 2)) cover.

    They are split wherever a span or a skipped range begins or ends.
    """
    spans = np.concatenate([np.zeros((0, 2), dtype=np.int32), *words])
    spans = spans[spans[:, 0] < spans[:, 1]]
    if not len(spans):
        return spans
    edges = np.unique(np.concatenate([spans.ravel(), skip.astype(np.int32).ravel()]))
    opened = np.bincount(np.searchsorted(edges, spans[:, 0]), minlength=len(edges))
    closed = np.bincount(np.searchsorted(edges, spans[:, 1]), minlength=len(edges))
    covered = np.cumsum(opened - closed)[:-1] > 0
    return np.stack([edges[:-1], edges[1:]], axis=1)[covered].astype(np.int32)


# ---- steps of read_document


def _skipped_words(document: Document, readers: Sequence[TextVectorizer]) -> list[Offsets]:
    """Spans of the words in the skipped ranges, to show them as skipped tokens."""
    words = []
    for reader in readers:
        units = reader.units(document.text)
        spans = np.concatenate([units.spans, units.stopped])
        for start, end in document.skip.tolist():
            inside = np.clip(spans, start, end)
            words.append(inside[inside[:, 0] < inside[:, 1]])
    return words


def _status(
    spans: Offsets, skip: Ranges, analyses: Sequence[Analysis], used_columns: Sequence[NDArray[np.bool_]]
) -> tuple[NDArray[np.uint8], list[tuple[IntArray, IntArray]]]:
    """The status (T,) of each token, and the first and last token (exclusive) of each unit."""
    status = np.full(len(spans), Status.NOT_A_WORD, dtype=np.uint8)
    reached = []
    covered = np.zeros(len(spans), dtype=bool)
    read = np.zeros(len(spans), dtype=bool)
    for analysis, columns in zip(analyses, used_columns, strict=True):
        low = np.searchsorted(spans[:, 0], analysis.spans[:, 0])
        high = np.maximum(low, np.searchsorted(spans[:, 0], analysis.spans[:, 1]))
        reached.append((low, high))
        known = columns[analysis.columns]
        in_feature = _covered(analysis.first[known], analysis.last[known], len(low))
        covered |= _covered(low, high, len(spans))
        read |= _covered(low[in_feature], high[in_feature], len(spans))
    status[covered] = Status.UNKNOWN
    status[read] = Status.READ
    for start, end in skip.tolist():
        status[(spans[:, 0] >= start) & (spans[:, 0] < end)] = Status.SKIPPED
    return status, reached


def _covered(first: IntArray, last: IntArray, size: int) -> NDArray[np.bool_]:
    """(size,): which positions the runs from ``first`` to ``last`` (exclusive) cover."""
    opened = np.bincount(first, minlength=size + 1) - np.bincount(last, minlength=size + 1)
    return np.asarray(np.cumsum(opened)[:-1] > 0)


def _unit_shares(low: IntArray, high: IntArray, spans: Offsets, number: IntArray, read: int) -> Any:
    """(M, L), CSR: each unit over its tokens ``low`` to ``high`` by length; ``number`` (T,) counts tokens read."""
    lengths = high - low
    unit = np.repeat(np.arange(len(low)), lengths)
    token = np.repeat(low - np.cumsum(lengths) + lengths, lengths) + np.arange(len(unit))
    real = number[token] >= 0
    unit, token = unit[real], token[real]
    size = (spans[token, 1] - spans[token, 0]).astype(np.float64)
    total = np.bincount(unit, size, minlength=len(low))
    return sparse.csr_matrix((size / total[unit], (unit, number[token])), shape=(len(low), read))


def _forms(text: str, spans: Offsets, analyses: Sequence[Analysis]) -> tuple[str, ...]:
    """Each token as a vectorizer reads it, or as it is written if no vectorizer has exactly this token."""
    seen: dict[tuple[int, int], str] = {}
    for analysis in reversed(analyses):
        seen.update(zip(map(tuple, analysis.spans.tolist()), analysis.forms, strict=True))
    return tuple(seen.get((start, end)) or text[start:end] for start, end in spans.tolist())
