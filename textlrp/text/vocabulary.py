"""The vocabulary of a model: words, their ids, and the number of training documents that contain each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import DataError, OptionError, must_be
from textlrp.text.invisible import visible, words_with_invisible

_UNSTORED = re.compile("[\n\ud800-\udfff]")
PADDING = 0
"""The id of padding, and of every unknown word."""


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """V words with the ids 1..V. The id 0 is padding, and every unknown word.

    ``counts`` (V,) int32 is the number of training documents that contain each word, and ``documents`` the number of
    all training documents. Raises :class:`DataError` if a word occurs twice, or if the number of counts is not V.
    """

    words: tuple[str, ...]
    counts: NDArray[np.int32]
    documents: int
    _ids: dict[str, int] = field(init=False, repr=False)
    _counts: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ids = {word: id for id, word in enumerate(self.words, 1)}
        if len(ids) != len(self.words):
            twice = next(word for id, word in enumerate(self.words, 1) if ids[word] != id)
            raise DataError(f"the words of a vocabulary must be different; got {twice!r} twice. Remove one.")
        counts = np.asarray(self.counts, dtype=np.int32)
        if counts.shape != (len(self.words),):
            raise DataError(must_be("counts", f"of shape ({len(self.words)},), one for each word", counts.shape))
        # older models were saved when invisible characters were part of a word; readers now remove them
        for word in words_with_invisible(self.words):
            ids.setdefault(visible(word), ids[word])
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "_ids", ids)
        object.__setattr__(self, "_counts", np.concatenate([np.zeros(1, dtype=np.int32), counts]))

    @classmethod
    def build(
        cls,
        forms_of_documents: Iterable[Sequence[str]],
        *,
        min_df: int = 1,
        max_words: int | None = None,
        without: Collection[str] = (),
    ) -> Vocabulary:
        """Build a vocabulary from the words of some documents, most frequent words first, ties in alphabetical order.

        The frequency is the number of documents with the word. Words in fewer than ``min_df`` documents are omitted;
        at most ``max_words`` words are kept, and none of ``without``. Raises :class:`OptionError` if either number is
        below 1.
        """
        for name, value in (("min_df", min_df), ("max_words", max_words)):
            if value is not None and value < 1:
                raise OptionError(must_be(name, "at least 1", value))
        frequencies: Counter[str] = Counter()
        documents = 0
        for documents, forms in enumerate(forms_of_documents, 1):  # noqa: B007
            frequencies.update(set(forms))
        for word in without:
            frequencies.pop(word, None)
        kept = [(word, count) for word, count in frequencies.items() if count >= min_df]
        kept.sort(key=lambda pair: (-pair[1], pair[0]))
        kept = kept[:max_words]
        return cls(tuple(word for word, _ in kept), np.array([count for _, count in kept], dtype=np.int32), documents)

    def extended(self, words: Iterable[str], *, without: Collection[str] = ()) -> Vocabulary:
        """Return this vocabulary with further ``words`` at the end, each with 0 training documents.

        Words with a line break or a lone surrogate are omitted: no token contains one, and they cannot be stored.
        Words that are read as one of ``without`` are omitted too.
        """
        more = tuple(word for word in dict.fromkeys(words) if word not in self._ids and not _UNSTORED.search(word))
        if without:
            more = tuple(word for word in more if visible(word) not in without)
        return Vocabulary(self.words + more, np.append(self.counts, np.zeros(len(more), np.int32)), self.documents)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} words of {self.documents} documents)"

    def id(self, word: str) -> int:
        """Return the id of a word, 1..V; 0 if it is unknown."""
        return self._ids.get(word, PADDING)

    def ids(self, forms: Iterable[str]) -> NDArray[np.int64]:
        """Return the ids (L,) int64 of words in order; 0 for an unknown word."""
        return np.fromiter(map(self._ids.get, forms, repeat(PADDING)), dtype=np.int64)

    def inverse_frequencies(self) -> NDArray[np.float64]:
        """Return the inverse document frequencies (V,): ln((1 + N) / (1 + df)) + 1, with scikit-learn's smoothing."""
        return np.asarray(np.log((1 + self.documents) / (1 + self.counts)) + 1)

    def counts_of(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the number of training documents with each word, in the shape of ``ids``; 0 for the id 0."""
        return self._counts[ids]
