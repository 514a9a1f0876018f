"""The tokens and words of one text, ranked by their relevance.

Letters: T tokens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.records import Tokens


class TokenRelevance(NamedTuple):
    """One token of :meth:`Explanation.top` with ``by="token"``: the token as written and its character offsets."""

    token: str
    relevance: float
    start: int
    end: int


class WordRelevance(NamedTuple):
    """One distinct word of a text, of :meth:`Explanation.words` and :meth:`Explanation.top`.

    ``word`` is the normalized word, ``relevance`` the sum over its ``occurrences``, and ``spans`` their character
    offsets (start, end) in the order of the text.
    """

    word: str
    relevance: float
    occurrences: int
    spans: tuple[tuple[int, int], ...] = ()


def ranked_tokens(
    tokens: Tokens, seen: NDArray[np.bool_], relevance: NDArray[np.floating[Any]]
) -> list[TokenRelevance]:
    """The tokens read, most positive ``relevance`` (T,) first, and of equal ones the first in the text."""
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
    """The distinct words read with the sum of their ``relevance`` (T,), most positive first, then by alphabet."""
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
