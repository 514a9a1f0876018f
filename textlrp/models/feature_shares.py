"""How the relevance of word and character n-grams is shared over the words of a text.

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
from textlrp.models.ngrams import Occurrences as WordOccurrences


class WordShares(NamedTuple):
    """How the occurrences of features are shared over words.

    ``text``, ``column`` (O,) of each occurrence; of occurrence ``row``, ``word`` gets ``share``.
    """

    text: NDArray[np.int64]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    word: NDArray[np.int64]
    share: NDArray[np.float64]


def word_shares(found: WordOccurrences) -> WordShares:
    """Word n-grams equally over their words."""
    row = np.repeat(np.arange(len(found.column)), found.length)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(found.length) - found.length, found.length)
    return WordShares(found.text, found.column, row, found.position[row] + offset, 1.0 / found.length[row])


def char_shares(n: int, found: CharOccurrences, width: int) -> WordShares:
    """The character n-grams of text ``n``; their columns start at ``width``."""
    return WordShares(np.full(len(found.column), n), found.column + width, *found.shares())


def joined(parts: Sequence[WordShares]) -> WordShares:
    """Several shares as one."""
    before = np.concatenate([[0], np.cumsum([len(part.text) for part in parts])]).astype(np.int64)
    moved = [part._replace(row=part.row + start) for part, start in zip(parts, before.tolist(), strict=False)]
    return WordShares(*(np.concatenate(values) for values in zip(*moved, strict=True)))


class FeaturesToWords:
    """Relevance (K, N, J) of features -> (K, N, T) of words: equal shares over occurrences, then by ``shares``."""

    def __init__(self, shares: WordShares, features: Any, longest: int) -> None:
        texts = features.shape[0]
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
