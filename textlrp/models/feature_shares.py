"""Distribute the relevance of word and character n-grams over the words of a text.

Open it for the routing step in the trace of the bag of words.

Letters: N texts, T words, J features, O occurrences of features, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textlrp.models.char_ngrams import CharOccurrences
from textlrp.models.ngrams import WordOccurrences


class WordShares(NamedTuple):
    """The shares of words in the occurrences of features.

    ``text`` and ``column`` (O,) are the text and the feature of each occurrence. The other three arrays are parallel:
    of occurrence ``row``, the word at position ``word`` of its text gets the fraction ``share``.
    """

    text: NDArray[np.int64]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    word: NDArray[np.int64]
    share: NDArray[np.float64]


def word_shares(found: WordOccurrences) -> WordShares:
    """Return the shares of word n-grams: equal for all words of an n-gram."""
    row = np.repeat(np.arange(len(found.column)), found.length)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(found.length) - found.length, found.length)
    return WordShares(found.text, found.column, row, found.position[row] + offset, 1.0 / found.length[row])


def char_shares(n: int, found: CharOccurrences, width: int) -> WordShares:
    """Return the shares of the character n-grams of text ``n``; their columns start at ``width``."""
    return WordShares(np.full(len(found.column), n), found.column + width, *found.shares())


def joined(parts: Sequence[WordShares]) -> WordShares:
    """Concatenate several shares."""
    before = np.concatenate([[0], np.cumsum([len(part.text) for part in parts])]).astype(np.int64)
    moved = [part._replace(row=part.row + start) for part, start in zip(parts, before.tolist(), strict=False)]
    return WordShares(*(np.concatenate(values) for values in zip(*moved, strict=True)))


class FeaturesToWords:
    """Map relevance (K, N, J) of features to relevance (K, N, T) of words.

    The relevance of a feature is distributed equally over its occurrences in a text, and that of an occurrence over
    words by ``shares``. Both keep the sum.
    """

    def __init__(self, shares: WordShares, features: Any, longest: int) -> None:
        texts = features.shape[0]
        # The distinct (text, feature) pairs in order are the nonzero entries of features, which is CSR with sorted
        # indices; entry is the position of each pair among the entries of its text.
        cell = shares.text * features.shape[1] + shares.column
        cells, cell_of, times = np.unique(cell, return_inverse=True, return_counts=True)
        entry = np.arange(len(cells)) - np.asarray(features.indptr)[cells // max(1, features.shape[1])]
        of, text = cell_of.reshape(-1)[shares.row], shares.text[shares.row]
        self.text = torch.from_numpy(text)
        self.entry = torch.from_numpy(entry[of])
        self.place = torch.from_numpy(text * longest + shares.word)
        self.share = torch.from_numpy(shares.share / times[of])
        self.shape = (texts, longest)

    def __call__(self, relevance: Tensor) -> Tensor:
        on_words = relevance.new_zeros((relevance.shape[0], self.shape[0] * self.shape[1]))
        on_words.index_add_(1, self.place, relevance[:, self.text, self.entry] * self.share.to(relevance.dtype))
        return on_words.reshape(relevance.shape[0], *self.shape)
