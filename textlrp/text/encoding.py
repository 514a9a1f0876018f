"""Turn texts into batches of word ids: tokenize, skip ranges, look up words, truncate.

Open this module to see which words of a text a model reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textlrp.errors import OptionError, must_be
from textlrp.records import Document, Ranges, Status, Tokens, no_ranges
from textlrp.text.batches import TEXTS_TOGETHER, Batch, Reading, end_to_end, following, joined_runs
from textlrp.text.memory import FoundTokens, TokenCache
from textlrp.text.skip import inside
from textlrp.text.tokens import Tokenizer
from textlrp.text.vocabulary import PADDING, Vocabulary

_NO_RANGES = no_ranges()
_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Reads texts for a model with its tokenizer, case, skipped ranges and maximum number of words per text.

    A token is skipped if it starts inside a range of ``skip(text)`` or of ``Document.skip``. With ``punctuation`` the
    model also reads numbers, symbols and punctuation marks. Each distinct chunk of text is tokenized, filtered and
    normalized once and then cached. Reading many texts in one call is fastest: :meth:`encode`, :meth:`read_all`.
    Raises :class:`OptionError` if ``max_tokens`` is below 1.
    """

    tokenizer: Tokenizer
    lowercase: bool
    skip: Callable[[str], Ranges]
    max_tokens: int | None
    punctuation: bool = False
    _cache: TokenCache = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise OptionError(must_be("max_tokens", "at least 1, or None for all words", self.max_tokens))
        object.__setattr__(self, "_cache", TokenCache(self.tokenizer, self.lowercase, self.punctuation))

    def __reduce__(self) -> tuple[Any, ...]:
        return Reader, (self.tokenizer, self.lowercase, self.skip, self.max_tokens, self.punctuation)

    def read(self, document: Document | str, number: int) -> Reading:
        """Return all tokens of a text with the status of each; the id of a plain string is ``str(number)``."""
        return self._block([document]).readings(number)[0]

    def read_all(self, documents: Iterable[Document | str]) -> Iterator[Reading]:
        """Apply :meth:`read` to many texts, numbered from 0."""
        for number, block in self._blocks(documents):
            yield from block.readings(number)

    def words(self, document: Document | str) -> list[str]:
        """Return the words that the model reads, in order: the same as ``read(document, 0).forms``, but faster."""
        return self._block([document]).words()[0]

    def words_of_all(self, documents: Iterable[Document | str]) -> Iterator[list[str]]:
        """Apply :meth:`words` to many texts."""
        for _, block in self._blocks(documents):
            yield from block.words()

    def ids_of_all(self, documents: Iterable[Document | str], vocabulary: Vocabulary) -> Iterator[NDArray[np.int64]]:
        """Yield the ids (L,) int64 of the words of each text; 0 for an unknown word."""
        for _, block in self._blocks(documents, vocabulary):
            yield from block.ids()

    def ids_and_runs(
        self, documents: Iterable[Document | str], vocabulary: Vocabulary, *, without: Collection[str] = ()
    ) -> Iterator[tuple[NDArray[np.int64], list[str]]]:
        """Yield the ids of each text as :meth:`ids_of_all` does, and its words, with adjacent words joined.

        The joined words are those not in ``without``.
        """
        for _, block in self._blocks(documents, vocabulary):
            yield from zip(block.ids(), block.runs(without), strict=True)

    def encode(self, documents: Iterable[Document | str], vocabulary: Vocabulary) -> Batch:
        """Return the batch of some texts: ``encode_readings(read_all(documents), vocabulary)``, but faster."""
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

    # ---- blocks of texts

    def _blocks(
        self, documents: Iterable[Document | str], vocabulary: Vocabulary | None = None
    ) -> Iterator[tuple[int, _Block]]:
        """Yield blocks of texts, each with the number of its first text."""
        rest, number = iter(documents), 0
        while block := list(islice(rest, TEXTS_TOGETHER)):
            yield number, self._block(block, vocabulary)
            number += len(block)

    def _block(self, documents: Sequence[Document | str], vocabulary: Vocabulary | None = None) -> _Block:
        texts = [document if isinstance(document, str) else document.text for document in documents]
        found = self._cache.find(texts, vocabulary)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        bounds = _bounds(found.sizes)
        for ranges in (map(self.skip, texts), map(_document_skip, documents)):
            _mark_skipped(found, lengths, list(ranges))
        positions = np.flatnonzero(found.status == Status.READ)
        if self.max_tokens is not None:
            before = np.searchsorted(positions, bounds[:-1])
            # the index of each word among the words that are read of its own text
            rank = np.arange(len(positions)) - np.repeat(before, np.diff(before, append=len(positions)))
            found.status[positions[rank >= self.max_tokens]] = Status.TRUNCATED
            positions = positions[rank < self.max_tokens]
        return _Block(
            documents, texts, found, bounds.tolist(), positions, np.searchsorted(positions, bounds).tolist()
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """N texts tokenized together: their S tokens, and the ``positions`` (P,) of those that the model reads.

    Text n has the tokens from ``bounds[n]`` to ``bounds[n + 1]``, and the positions from ``reads[n]`` to
    ``reads[n + 1]``.
    """

    documents: Sequence[Document | str]
    texts: list[str]
    found: FoundTokens
    bounds: list[int]
    positions: NDArray[np.int64]
    reads: list[int]

    def readings(self, number: int) -> list[Reading]:
        """Return a reading of each text, numbered from ``number``."""
        spans, status = self.per_token(self.found.spans), self.per_token(self.found.status)
        forms = self.found.forms.tolist()
        in_text = self.positions - np.repeat(self.bounds[:-1], np.diff(self.reads))
        positions = self.per_word(in_text.astype(np.int32))
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
        """Return the words that the model reads of each text."""
        words = self.found.forms[self.positions].tolist()
        return [words[start:end] for start, end in pairwise(self.reads)]

    def runs(self, without: Collection[str] = ()) -> list[list[str]]:
        """Return the words of each text that are not in ``without``, with adjacent words joined to one string."""
        found, all_words = list[list[str]](), self.words()
        for words, spans in zip(all_words, self.per_word(self.found.spans[self.positions]), strict=True):
            kept = [place for place, word in enumerate(words) if word not in without] if without else None
            if kept is None or len(kept) == len(words):
                found.append(joined_runs(words, following(spans)))
            else:
                found.append(joined_runs([words[place] for place in kept], following(spans[kept])))
        return found

    def ids(self) -> list[NDArray[np.int64]]:
        """Return the ids (L,) of the words of each text."""
        return self.per_word(self.found.ids[self.positions])

    def known_status(self) -> list[NDArray[np.uint8]]:
        """Return the status (T,) of the tokens of each text, UNKNOWN for a word without an id."""
        status = self.found.status.copy()
        status[self.positions[self.found.ids[self.positions] == PADDING]] = Status.UNKNOWN
        return self.per_token(status)

    def per_token(self, values: NDArray[_Value]) -> list[NDArray[_Value]]:
        """Split values (S, ...) by text. Each part is a copy, so that it does not keep the whole block in memory."""
        return [values[start:end].copy() for start, end in pairwise(self.bounds)]

    def per_word(self, values: NDArray[_Value]) -> list[NDArray[_Value]]:
        """Split values (P, ...) by text, as :meth:`per_token` does."""
        return [values[start:end].copy() for start, end in pairwise(self.reads)]


def _document_skip(document: Document | str) -> Ranges:
    return _NO_RANGES if isinstance(document, str) else document.skip


def _mark_skipped(found: FoundTokens, lengths: NDArray[np.int64], ranges: Sequence[Ranges]) -> None:
    """Set the status SKIPPED for tokens that start inside a range of their text; ``lengths`` (N,) in characters."""
    sizes = np.fromiter(map(len, ranges), np.int64, len(ranges))
    if sizes.any():
        # the texts are treated as one long text: a range is clipped to its text, or it could reach into the next one
        begins = _bounds(lengths)[:-1]
        together = np.concatenate(ranges)
        together = np.minimum(np.maximum(together, 0), np.repeat(lengths, sizes)[:, None])
        together += np.repeat(begins, sizes)[:, None]
        found.status[inside(found.spans[:, 0] + np.repeat(begins, found.sizes), together)] = Status.SKIPPED


def _bounds(sizes: ArrayLike) -> NDArray[np.int64]:
    """(N + 1,) the start of each of N consecutive parts, and the end of the last one."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


# ---- from words to ids


def encode_readings(readings: Iterable[Reading], vocabulary: Vocabulary) -> Batch:
    """Look up the words of some readings in a vocabulary; return the batch with their ids, status and counts."""
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
