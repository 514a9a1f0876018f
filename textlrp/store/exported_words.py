"""The words of an explanation as spans of characters, and the most relevant of them: what annotation tools show.

Only NumPy is needed. Open this module to change which words an export marks. K targets, W words, T tokens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.explanation import Explanation
from textlrp.text.surrogates import without_surrogates

MARKED_WORDS = 10
"""Number of words on each side that an export marks by default."""

STATUS_NAMES = np.array(["read", "skipped", "not a word", "unknown word", "truncated"], object)
"""The values of :class:`textlrp.records.Status` in words."""


class ExportedWords(NamedTuple):
    """All W words of a text, in the order of the text.

    Usually each token is a word, see :meth:`textlrp.records.Tokens.words`. ``spans`` are character offsets, and
    ``forms`` the normalized words. ``relevance`` (K, W) is summed over the tokens of a word. ``status`` (W,) is that
    of its tokens, 0 if the model reads one of them. ``counts`` (W,) is -1 for a word of several tokens.
    """

    text: str
    spans: list[tuple[int, int]]
    forms: tuple[str, ...]
    status: NDArray[np.uint8]
    counts: NDArray[np.int32]
    relevance: NDArray[np.floating[Any]]


class RelevantSpan(NamedTuple):
    """A word that supports or opposes a target.

    ``word`` is its position among the words, ``target`` its row k. ``strength`` is the absolute relevance divided by
    :func:`largest_relevance`, so from 0 to 1, for tools that accept no other scores.
    """

    start: int
    end: int
    label: str
    relevance: float
    strength: float
    word: int
    target: int


def exported_words(explanation: Explanation) -> ExportedWords:
    """Return the words of an explanation. Half surrogate pairs in the text become U+FFFD; offsets stay the same."""
    e, (forms, word_of) = explanation, explanation.tokens.words()
    spans, status, counts, relevance = e.tokens.spans, e.status, e.counts, e.relevance
    if len(forms) != len(e.tokens):
        first = np.searchsorted(word_of, np.arange(len(forms)))
        last = np.append(first[1:], len(e.tokens)) - 1
        spans = np.stack([spans[first, 0], spans[last, 1]], axis=1)
        status = np.minimum.reduceat(status, first)
        counts = np.where(first == last, counts[first], np.int32(-1))
        relevance = np.add.reduceat(relevance, first, axis=1)
    zero = relevance.dtype.type(0)  # adding it turns -0.0 into 0.0
    pairs = [(start, end) for start, end in spans.tolist()]
    return ExportedWords(without_surrogates(e.text), pairs, forms, status, counts, relevance + zero)


def target_labels(name: str) -> tuple[str, str]:
    """Return the labels of words that support and oppose the target ``name``."""
    return f"supports {name}", f"opposes {name}"


def chosen_words(relevance: NDArray[np.floating[Any]], top_k: int) -> NDArray[np.int64]:
    """Return the positions of the ``top_k`` largest and ``top_k`` smallest values of (W,), in the order of the text.

    Words without relevance are never chosen. Of equal values, the first in the text are chosen.
    """
    positive = np.flatnonzero(relevance > 0)
    negative = np.flatnonzero(relevance < 0)
    supporting = positive[np.argsort(-relevance[positive], kind="stable")[:top_k]]
    opposing = negative[np.argsort(relevance[negative], kind="stable")[:top_k]]
    return np.sort(np.concatenate([supporting, opposing]))


def largest_relevance(words: ExportedWords) -> float:
    """Return the largest absolute relevance of all words and targets; 0 without words."""
    return float(np.abs(words.relevance).max(initial=0.0))


def relevant_spans(explanation: Explanation, words: ExportedWords, top_k: int) -> list[RelevantSpan]:
    """Return the :func:`chosen_words` of each target, target by target; each occurrence of a word counts."""
    found, largest = [], largest_relevance(words)
    for k, name in enumerate(explanation.target_names):
        labels, row = target_labels(without_surrogates(name)), words.relevance[k]
        for w in chosen_words(row, top_k).tolist():
            value, (start, end) = float(row[w]), words.spans[w]
            found.append(RelevantSpan(start, end, labels[value < 0], value, abs(value) / largest, w, k))
    return found
