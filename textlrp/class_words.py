"""The words that a model read of a document, with their relevance.

Letters: L words read, K targets.
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


UNSEEN = "†"
"""Marks a word that is in no training document."""

EXAMPLES = 3
"""Documents named for each word, those where it has most relevance."""

_BLANK_RUN = re.compile(r"\s+")

AROUND = 60
"""Characters of text quoted on each side of a word."""


class Quote(NamedTuple):
    """A word where it has most relevance in a document: what stands around it, on one line, and the place of the
    document in the corpus, from 0."""

    document: str
    position: int
    before: str
    word: str
    after: str

    def on_one_line(self) -> Quote:
        """The same with single blanks; a blank next to the word stays."""
        return self._replace(before=_BLANK_RUN.sub(" ", self.before), after=_BLANK_RUN.sub(" ", self.after))


class ClassWord(NamedTuple):
    """A word or phrase: summed ``relevance``, how many ``documents`` have it, the ids of some (most relevant first).

    ``in_training`` is how many training documents have the word: 0 for one never seen there, None where it is not
    known, as of every phrase. ``quotes`` show the word in the documents of ``examples``; phrases have none.
    """

    word: str
    relevance: float
    documents: int
    in_training: int | None
    examples: tuple[str, ...]
    quotes: tuple[Quote, ...] = ()


class ClassWords(NamedTuple):
    """The words and phrases of a class, the largest sum first; ``documents`` is how many were explained for it."""

    label: str
    documents: int
    words: tuple[ClassWord, ...]
    phrases: tuple[ClassWord, ...]


class ClassWordTally:
    """The words of each class so far: explanations are added one at a time, and what is kept is a line for each word
    of each class."""

    def __init__(self) -> None:
        self._tallies: dict[str, _ClassTally] = {}
        self._order: dict[str, int] = {}
        self._position = 0

    def add(self, explanation: Explanation) -> None:
        """Count one explanation: every target of it for its class, a contrast as ``A, not B``."""
        self._order = self._order or {label: place for place, label in enumerate(explanation.labels)}
        rows = [self._tallies.setdefault(name, _ClassTally()) for name in explanation.target_names]
        for tally in rows:
            tally.documents += 1
        _add_words(rows, explanation, self._position)
        _add_phrases(rows, explanation, self._position)
        self._position += 1

    def found(self, top: int | None = 20) -> list[ClassWords]:
        """The ``top`` words of each class, classes in the model's order; None is all words."""
        order = self._order
        return [
            ClassWords(label, tally.documents, _best(tally.words, top), _best(tally.phrases, top))
            for label, tally in sorted(self._tallies.items(), key=lambda pair: order.get(pair[0], len(order)))
        ]


def class_words(explanations: Iterable[Explanation], *, top: int | None = 20) -> list[ClassWords]:
    """For each class, the ``top`` words with the largest summed relevance over the documents explained for it.

    Every target of an explanation counts for its class, a contrast as ``A, not B``. Unknown words do not count: they
    have no relevance. Phrases, where the explanations have them, are compared in one case and with single blanks.
    Classes come in the order of the model's; those that no document was explained for are left out. ``top`` None is
    all. The explanations are read one at a time.
    Source: Arras et al. 2017, section "Word-level relevances" (table of the most relevant words).
    """
    tally = ClassWordTally()
    for explanation in explanations:
        tally.add(explanation)
    return tally.found(top)


@dataclass(slots=True)
class _Sum:
    """Of one word: what :class:`ClassWord` says, so far; ``best`` is a heap of (relevance, −position, quote)."""

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
    """Of one class."""

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
        # of each word the occurrence with the most relevance, of equals the first
        order = np.lexsort((-read.relevance[k], columns))
        strongest = order[np.searchsorted(columns[order], np.arange(len(column)))]
        spans = read.spans[strongest].tolist()
        for word, value, span in zip(column, sums[:, k].tolist(), spans, strict=True):
            entry = tally.words.get(word)
            if entry is None:
                in_training = None if counts[word] < 0 else counts[word]
                entry = tally.words[word] = _Sum(in_training)
            entry.add(value, position, partial(_quote, explanation, position, *span))


def _quote(explanation: Explanation, position: int, start: int, end: int) -> Quote:
    """Around the word at these offsets, within its paragraph."""
    text = explanation.text
    before = text[max(0, start - AROUND) : start].rpartition("\n\n")[2]
    after = text[end : end + AROUND].partition("\n\n")[0]
    if start > AROUND and len(before) == AROUND:
        before = "…" + before.partition(" ")[2]
    if end + AROUND < len(text) and len(after) == AROUND:
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
