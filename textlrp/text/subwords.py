"""Hashed character n-grams of words, and a vocabulary that has an id for every word.

Open this module if words outside the training texts get vectors from their character n-grams (Bojanowski et al. 2017,
"Enriching Word Vectors with Subword Information", arXiv 1607.04606).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.text.tokens import CACHED_CHUNKS
from textlrp.text.vocabulary import PADDING, Vocabulary

UNKNOWN_FROM = 1 << 56
"""The first id of words outside the vocabulary. Each of these ids is a hash of the word."""


def ngram_buckets(word: str, shortest: int, longest: int, buckets: int) -> NDArray[np.int64]:
    """Return the buckets of the character n-grams of ``<word>``, ascending and without repetition.

    The bucket of an n-gram is the CRC-32 of its UTF-8 bytes modulo ``buckets``.
    """
    whole = f"<{word}>"
    found = {
        zlib.crc32(whole[start : start + n].encode("utf-8", "surrogatepass")) % buckets
        for n in range(shortest, min(longest, len(whole)) + 1)
        for start in range(len(whole) - n + 1)
    }
    return np.array(sorted(found), dtype=np.int64)


def composition(words: Sequence[str], ngrams: tuple[int, int], buckets: int) -> Any:
    """Return the sparse matrix (words, buckets) that averages over the n-grams of each word.

    The row of a word without n-grams is empty.
    """
    rows = [ngram_buckets(word, *ngrams, buckets) for word in words]
    sizes = np.array([len(row) for row in rows], dtype=np.int64)
    values = np.repeat(1 / np.maximum(sizes, 1), sizes)
    columns = np.concatenate([np.zeros(0, np.int64), *rows])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_matrix((values, columns, starts), shape=(len(rows), buckets))


RECENT = 4 * CACHED_CHUNKS
"""Minimum number of words outside the vocabulary that are kept. It exceeds the number of ids that a reader caches."""


class RecentWords:
    """Maps ids to words. It keeps at least the last ``minimum`` distinct words, and at most twice that number."""

    def __init__(self, minimum: int = RECENT) -> None:
        self.minimum = minimum
        self._older: dict[int, str] = {}
        self._newer: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._older.keys() | self._newer.keys())

    def __setitem__(self, id: int, word: str) -> None:
        if len(self._newer) >= self.minimum and id not in self._newer:
            self._older, self._newer = self._newer, {}
        self._newer[id] = word

    def __getitem__(self, id: int) -> str:
        return self._newer[id] if id in self._newer else self._older[id]


@dataclass(frozen=True, slots=True, eq=False)
class OpenVocabulary(Vocabulary):
    """A vocabulary in which unknown words have ids too, from ``UNKNOWN_FROM`` on, with 0 training documents.

    The words in ``closed`` stay unknown, with the id 0. ``recent`` maps the ids of unknown words that were looked up
    recently back to the words.
    """

    closed: frozenset[str] = frozenset()
    recent: RecentWords = field(default_factory=RecentWords, init=False)

    def id(self, word: str) -> int:
        if word in self.closed:
            return PADDING
        known = self._ids.get(word, PADDING)
        if known:
            return known
        other = UNKNOWN_FROM + int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=6).digest())
        self.recent[other] = word
        return other

    def ids(self, forms: Iterable[str]) -> NDArray[np.int64]:
        return np.fromiter(map(self.id, forms), dtype=np.int64)

    def counts_of(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        return self._counts[np.where(ids < UNKNOWN_FROM, ids, PADDING)]


def opened(known: Vocabulary, closed: frozenset[str], earlier: OpenVocabulary | None = None) -> OpenVocabulary:
    """Return the open vocabulary of these words, which is ``earlier`` if that has the same words."""
    if earlier is not None and earlier.words is known.words and earlier.closed == closed:
        return earlier
    return OpenVocabulary(known.words, known.counts, known.documents, closed)
