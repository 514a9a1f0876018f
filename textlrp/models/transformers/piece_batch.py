"""Batches of texts that a tokenizer cuts into pieces: each word read is a sequence of pieces.

A word has an id in its batch, and :attr:`PieceBatch.sequences` has the pieces of each id. Whatever leaves words out
of a text can therefore work with words, as for every other model.

Letters: N texts, L words read, P pieces of a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textlrp.text.batches import Batch, Reading

PIECES = "pieces"
"""The value with the pieces of a text, in a trace and among what propagation watches. Its relevance is (K, N, P)."""


@dataclass(frozen=True, slots=True, eq=False)
class PieceReading(Reading):
    """The tokens of a text, and the pieces of the words that the model reads.

    ``piece_forms`` (P,) are written as in the tokenizer's vocabulary, such as ``##ing``; ``piece_spans`` (P, 2) int32
    are character offsets, without blanks at the ends, and may be empty. ``unknown`` are the words (as
    written, each once per occurrence) with a piece that represents anything unknown, such as ``[UNK]``.
    """

    piece_forms: tuple[str, ...]
    piece_spans: NDArray[np.int32]
    unknown: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PieceBatch(Batch):
    """N readings; the id of a word is its row in ``sequences``, which has the ids (int64) of its pieces.

    Id 0 has no pieces: a word that is left out.
    """

    sequences: tuple[NDArray[np.int64], ...] = (np.zeros(0, np.int64),)

    def pieces(self, words: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pieces (P,) of words (L,) given by id, and for each piece (P,) the position of its word."""
        found = [self.sequences[word] for word in words.tolist()]
        sizes = np.fromiter(map(len, found), np.int64, len(found))
        return np.concatenate([self.sequences[0], *found]), np.repeat(np.arange(len(found)), sizes)

    def sizes(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of pieces of each word (L,)."""
        return np.fromiter((len(self.sequences[word]) for word in words.tolist()), np.int64, len(words))


class PieceSequences:
    """Sequences of pieces, numbered from 1 in the order in which they were first met."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, ...], int] = {(): 0}

    def number(self, pieces: Sequence[int]) -> int:
        return self._numbers.setdefault(tuple(pieces), len(self._numbers))

    def arrays(self) -> tuple[NDArray[np.int64], ...]:
        return tuple(np.array(pieces, dtype=np.int64) for pieces in self._numbers)
