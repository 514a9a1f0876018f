"""Turn texts into batches of word ids: tokenize, skip, look up, cut. Open it to see what a model reads of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textlrp.errors import OptionError
from textlrp.records import Document, Ranges, Status, Tokens, no_ranges
from textlrp.text.batches import TEXTS_TOGETHER, Batch, Reading, end_to_end, following, joined_runs
from textlrp.text.memory import FoundTokens, Memory
from textlrp.text.skip import inside
from textlrp.text.tokens import Tokenizer
from textlrp.text.vocabulary import PADDING, Vocabulary

_NO_RANGES = no_ranges()
_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """How a model reads a text: its tokenizer, case, skipped ranges, and the most words it takes of one text.

    A token is skipped if it starts inside a range that ``skip(text)`` or the document itself marks. With
    ``punctuation`` the model reads numbers, symbols and punctuation marks too, not words alone.
    Each distinct chunk of text is tokenized, filtered and normalized once and then remembered. Texts are read
    fastest many at once: :meth:`encode_readings`, :meth:`read_all`.
    Raises :class:`OptionError` if ``max_tokens`` is below 1.
    """

    tokenizer: Tokenizer
    lowercase: bool
    skip: Callable[[str], Ranges]
    max_tokens: int | None
    punctuation: bool = False
    _memory: Memory = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise OptionError(f"max_tokens={self.max_tokens!r}: a model reads at least one word, or None for all.")
        object.__setattr__(self, "_memory", Memory(self.tokenizer, self.lowercase, self.punctuation))

    def __reduce__(self) -> tuple[Any, ...]:
        return Reader, (self.tokenizer, self.lowercase, self.skip, self.max_tokens, self.punctuation)

    def read(self, document: Document | str, number: int) -> Reading:
        """All tokens of a text and what becomes of each; a plain string's id is ``str(number)``."""
        return self._block([document]).readings(number)[0]

    def read_all(self, documents: Iterable[Document | str]) -> Iterator[Reading]:
        """:meth:`read` for many texts, numbered from 0."""
        for number, block in self._blocks(documents):
            yield from block.readings(number)

    def words(self, document: Document | str) -> list[str]:
        """The words the model reads, in order: ``read(document, 0).forms``, without the rest of the record."""
        return self._block([document]).words()[0]

    def words_of_all(self, documents: Iterable[Document | str]) -> Iterator[list[str]]:
        """:meth:`words` for many texts."""
        for _, block in self._blocks(documents):
            yield from block.words()

    def ids_of_all(self, documents: Iterable[Document | str], vocabulary: Vocabulary) -> Iterator[NDArray[np.int64]]:
        """(L,) int64 ids of the words of each text; 0 where unknown."""
        for _, block in self._blocks(documents, vocabulary):
            yield from block.ids()

    def ids_and_pieces(
        self, documents: Iterable[Document | str], vocabulary: Vocabulary
    ) -> Iterator[tuple[NDArray[np.int64], list[str]]]:
        """:meth:`ids_of_all`, and the words of each text in pieces: those with nothing between them joined."""
        for _, block in self._blocks(documents, vocabulary):
            yield from zip(block.ids(), block.pieces(), strict=True)

    def encode(self, documents: Iterable[Document | str], vocabulary: Vocabulary) -> Batch:
        """What :func:`encode_readings` makes of :meth:`read_all`, in fewer steps."""
        readings: list[Reading] = []
        rows: list[NDArray[np.int64]] = []
        statuses: list[NDArray[np.uint8]] = []
        counts: list[NDArray[np.int32]] = []
        for number, block in self._blocks(documents, vocabulary):
            readings += block.readings(number)
            rows += block.ids()
            statuses += block.known_status()
            counts += block.per_token(vocabulary.counts_of(block.found.ids))
        return Batch(tuple(readings), *end_to_end(rows), tuple(statuses), tuple(counts))

    # ---- parts

    def _blocks(
        self, documents: Iterable[Document | str], vocabulary: Vocabulary | None = None
    ) -> Iterator[tuple[int, _Block]]:
        """Blocks of texts, each with the number of its first."""
        rest, number = iter(documents), 0
        while block := list(islice(rest, TEXTS_TOGETHER)):
            yield number, self._block(block, vocabulary)
            number += len(block)

    def _block(self, documents: Sequence[Document | str], vocabulary: Vocabulary | None = None) -> _Block:
        texts = [document if isinstance(document, str) else document.text for document in documents]
        found = self._memory.find(texts, vocabulary)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        bounds = _bounds(found.sizes)
        for ranges in (map(self.skip, texts), map(_own_skip, documents)):
            _mark_skipped(found, lengths, list(ranges))
        positions = np.flatnonzero(found.status == Status.READ)
        if self.max_tokens is not None:
            before = np.searchsorted(positions, bounds[:-1])
            rank = np.arange(len(positions)) - np.repeat(before, np.diff(before, append=len(positions)))
            found.status[positions[rank >= self.max_tokens]] = Status.TRUNCATED
            positions = positions[rank < self.max_tokens]
        return _Block(
            documents, texts, found, bounds.tolist(), positions, np.searchsorted(positions, bounds).tolist()
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """N texts read together: their S tokens, and which of them are read, ``positions`` (P,) among the S.

    Text n has the tokens ``bounds[n]`` to ``bounds[n + 1]`` and the positions ``reads[n]`` to ``reads[n + 1]``.
    """

    documents: Sequence[Document | str]
    texts: list[str]
    found: FoundTokens
    bounds: list[int]
    positions: NDArray[np.int64]
    reads: list[int]

    def readings(self, number: int) -> list[Reading]:
        """A reading for each text, numbered from ``number``."""
        spans, status = self.per_token(self.found.spans), self.per_token(self.found.status)
        forms = self.found.forms.tolist()
        own = self.positions - np.repeat(self.bounds[:-1], np.diff(self.reads))
        positions = self.per_word(own.astype(np.int32))
        words = self.words()
        return [
            Reading(
                str(number + n) if isinstance(document, str) else document.id,
                Tokens(self.texts[n], spans[n], tuple(forms[self.bounds[n] : self.bounds[n + 1]])),
                status[n],
                positions[n],
                tuple(words[n]),
            )
            for n, document in enumerate(self.documents)
        ]

    def words(self) -> list[list[str]]:
        """The words read of each text."""
        words = self.found.forms[self.positions].tolist()
        return [words[start:end] for start, end in pairwise(self.reads)]

    def pieces(self) -> list[list[str]]:
        """The words of each text, those with nothing between them joined to one string."""
        spans = self.per_word(self.found.spans[self.positions])
        return [joined_runs(words, following(own)) for words, own in zip(self.words(), spans, strict=True)]

    def ids(self) -> list[NDArray[np.int64]]:
        """(L,) the ids of the words of each text."""
        return self.per_word(self.found.ids[self.positions])

    def known_status(self) -> list[NDArray[np.uint8]]:
        """(T,) the status of each text's tokens, UNKNOWN where a word that is read has no id."""
        status = self.found.status.copy()
        status[self.positions[self.found.ids[self.positions] == PADDING]] = Status.UNKNOWN
        return self.per_token(status)

    def per_token(self, values: NDArray[_Value]) -> list[NDArray[_Value]]:
        """(S, ...) in parts, one for each text; copies, so that one text's part does not keep the block's alive."""
        return [values[start:end].copy() for start, end in pairwise(self.bounds)]

    def per_word(self, values: NDArray[_Value]) -> list[NDArray[_Value]]:
        """The same for (P,)."""
        return [values[start:end].copy() for start, end in pairwise(self.reads)]


def _own_skip(document: Document | str) -> Ranges:
    return _NO_RANGES if isinstance(document, str) else document.skip


def _mark_skipped(found: FoundTokens, lengths: NDArray[np.int64], ranges: Sequence[Ranges]) -> None:
    """Set the status of the tokens that start inside the ranges of their text; ``lengths`` (N,) of the texts."""
    sizes = np.fromiter(map(len, ranges), np.int64, len(ranges))
    if sizes.any():
        # one text behind the other: a range that reaches out of its text must not reach into the next
        begins = _bounds(lengths)[:-1]
        together = np.concatenate(ranges)
        together = np.minimum(np.maximum(together, 0), np.repeat(lengths, sizes)[:, None])
        together += np.repeat(begins, sizes)[:, None]
        found.status[inside(found.spans[:, 0] + np.repeat(begins, found.sizes), together)] = Status.SKIPPED


def _bounds(sizes: ArrayLike) -> NDArray[np.int64]:
    """(N + 1,) where each of N parts starts, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


# ---- from words to ids


def encode_readings(readings: Iterable[Reading], vocabulary: Vocabulary) -> Batch:
    """Look the words of some readings up: their ids, and what the vocabulary knows of each token."""
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
    return Batch(readings, *end_to_end(rows), tuple(statuses), tuple(counts))
