"""Which characters of a text made which feature, and how a feature's relevance is shared among them.

The tokens of a text are its characters where a character analyzer takes part, else the stretches that the words of
all vectorizers have in common. A feature's relevance is shared equally over its occurrences (by their sign, where a
hashed feature counts with signs), an occurrence's over its units, a unit's over its tokens by their length. Units
that came from nowhere get a share only where an n-gram has no others: that share is ``ignored``.

Letters: T tokens of a text, L of them read, M units, O occurrences, V columns of a vectorizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.arrays import IntArray
from textlrp.models.pipeline.vectorizers import Analysis, TextVectorizer, analyze
from textlrp.records import Document, Ranges, Status, Tokens
from textlrp.text.batches import Reading
from textlrp.text.placing import Offsets


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """What one vectorizer saw in one text, in terms of the L tokens read.

    ``columns``, ``signs``, ``first``, ``last`` (O,) as in :class:`Analysis`. ``shares`` (M, L), CSR: how a unit's
    relevance is shared over the tokens; a row of zeros where it came from nowhere.
    """

    columns: IntArray
    signs: IntArray
    first: IntArray
    last: IntArray
    shares: Any

    def kept(self, keep: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
        """Columns and signs of the occurrences that no dropped unit takes part in.

        A unit is dropped when all its tokens are: ``keep`` (L,) is False there.
        """
        reached = np.diff(self.shares.indptr) > 0
        dropped = reached & ~(self.shares @ keep.astype(np.float64) > 0)
        before = np.concatenate([[0], np.cumsum(dropped)])
        whole = before[self.first] == before[self.last]
        return self.columns[whole], self.signs[whole]

    def column_shares(self, wanted: IntArray, *, present: bool) -> Any:
        """How the relevance of columns ``wanted`` (J,) is shared: (J, L + 1), CSR, the last for what is ignored.

        ``present``: a column counts once however often it occurs, whatever the signs.
        """
        chosen = np.flatnonzero(np.isin(self.columns, wanted))
        columns, row = np.unique(self.columns[chosen], return_inverse=True)
        signs = np.ones(len(chosen)) if present else self.signs[chosen].astype(np.float64)
        total = np.bincount(row, signs, minlength=len(columns))
        weight = np.where(total[row] == 0, 0.0, signs / np.where(total[row] == 0, 1.0, total[row]))
        occurrences = sparse.csr_matrix((weight, (row, np.arange(len(chosen)))), shape=(len(columns), len(chosen)))
        return (occurrences @ self._occurrence_shares(chosen))[np.searchsorted(columns, wanted)]

    def _occurrence_shares(self, chosen: IntArray) -> Any:
        """(chosen, L + 1), CSR: each occurrence equally over those of its units that the text has."""
        first, lengths = self.first[chosen], (self.last - self.first)[chosen]
        row = np.repeat(np.arange(len(chosen)), lengths)
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
    """A text as a pipeline read it: ``text`` with skipped ranges blanked, and what each vectorizer saw in it."""

    text: str
    traced: tuple[Traced, ...]


def read_document(
    document: Document, readers: Sequence[TextVectorizer], used: Sequence[NDArray[np.bool_]]
) -> tuple[Reading, ReadSource]:
    """What the vectorizers see in a document, and its tokens.

    ``used``: which columns (V,) of each vectorizer the linear model sees.
    """
    text = blank(document.text, document.skip)
    analyses = [analyze(reader, text) for reader in readers]
    if any(reader.characters for reader in readers):
        edges = np.arange(len(text) + 1, dtype=np.int32)
        spans = np.stack([edges[:-1], edges[1:]], axis=1)
    else:
        hidden = _skipped_words(document, readers) if len(document.skip) else []
        words = [found.spans for found in analyses] + [found.stopped for found in analyses] + hidden
        spans = refine(words, document.skip)
    status, reached = _status(spans, document.skip, analyses, used)
    positions = np.flatnonzero(status == Status.READ).astype(np.int32)
    forms = _forms(document.text, spans, analyses)
    reading = Reading(
        document.id,
        Tokens(document.text, spans, forms),
        status,
        positions,
        tuple(forms[place] for place in positions.tolist()),
    )
    number = np.full(len(spans), -1, dtype=np.int64)
    number[positions] = np.arange(len(positions))
    traced = tuple(
        Traced(*found[3:], _unit_shares(*places, spans, number, len(positions)))
        for found, places in zip(analyses, reached, strict=True)
    )
    return reading, ReadSource(text, traced)


def blank(text: str, skip: Ranges) -> str:
    """The text with blanks in place of the characters of the skipped ranges."""
    for start, end in skip.tolist():
        text = text[:start] + " " * (len(text[:end]) - len(text[:start])) + text[end:]
    return text


def refine(words: Sequence[Offsets], skip: Ranges) -> Offsets:
    """The stretches (T, 2) that spans (each (M, 2)) have in common: cut wherever one of them, or a range, ends."""
    spans = np.concatenate([np.zeros((0, 2), dtype=np.int32), *words])
    spans = spans[spans[:, 0] < spans[:, 1]]
    if not len(spans):
        return spans
    edges = np.unique(np.concatenate([spans.ravel(), skip.astype(np.int32).ravel()]))
    opened = np.bincount(np.searchsorted(edges, spans[:, 0]), minlength=len(edges))
    closed = np.bincount(np.searchsorted(edges, spans[:, 1]), minlength=len(edges))
    covered = np.cumsum(opened - closed)[:-1] > 0
    return np.stack([edges[:-1], edges[1:]], axis=1)[covered].astype(np.int32)


# ---- parts


def _skipped_words(document: Document, readers: Sequence[TextVectorizer]) -> list[Offsets]:
    """What would have been words in the skipped ranges, had they been read."""
    words = []
    for reader in readers:
        units = reader.units(document.text)
        spans = np.concatenate([units.spans, units.stopped])
        for start, end in document.skip.tolist():
            inside = np.clip(spans, start, end)
            words.append(inside[inside[:, 0] < inside[:, 1]])
    return words


def _status(
    spans: Offsets, skip: Ranges, analyses: Sequence[Analysis], used: Sequence[NDArray[np.bool_]]
) -> tuple[NDArray[np.uint8], list[tuple[IntArray, IntArray]]]:
    """The status (T,) of each token, and the first and last token (not included) of each unit."""
    status = np.full(len(spans), Status.NOT_A_WORD, dtype=np.uint8)
    reached = []
    covered = np.zeros(len(spans), dtype=bool)
    read = np.zeros(len(spans), dtype=bool)
    for found, columns in zip(analyses, used, strict=True):
        low = np.searchsorted(spans[:, 0], found.spans[:, 0])
        high = np.maximum(low, np.searchsorted(spans[:, 0], found.spans[:, 1]))
        reached.append((low, high))
        known = columns[found.columns]
        in_feature = _cover(found.first[known], found.last[known], len(low))
        covered |= _cover(low, high, len(spans))
        read |= _cover(low[in_feature], high[in_feature], len(spans))
    status[covered] = Status.UNKNOWN
    status[read] = Status.READ
    for start, end in skip.tolist():
        status[(spans[:, 0] >= start) & (spans[:, 0] < end)] = Status.SKIPPED
    return status, reached


def _cover(first: IntArray, last: IntArray, size: int) -> NDArray[np.bool_]:
    """(size,): which places the runs from ``first`` to ``last`` (not included) cover."""
    opened = np.bincount(first, minlength=size + 1) - np.bincount(last, minlength=size + 1)
    return np.asarray(np.cumsum(opened)[:-1] > 0)


def _unit_shares(low: IntArray, high: IntArray, spans: Offsets, number: IntArray, read: int) -> Any:
    """(M, L), CSR: each unit over the tokens ``low`` to ``high`` by length; ``number`` (T,) counts those read."""
    lengths = high - low
    unit = np.repeat(np.arange(len(low)), lengths)
    token = np.repeat(low - np.cumsum(lengths) + lengths, lengths) + np.arange(len(unit))
    real = number[token] >= 0
    unit, token = unit[real], token[real]
    size = (spans[token, 1] - spans[token, 0]).astype(np.float64)
    total = np.bincount(unit, size, minlength=len(low))
    return sparse.csr_matrix((size / total[unit], (unit, number[token])), shape=(len(low), read))


def _forms(text: str, spans: Offsets, analyses: Sequence[Analysis]) -> tuple[str, ...]:
    """Each token as a vectorizer saw it, or as it is written where none saw it whole."""
    seen: dict[tuple[int, int], str] = {}
    for found in reversed(analyses):
        seen.update(zip(map(tuple, found.spans.tolist()), found.forms, strict=True))
    return tuple(seen.get((start, end)) or text[start:end] for start, end in spans.tolist())
