"""The most relevant words and phrases of each class, summed over the documents of a corpus.

Open this module for tables of words per class (:func:`class_words`), or for the words of one explanation that the
model reads (:func:`read_words`). Letters: L words that the model reads, K targets.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.explanation import Explanation


class ReadWords(NamedTuple):
    """The words of a document that the model reads, in the order of the text.

    ``forms`` (L,): normalized words. ``spans`` (L, 2): character offsets. ``relevance`` (K, L) float64. ``counts``
    (L,): number of training documents that contain the word, -1 if unknown.
    """

    forms: tuple[str, ...]
    spans: NDArray[np.int32]
    relevance: NDArray[np.float64]
    counts: NDArray[np.int32]


def read_words(explanation: Explanation) -> ReadWords:
    """Return the words of a document that the model reads; if it reads characters, sum their relevance per word."""
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
    """Find all pairs of a word and a token that overlap.

    ``words`` (W, 2) and ``tokens`` (M, 2) are character offsets, each sorted and disjoint. Returns three arrays with
    one entry per pair: the index of the word, the index of the token, and the weight of the pair, which is the number
    of common characters divided by the sum over all words that overlap the token. So the weights of a token sum to 1.
    """
    low = np.searchsorted(words[:, 1], tokens[:, 0], side="right")
    high = np.maximum(np.searchsorted(words[:, 0], tokens[:, 1], side="left"), low)
    token = np.repeat(np.arange(len(tokens)), high - low)
    # for each token, the words low, low + 1, ..., high - 1
    word = np.arange(len(token)) + np.repeat(low - (np.cumsum(high - low) - (high - low)), high - low)
    common = np.minimum(words[word, 1], tokens[token, 1]) - np.maximum(words[word, 0], tokens[token, 0])
    # an empty token overlaps no word
    word, token, common = word[common > 0], token[common > 0], common[common > 0].astype(np.float64)
    return word, token, common / np.bincount(token, weights=common, minlength=len(tokens))[token]


def most_relevant(relevance: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Return the positions of the ``n`` largest values of ``relevance`` (L,), largest first; on a tie, in order."""
    return np.argsort(-relevance, kind="stable")[:n].astype(np.int64)


EXAMPLES = 3
"""The number of example documents per word: those in which it has the largest relevance."""

_WHITE_SPACE = re.compile(r"\s+")

CONTEXT = 60
"""The number of characters that a quote shows on each side of the word."""


class Quote(NamedTuple):
    """The most relevant occurrence of a word in a ``document`` (an id), which is at ``position`` in the corpus."""

    document: str
    position: int
    before: str
    word: str
    after: str

    def on_one_line(self) -> Quote:
        """Return the quote with every run of white space replaced by a single space."""
        return self._replace(before=_WHITE_SPACE.sub(" ", self.before), after=_WHITE_SPACE.sub(" ", self.after))


class ClassWord(NamedTuple):
    """A word or phrase of a class.

    ``relevance``: summed over the documents explained for the class. ``documents``: the number of these that contain
    the word. ``in_training``: the number of training documents that contain it; None if unknown, and for phrases.
    ``examples``: ids of the documents in which it is most relevant. ``quotes``: the word in each of these documents;
    empty for phrases.
    """

    word: str
    relevance: float
    documents: int
    in_training: int | None
    examples: tuple[str, ...]
    quotes: tuple[Quote, ...] = ()


class ClassWords(NamedTuple):
    """The words and phrases of a class, largest relevance first, and the number of documents explained for it."""

    label: str
    documents: int
    words: tuple[ClassWord, ...]
    phrases: tuple[ClassWord, ...]


class ClassWordTally:
    """Sum the relevance of words per class. Explanations are added one at a time, and not kept."""

    def __init__(self) -> None:
        self._tallies: dict[str, _ClassTally] = {}
        self._order: dict[str, int] = {}
        self._position = 0

    def add(self, explanation: Explanation) -> None:
        """Add an explanation. Each target counts for its class; a contrast is a class of its own, ``A, not B``."""
        self._order = self._order or {label: index for index, label in enumerate(explanation.labels)}
        rows = [self._tallies.setdefault(name, _ClassTally()) for name in explanation.target_names]
        for tally in rows:
            tally.documents += 1
        _add_words(rows, explanation, self._position)
        _add_phrases(rows, explanation, self._position)
        self._position += 1

    def found(self, top: int | None = 20) -> list[ClassWords]:
        """Return the ``top`` words of each class (None: all words), classes in the order of the model."""
        order = self._order
        return [
            ClassWords(label, tally.documents, _best(tally.words, top), _best(tally.phrases, top))
            for label, tally in sorted(self._tallies.items(), key=lambda pair: order.get(pair[0], len(order)))
        ]


