"""Hashed character n-grams of words, and a vocabulary that has an id for every word.

Open it when words that are not in the training texts must be read from their parts (Bojanowski et al. 2017,
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

from textlrp.text.tokens import REMEMBERED
from textlrp.text.vocabulary import PADDING, Vocabulary

UNKNOWN_FROM = 1 << 56
"""Ids of words outside the vocabulary start here; each follows from the word alone."""


def ngram_buckets(word: str, shortest: int, longest: int, buckets: int) -> NDArray[np.int64]:
    """The buckets of the character n-grams of ``<word>``, ascending, each once: CRC-32 of their UTF-8 modulo
    ``buckets``."""
    whole = f"<{word}>"
    found = {
        zlib.crc32(whole[start : start + n].encode("utf-8", "surrogatepass")) % buckets
        for n in range(shortest, min(longest, len(whole)) + 1)
        for start in range(len(whole) - n + 1)
    }
    return np.array(sorted(found), dtype=np.int64)


def composition(words: Sequence[str], ngrams: tuple[int, int], buckets: int) -> Any:
    """The sparse matrix (words, buckets) of the mean over each word's n-grams; an empty row where it has none."""
    rows = [ngram_buckets(word, *ngrams, buckets) for word in words]
    sizes = np.array([len(row) for row in rows], dtype=np.int64)
    values = np.repeat(1 / np.maximum(sizes, 1), sizes)
    columns = np.concatenate([np.zeros(0, np.int64), *rows])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_matrix((values, columns, starts), shape=(len(rows), buckets))


RECENT = 4 * REMEMBERED
"""Words outside the vocabulary of which at least so many are kept: more than a reader remembers the ids of."""


class RecentWords:
    """Words by their ids: the last ``most`` distinct ones at least, and at most twice as many."""

    def __init__(self, most: int = RECENT) -> None:
        self.most = most
        self._older: dict[int, str] = {}
        self._newer: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._older.keys() | self._newer.keys())

    def __setitem__(self, id: int, word: str) -> None:
        if len(self._newer) >= self.most and id not in self._newer:
            self._older, self._newer = self._newer, {}
        self._newer[id] = word

    def __getitem__(self, id: int) -> str:
        return self._newer[id] if id in self._newer else self._older[id]


@dataclass(frozen=True, slots=True, eq=False)
class OpenVocabulary(Vocabulary):
    """A vocabulary in which other words have ids too, from ``UNKNOWN_FROM`` on, with 0 training documents.

    ``met`` maps those that were looked up lately back to the words.
    """

    met: RecentWords = field(default_factory=RecentWords, init=False)

    def id(self, word: str) -> int:
        known = self._ids.get(word, PADDING)
        if known:
            return known
        other = UNKNOWN_FROM + int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=6).digest())
        self.met[other] = word
        return other

    def ids(self, forms: Iterable[str]) -> NDArray[np.int64]:
        return np.fromiter(map(self.id, forms), dtype=np.int64)

    def counts_of(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        return self._counts[np.where(ids < UNKNOWN_FROM, ids, PADDING)]
