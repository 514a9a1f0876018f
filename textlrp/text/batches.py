"""Texts as a model reads them: which tokens, in which order, with which ids.

Letters in shapes: N documents, T tokens of one text, L words read of one text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError
from textlrp.records import Document, Ranges, Status, Tokens
from textlrp.text.skip import inside
from textlrp.text.tokens import REMEMBERED, ChunkTokenizer, Tokenizer, is_word
from textlrp.text.vocabulary import PADDING, Vocabulary

_Piece: TypeAlias = tuple[tuple[tuple[int, int], ...], tuple[str, ...], tuple[bool, ...]]
"""Offsets, forms and is-a-word of the tokens of one chunk."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a model makes of one text, before it looks words up.

    ``tokens`` are all T tokens; ``status`` (T,) uint8 says what became of each (:class:`Status`, never ``UNKNOWN``
    yet); ``positions`` (L,) int32 are those the model reads, in order, and ``forms`` (L,) their words.
    """

    document_id: str
    tokens: Tokens
    status: NDArray[np.uint8]
    positions: NDArray[np.int32]
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """N readings with ids: ``ids`` (N, L) int64, padded with 0 at the right; ``lengths`` (N,) int32.

    An unknown word has id 0, keeps its position, and its ``status[n]`` (T,) is ``UNKNOWN``.
    ``counts[n]`` (T,) int32 is the number of training documents with each token's word.
    """

    readings: tuple[Reading, ...]
    ids: NDArray[np.int64]
    lengths: NDArray[np.int32]
    status: tuple[NDArray[np.uint8], ...]
    counts: tuple[NDArray[np.int32], ...]

    def __len__(self) -> int:
        return len(self.readings)

    def select(self, rows: Sequence[int]) -> Batch:
        """Some of the readings, in the order of ``rows``; padding is cut to the longest of them."""
        lengths = self.lengths[list(rows)]
        return Batch(
            tuple(self.readings[row] for row in rows),
            self.ids[list(rows), : int(lengths.max(initial=0))],
            lengths,
            tuple(self.status[row] for row in rows),
            tuple(self.counts[row] for row in rows),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """How a model reads a text: its tokenizer, case, skipped ranges, and the most words it takes of one text.

    A token is skipped if it starts inside a range that ``skip(text)`` or the document itself marks.
    Each distinct chunk of text is tokenised, filtered and normalised once and then remembered.
    Raises :class:`OptionError` if ``max_tokens`` is below 1.
    """

    tokenizer: Tokenizer
    lowercase: bool
    skip: Callable[[str], Ranges]
    max_tokens: int | None
    _piece: Callable[[str], _Piece] = field(init=False, repr=False)
    _words: Callable[[str], tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise OptionError(f"max_tokens={self.max_tokens!r}: a model reads at least one word, or None for all.")
        if isinstance(self.tokenizer, ChunkTokenizer):
            piece = _piece_maker(self.tokenizer.split, self.lowercase)
            object.__setattr__(self, "_piece", lru_cache(REMEMBERED)(piece))
            object.__setattr__(self, "_words", lru_cache(REMEMBERED)(lambda chunk: _words_of(piece(chunk))))

    def __reduce__(self) -> tuple[Any, ...]:
        return Reader, (self.tokenizer, self.lowercase, self.skip, self.max_tokens)

    def read(self, document: Document | str, number: int) -> Reading:
        """All tokens of a text and what becomes of each; a plain string's id is ``str(number)``."""
        text = document if isinstance(document, str) else document.text
        tokens, words = self._tokens(text)
        status = np.where(words, Status.READ, Status.NOT_A_WORD).astype(np.uint8)
        for ranges in self._ranges(document):
            status[inside(tokens.spans[:, 0], ranges)] = Status.SKIPPED
        positions = np.flatnonzero(status == Status.READ).astype(np.int32)
        if self.max_tokens is not None:
            status[positions[self.max_tokens :]] = Status.CUT_OFF
            positions = positions[: self.max_tokens]
        forms = tuple(map(tokens.forms.__getitem__, positions.tolist()))
        name = str(number) if isinstance(document, str) else document.id
        return Reading(name, tokens, status, positions, forms)

    def words(self, document: Document | str) -> list[str]:
        """The words the model reads, in order: ``read(document, 0).forms``, without the rest of the record."""
        text = document if isinstance(document, str) else document.text
        kept = self._kept(document, text)
        if kept is None or not isinstance(self.tokenizer, ChunkTokenizer):
            return list(self.read(document, 0).forms)
        findall = self.tokenizer.chunks.findall
        chunks = chain.from_iterable(findall(text, start, end) for start, end in kept)
        return list(islice(chain.from_iterable(map(self._words, chunks)), self.max_tokens))

    # ---- parts

    def _ranges(self, document: Document | str) -> Iterator[Ranges]:
        text = document if isinstance(document, str) else document.text
        candidates = [self.skip(text)] if isinstance(document, str) else [self.skip(text), document.skip]
        return (ranges for ranges in candidates if len(ranges))

    def _kept(self, document: Document | str, text: str) -> list[tuple[int, int]] | None:
        """What is left of a text beside the skipped ranges, or None if a range may cut a chunk."""
        skipped: list[tuple[int, int]] = sorted(
            (start, end) for ranges in self._ranges(document) for start, end in ranges.tolist() if start < end
        )
        kept, position = [], 0
        for start, end in skipped:
            if not (_is_gap(text, start) and _is_gap(text, end)):
                return None
            if position < start:
                kept.append((position, start))
            position = max(position, end)
        kept.append((position, len(text)))
        return kept

    def _tokens(self, text: str) -> tuple[Tokens, NDArray[np.bool_]]:
        if not isinstance(self.tokenizer, ChunkTokenizer):
            spans = self.tokenizer.spans(text)
            piece = _made(tuple(text[start:end] for start, end in spans.tolist()), self.lowercase)
            return Tokens(text, spans, piece[0]), np.array(piece[1], dtype=bool)
        remembered = self._piece
        flat: list[int] = []
        forms: list[str] = []
        words: list[bool] = []
        for match in self.tokenizer.chunks.finditer(text):
            at = match.start()
            offsets, chunk_forms, chunk_words = remembered(match[0])
            for start, end in offsets:
                flat += (at + start, at + end)
            forms += chunk_forms
            words += chunk_words
        return Tokens(text, np.array(flat, dtype=np.int32).reshape(-1, 2), tuple(forms)), np.array(words, dtype=bool)


