"""Rank the tokens and words of a text by relevance, and compute the correlation of two rankings.

Letters: T tokens, W words, K targets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.records import Tokens


class TokenRelevance(NamedTuple):
    """A row of :meth:`Explanation.top` with ``by="token"``: the token as written in the text, and its offsets."""

    token: str
    relevance: float
    start: int
    end: int


class WordRelevance(NamedTuple):
    """A row of :meth:`Explanation.words` and :meth:`Explanation.top`: a distinct word of a text.

    ``word`` is the normalized word, ``relevance`` the sum over its ``occurrences``, and ``spans`` the character
    offsets (start, end) of the occurrences in the order of the text.
    """

    word: str
    relevance: float
    occurrences: int
    spans: tuple[tuple[int, int], ...] = ()


def ranked_tokens(
    tokens: Tokens, seen: NDArray[np.bool_], relevance: NDArray[np.floating[Any]]
) -> list[TokenRelevance]:
    """Return the tokens that the model reads, the largest ``relevance`` (T,) first; on a tie, in text order."""
    read = np.flatnonzero(seen)
    order = read[np.argsort(-relevance[read], kind="stable")]
    spans, text = tokens.spans, tokens.text
    return [
        TokenRelevance(text[spans[t, 0] : spans[t, 1]], float(relevance[t]), int(spans[t, 0]), int(spans[t, 1]))
        for t in order
    ]


def ranked_words(
    tokens: Tokens, seen: NDArray[np.bool_], relevance: NDArray[np.floating[Any]]
) -> list[WordRelevance]:
    """Return the distinct words that the model reads with their summed ``relevance`` (T,), the largest sum first.

    Words with equal sums are in alphabetical order.
    """
    forms, word_of = tokens.words()
    values = np.zeros(len(forms), dtype=relevance.dtype)
    np.add.at(values, word_of, relevance)
    read = np.unique(word_of[seen])
    starts = tokens.spans[np.searchsorted(word_of, read, "left"), 0].tolist()
    ends = tokens.spans[np.searchsorted(word_of, read, "right") - 1, 1].tolist()
    sums: dict[str, float] = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    for word, start, end in zip(read.tolist(), starts, ends, strict=True):
        form = forms[word]
        sums[form] = sums.get(form, 0.0) + float(values[word])
        spans.setdefault(form, []).append((start, end))
    rows = [WordRelevance(word, total, len(spans[word]), tuple(spans[word])) for word, total in sums.items()]
    return sorted(rows, key=lambda row: (-row.relevance, row.word))


def rank_correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) Spearman's rank correlation between each row of ``first`` (K, W) and of ``second`` (K, W).

    Equal values get the mean of their ranks. The correlation is NaN if all values of a row are equal, or W is below
    2.
    """
    from scipy.stats import rankdata  # late, because it is slow to import and explanations do not need it

    if first.shape[1] < 2:
        return np.full(len(first), np.nan)
    ranks = [rankdata(rows, axis=1) for rows in (first, second)]
    x, y = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    spread = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    products: NDArray[np.float64] = (x * y).sum(axis=1)
    values: NDArray[np.float64] = np.divide(products, spread, out=np.full(len(x), np.nan), where=spread > 0)
    return values