def class_words(explanations: Iterable[Explanation], *, top: int | None = 20) -> list[ClassWords]:
    """Return the most relevant words of each class: the ``top`` words with the largest summed relevance.

    The relevance is summed over all documents that were explained for the class. Each target of an explanation counts
    for its class; a contrast is a class of its own, ``A, not B``. Words that the model ignores do not count. Phrases
    are compared in lower case and with single spaces. Classes are in the order of the model, without those that no
    document was explained for. ``top=None`` returns all words. ``explanations`` may be an iterator.
    Source: Arras et al. 2017, section "Word-level relevances" (table of the most relevant words).
    """
    tally = ClassWordTally()
    for explanation in explanations:
        tally.add(explanation)
    return tally.found(top)


@dataclass(slots=True)
class _Sum:
    """The running sums of one word. ``best`` is a heap of (relevance, −position, quote) with the examples."""

    in_training: int | None
    relevance: float = 0.0
    documents: int = 0
    best: list[tuple[float, int, Quote]] = field(default_factory=list)

    def add(self, relevance: float, position: int, quote: Callable[[], Quote]) -> None:
        self.relevance += relevance
        self.documents += 1
        if len(self.best) < EXAMPLES:
            heapq.heappush(self.best, (relevance, -position, quote()))
        elif (relevance, -position) > self.best[0][:2]:
            heapq.heapreplace(self.best, (relevance, -position, quote()))

    def named(self, word: str) -> ClassWord:
        quotes = tuple(quote.on_one_line() for _, _, quote in sorted(self.best, reverse=True))
        examples = tuple(quote.document for quote in quotes)
        shown = tuple(quote for quote in quotes if quote.word)
        return ClassWord(word, self.relevance, self.documents, self.in_training, examples, shown)


@dataclass(slots=True)
class _ClassTally:
    """The running sums of one class."""

    documents: int = 0
    words: dict[str, _Sum] = field(default_factory=dict)
    phrases: dict[str, _Sum] = field(default_factory=dict)


def _add_words(rows: list[_ClassTally], explanation: Explanation, position: int) -> None:
    read = read_words(explanation)
    column: dict[str, int] = {}
    columns = np.array([column.setdefault(form, len(column)) for form in read.forms], dtype=np.int64)
    sums = np.zeros((len(column), len(rows)))
    np.add.at(sums, columns, read.relevance.T)
    counts = dict(zip(read.forms, read.counts.tolist(), strict=True))
    for k, tally in enumerate(rows):
        # the most relevant occurrence of each word; on a tie, the first
        order = np.lexsort((-read.relevance[k], columns))
        best = order[np.searchsorted(columns[order], np.arange(len(column)))]
        spans = read.spans[best].tolist()
        for word, value, span in zip(column, sums[:, k].tolist(), spans, strict=True):
            entry = tally.words.get(word)
            if entry is None:
                in_training = None if counts[word] < 0 else counts[word]
                entry = tally.words[word] = _Sum(in_training)
            entry.add(value, position, partial(_quote, explanation, position, *span))


def _quote(explanation: Explanation, position: int, start: int, end: int) -> Quote:
    """Quote the word at these offsets with its context, which ends at the borders of the paragraph."""
    text = explanation.text
    before = text[max(0, start - CONTEXT) : start].rpartition("\n\n")[2]
    after = text[end : end + CONTEXT].partition("\n\n")[0]
    if start > CONTEXT and len(before) == CONTEXT:
        before = "…" + before.partition(" ")[2]
    if end + CONTEXT < len(text) and len(after) == CONTEXT:
        after = after.rpartition(" ")[0] + "…"
    return Quote(explanation.document_id, position, before, text[start:end], after)


def _add_phrases(rows: list[_ClassTally], explanation: Explanation, position: int) -> None:
    sums: dict[str, np.ndarray] = {}
    for phrase in explanation.phrases:
        words = " ".join(explanation.text[phrase.start : phrase.end].split()).casefold()
        sums[words] = sums.get(words, 0.0) + phrase.relevance.astype(np.float64)
    quote = Quote(explanation.document_id, position, "", "", "")
    for words, relevance in sums.items():
        for tally, value in zip(rows, relevance.tolist(), strict=True):
            tally.phrases.setdefault(words, _Sum(None)).add(value, position, lambda: quote)


def _best(sums: Mapping[str, _Sum], top: int | None) -> tuple[ClassWord, ...]:
    ordered = sorted(sums.items(), key=lambda pair: (-pair[1].relevance, pair[0]))
    return tuple(tally.named(word) for word, tally in ordered[:top])