_GAP = re.compile(r"[^\S ]")


def _is_gap(text: str, boundary: int) -> bool:
    """Whether no chunk can reach over a boundary: whitespace other than a blank beside it, or the text's end."""
    beside = text[boundary - 1 : boundary + 1] if boundary else ""
    return boundary in (0, len(text)) or _GAP.search(beside) is not None


def _made(tokens: tuple[str, ...], lowercase: bool) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    forms = tuple(map(str.lower, tokens)) if lowercase else tokens
    return forms, tuple(map(is_word, tokens))


def _piece_maker(split: Callable[[str], tuple[tuple[int, int], ...]], lowercase: bool) -> Callable[[str], _Piece]:
    def piece(chunk: str) -> _Piece:
        offsets = split(chunk)
        return offsets, *_made(tuple(chunk[start:end] for start, end in offsets), lowercase)

    return piece


def _words_of(piece: _Piece) -> tuple[str, ...]:
    return tuple(form for form, word in zip(piece[1], piece[2], strict=True) if word)


# ---- from words to ids


def encode(readings: Iterable[Reading], vocabulary: Vocabulary) -> Batch:
    """Look the words of some readings up: their ids, padded, and what the vocabulary knows of each token."""
    readings = tuple(readings)
    rows, statuses, counts = [], [], []
    for reading in readings:
        ids = vocabulary.ids(reading.tokens.forms)
        row = ids[reading.positions]
        status = reading.status.copy()
        status[reading.positions[row == PADDING]] = Status.UNKNOWN
        rows.append(row)
        statuses.append(status)
        counts.append(vocabulary.counts_of(ids))
    matrix, lengths = pad(rows)
    return Batch(readings, matrix, lengths, tuple(statuses), tuple(counts))


def pad(rows: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rows of ids as one matrix (N, L) int64, padded with 0 at the right, and their lengths (N,) int32."""
    lengths = np.array([len(row) for row in rows], dtype=np.int32)
    matrix = np.full((len(rows), int(lengths.max(initial=0))), PADDING, dtype=np.int64)
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = np.concatenate([np.zeros(0, np.int64), *rows])
    return matrix, lengths


def unpadded(ids: NDArray[np.int64], lengths: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """The rows (L,) of a padded matrix (N, L): what :func:`pad` was given."""
    return [row[:length] for row, length in zip(ids, lengths.tolist(), strict=True)]


def bucket(lengths: Sequence[int] | NDArray[np.integer[Any]], batch_size: int) -> list[NDArray[np.int64]]:
    """Positions 0..N-1 in batches of at most ``batch_size`` of like length, shortest first, equals in order.

    Raises :class:`OptionError` if ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise OptionError(f"batch_size={batch_size!r}: a batch has at least one document.")
    order = np.argsort(np.asarray(lengths), kind="stable").astype(np.int64)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
