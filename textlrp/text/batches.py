"""Batches of documents as word ids, padded or end to end, and how they are cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError
from textlrp.records import Tokens
from textlrp.text.vocabulary import PADDING

TEXTS_TOGETHER = 64
"""Texts that are read together: with more of them no time is gained, and their flat arrays leave the cache."""


@dataclass(frozen=True, eq=False)
class Batch:
    """N readings with the ids of their words, end to end; padded only where :attr:`ids` is asked for.

    ``words`` (W,) int64 are the ids of all texts, 0 for an unknown word, which keeps its position and whose
    ``status[n]`` (T,) is ``UNKNOWN``. Text n has those from ``starts[n]`` to ``starts[n + 1]``; ``starts`` (N + 1,).
    ``counts[n]`` (T,) int32 is the number of training documents with each token's word.
    """

    readings: tuple[Reading, ...]
    words: NDArray[np.int64]
    starts: NDArray[np.int64]
    status: tuple[NDArray[np.uint8], ...]
    counts: tuple[NDArray[np.int32], ...]
    padding: int = field(default=PADDING, kw_only=True)
    """What fills :attr:`ids` at the right."""

    def __len__(self) -> int:
        return len(self.readings)

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """(N,) words per text."""
        return np.diff(self.starts).astype(np.int32)

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """(N, L) the ids of each text, filled with ``padding`` at the right."""
        return grid(self.words, self.starts, fill=self.padding)

    def text(self, n: int) -> NDArray[np.int64]:
        """(L,) the ids of text ``n``."""
        return self.words[self.starts[n] : self.starts[n + 1]]

    def texts(self) -> list[NDArray[np.int64]]:
        """The ids (L,) of each text."""
        return [self.words[start:end] for start, end in pairwise(self.starts.tolist())]

    def kept(self, keep: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        """The ids of each text, 0 where ``keep`` (N, L) is False."""
        inside = np.arange(keep.shape[1]) < self.lengths[:, None]
        words = np.where(keep[inside], self.words, PADDING)
        return [words[start:end] for start, end in pairwise(self.starts.tolist())]

    def select(self, rows: Sequence[int]) -> Self:
        """Some of the readings, in the order of ``rows``."""
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
    """Ids (L,) of N texts one after another (W,), and where each begins (N + 1,)."""
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(ids) for ids in texts], out=starts[1:])
    return np.concatenate([np.zeros(0, dtype=np.int64), *texts]), starts


def grid(
    values: NDArray[np.int64], starts: NDArray[np.int64], *, min_words: int = 0, fill: int = 0
) -> NDArray[np.int64]:
    """Values (W,) of texts end to end as a matrix (N, L), filled at the right; L is ``min_words`` that long."""
    lengths = np.diff(starts)
    longest = max(min_words, int(lengths.max(initial=0)))
    matrix = np.full((len(lengths), longest), fill, dtype=np.int64)
    matrix[np.arange(longest) < lengths[:, None]] = values
    return matrix


def joined_runs(words: Sequence[str], follows: NDArray[np.bool_]) -> list[str]:
    """L words in runs, each as one string; where ``follows`` (L,) is True, a word is joined to the one before it."""
    if not follows.any():
        return list(words)
    bounds = [*np.flatnonzero(~follows).tolist(), len(words)]
    return [words[start] if end == start + 1 else "".join(words[start:end]) for start, end in pairwise(bounds)]


def following(spans: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(L,) whether each token starts where the one before ends; False for the first."""
    found = np.zeros(len(spans), dtype=bool)
    found[1:] = spans[1:, 0] == spans[:-1, 1]
    return found


def bucket(lengths: Sequence[int] | NDArray[np.integer[Any]], batch_size: int) -> list[NDArray[np.int64]]:
    """Positions 0..N-1 in batches of at most ``batch_size`` of like length, shortest first, equals in order.

    Raises :class:`OptionError` if ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise OptionError(f"batch_size={batch_size!r}: a batch has at least one document.")
    order = np.argsort(np.asarray(lengths), kind="stable").astype(np.int64)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


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
