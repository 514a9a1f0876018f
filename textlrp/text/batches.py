"""Batches of documents as word ids, padded or end to end, and how they are cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError
from textlrp.records import Tokens
from textlrp.text.vocabulary import PADDING

TOGETHER = 64
"""Texts that are read together: with more of them no time is gained, and their flat arrays leave the cache."""


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


def pad(rows: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rows of ids as one matrix (N, L) int64, padded with 0 at the right, and their lengths (N,) int32."""
    lengths = np.array([len(row) for row in rows], dtype=np.int32)
    matrix = np.full((len(rows), int(lengths.max(initial=0))), PADDING, dtype=np.int64)
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = np.concatenate([np.zeros(0, np.int64), *rows])
    return matrix, lengths


def unpadded(ids: NDArray[np.int64], lengths: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """The rows (L,) of a padded matrix (N, L): what :func:`pad` was given."""
    return [row[:length] for row, length in zip(ids, lengths.tolist(), strict=True)]


def pieces(words: Sequence[str], follows: NDArray[np.bool_]) -> list[str]:
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
