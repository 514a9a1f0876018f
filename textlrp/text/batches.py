"""Batches of documents as word ids, padded or concatenated, and functions that form and split them.

Every model reads a :class:`Batch`. :mod:`textlrp.text.encoding` makes them from texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError, must_be
from textlrp.records import Tokens
from textlrp.text.vocabulary import PADDING

TEXTS_TOGETHER = 64
"""Number of texts that are tokenized together. Larger blocks are not faster: their arrays no longer fit the cache."""


@dataclass(frozen=True, eq=False)
class Batch:
    """N readings with the ids of their words, concatenated. They are padded only when :attr:`ids` is used.

    ``words`` (W,) int64 are the ids of all texts one after another. An unknown word has the id 0, keeps its position,
    and its token has the status ``UNKNOWN`` in ``status[n]`` (T,). Text n has the ids from ``starts[n]`` to
    ``starts[n + 1]``; ``starts`` is (N + 1,). ``counts[n]`` (T,) int32 is the number of training documents that
    contain the word of each token.
    """

    readings: tuple[Reading, ...]
    words: NDArray[np.int64]
    starts: NDArray[np.int64]
    status: tuple[NDArray[np.uint8], ...]
    counts: tuple[NDArray[np.int32], ...]
    padding: int = field(default=PADDING, kw_only=True)
    """The id that fills :attr:`ids` on the right."""

    def __len__(self) -> int:
        return len(self.readings)

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """(N,) number of words of each text."""
        return np.diff(self.starts).astype(np.int32)

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """(N, L) the ids of each text, filled with ``padding`` on the right."""
        return grid(self.words, self.starts, fill=self.padding)

    def text(self, n: int) -> NDArray[np.int64]:
        """(L,) the ids of text ``n``."""
        return self.words[self.starts[n] : self.starts[n + 1]]

    def texts(self) -> list[NDArray[np.int64]]:
        """The ids (L,) of each text."""
        return [self.words[start:end] for start, end in pairwise(self.starts.tolist())]

    def kept(self, keep: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        """The ids of each text, replaced by 0 where ``keep`` (N, L) is False."""
        inside = np.arange(keep.shape[1]) < self.lengths[:, None]
        words = np.where(keep[inside], self.words, PADDING)
        return [words[start:end] for start, end in pairwise(self.starts.tolist())]

    def select(self, rows: Sequence[int]) -> Self:
        """Return the batch of some of the readings, in the order of ``rows``."""
        words, starts = end_to_end([self.text(row) for row in rows])
        return replace(
            self,
            readings=tuple(self.readings[row] for row in rows),
            words=words,
            starts=starts,
            status=tuple(self.status[row] for row in rows),
            counts=tuple(self.counts[row] for row in rows),
        )


def end_to_end(texts: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Concatenate the ids (L,) of N texts; return them (W,) and the start of each text (N + 1,)."""
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(ids) for ids in texts], out=starts[1:])
    return np.concatenate([np.zeros(0, dtype=np.int64), *texts]), starts


def grid(
    values: NDArray[np.int64], starts: NDArray[np.int64], *, min_words: int = 0, fill: int = 0
) -> NDArray[np.int64]:
    """Turn concatenated values (W,) of texts into a matrix (N, L), filled on the right; L >= ``min_words``."""
    lengths = np.diff(starts)
    longest = max(min_words, int(lengths.max(initial=0)))
    matrix = np.full((len(lengths), longest), fill, dtype=np.int64)
    matrix[np.arange(longest) < lengths[:, None]] = values
    return matrix


def joined_runs(words: Sequence[str], follows: NDArray[np.bool_]) -> list[str]:
    """Join runs of words: a word is joined to the previous one where ``follows`` (L,) is True."""
    if not follows.any():
        return list(words)
    bounds = [*np.flatnonzero(~follows).tolist(), len(words)]
    return [words[start] if end == start + 1 else "".join(words[start:end]) for start, end in pairwise(bounds)]


def following(spans: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(L,) whether each token starts where the previous one ends; False for the first."""
    found = np.zeros(len(spans), dtype=bool)
    found[1:] = spans[1:, 0] == spans[:-1, 1]
    return found


def bucket(lengths: Sequence[int] | NDArray[np.integer[Any]], batch_size: int) -> list[NDArray[np.int64]]:
    """Group the positions 0..N-1 of texts into batches of similar length, each of at most ``batch_size`` texts.

    The shortest texts come first; texts of equal length keep their order. Raises :class:`OptionError` if
    ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise OptionError(must_be("batch_size", "at least 1", batch_size, "Pass batch_size=32."))
    order = np.argsort(np.asarray(lengths), kind="stable").astype(np.int64)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The tokens of one text and which of them a model reads, before words are looked up in a vocabulary.

    ``tokens`` are all T tokens. ``status`` (T,) uint8 is the :class:`Status` of each, not yet ``UNKNOWN``.
    ``positions`` (L,) int32 are the tokens that the model reads, in order, and ``forms`` (L,) are their words.
    """

    document_id: str
    tokens: Tokens
    status: NDArray[np.uint8]
    positions: NDArray[np.int32]
    forms: tuple[str, ...]
