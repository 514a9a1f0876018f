"""The words that a model read of a document, with their relevance.

Letters: L words read, K targets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.records import Explanation


class ReadWords(NamedTuple):
    """``forms`` (L,), character ``spans`` (L, 2), ``relevance`` (K, L) float64, and ``counts`` (L,) of the training
    documents with each word, -1 where that is not known.
    """

    forms: tuple[str, ...]
    spans: NDArray[np.int32]
    relevance: NDArray[np.float64]
    counts: NDArray[np.int32]


def read_words(explanation: Explanation) -> ReadWords:
    """The words read, in order; a word of a model of characters has the relevance of its characters together."""
    tokens, relevance = explanation.tokens, explanation.relevance.astype(np.float64)
    forms, word_of = tokens.words()
    if len(forms) == len(tokens):
        read = np.flatnonzero(explanation.seen)
        words = tuple(forms[t] for t in read.tolist())
        return ReadWords(words, tokens.spans[read], relevance[:, read], explanation.counts[read])
    sums = np.zeros((len(forms), len(relevance)))
    np.add.at(sums, word_of, relevance.T)
    read = np.unique(word_of[explanation.seen])
    first, last = np.searchsorted(word_of, read, "left"), np.searchsorted(word_of, read, "right") - 1
    spans = np.column_stack([tokens.spans[first, 0], tokens.spans[last, 1]])
    words = tuple(forms[w] for w in read.tolist())
    return ReadWords(words, spans, sums[read].T, np.full(len(read), -1, dtype=np.int32))


def overlaps(
    words: NDArray[np.integer[Any]], tokens: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of a word and a token that share characters, with the token's share.

    Both (W, 2) and (M, 2) are sorted and disjoint; a token's shares sum to 1 over the words it overlaps.
    """
    low = np.searchsorted(words[:, 1], tokens[:, 0], side="right")
    high = np.maximum(np.searchsorted(words[:, 0], tokens[:, 1], side="left"), low)
    token = np.repeat(np.arange(len(tokens)), high - low)
    # counts up from its low anew for each token
    word = np.arange(len(token)) + np.repeat(low - (np.cumsum(high - low) - (high - low)), high - low)
    common = np.minimum(words[word, 1], tokens[token, 1]) - np.maximum(words[word, 0], tokens[token, 0])
    # a token without a character overlaps nothing
    word, token, common = word[common > 0], token[common > 0], common[common > 0].astype(np.float64)
    return word, token, common / np.bincount(token, weights=common, minlength=len(tokens))[token]


def strongest(relevance: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Positions of the ``most`` largest of ``relevance`` (L,), the largest first; of equals the first."""
    return np.argsort(-relevance, kind="stable")[:most].astype(np.int64)
