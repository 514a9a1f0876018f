"""The words of a class: those with the most relevance over a corpus.

Letters: L words read of one document, K targets.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from textlrp.evaluation.read_words import read_words
from textlrp.records import Explanation

EXAMPLES = 3
"""Documents named for each word, those where it has most relevance."""


class ClassWord(NamedTuple):
    """A word or phrase: summed ``relevance``, how many ``documents`` have it, the ids of some (most relevant first).

    ``in_training`` is how many training documents have the word: 0 for one never seen there, None where it is not
    known, as of every phrase.
    """

    word: str
    relevance: float
    documents: int
    in_training: int | None
    examples: tuple[str, ...]


class ClassWords(NamedTuple):
    """The words and phrases of a class, the largest sum first; ``documents`` is how many were explained for it."""

    label: str
    documents: int
    words: tuple[ClassWord, ...]
    phrases: tuple[ClassWord, ...]


@dataclass(slots=True)
class _Sum:
    """Of one word: what :class:`ClassWord` says, so far; ``best`` is a heap of (relevance, −position, id)."""

    in_training: int | None
    relevance: float = 0.0
    documents: int = 0
    best: list[tuple[float, int, str]] = field(default_factory=list)

    def add(self, relevance: float, position: int, document: str) -> None:
        self.relevance += relevance
        self.documents += 1
        entry = (relevance, -position, document)
        if len(self.best) < EXAMPLES:
            heapq.heappush(self.best, entry)
        elif entry > self.best[0]:
            heapq.heapreplace(self.best, entry)

    def named(self, word: str) -> ClassWord:
        examples = tuple(document for _, _, document in sorted(self.best, reverse=True))
        return ClassWord(word, self.relevance, self.documents, self.in_training, examples)


@dataclass(slots=True)
class _Tally:
    """Of one class."""

    documents: int = 0
    words: dict[str, _Sum] = field(default_factory=dict)
    phrases: dict[str, _Sum] = field(default_factory=dict)


def class_words(explanations: Iterable[Explanation], *, top: int | None = 20) -> list[ClassWords]:
    """For each class, the ``top`` words with the largest summed relevance over the documents explained for it.

    Every target of an explanation counts for its class, a contrast as ``A, not B``. Unknown words do not count: they
    have no relevance. Phrases, where the explanations have them, are compared in one case and with single blanks.
    Classes come in the order of the model's; those that no document was explained for are left out. ``top`` None is
    all. The explanations are read one at a time; what is kept is a line for each word of each class.
    Source: Arras et al. 2017, section "Word-level relevances" (table of the most relevant words).
    """
    tallies: dict[str, _Tally] = {}
    order: dict[str, int] = {}
    for position, explanation in enumerate(explanations):
        order = order or {label: place for place, label in enumerate(explanation.labels)}
        rows = [tallies.setdefault(name, _Tally()) for name in explanation.target_names]
        for tally in rows:
            tally.documents += 1
        _add_words(rows, explanation, position)
        _add_phrases(rows, explanation, position)
    return [
        ClassWords(label, tally.documents, _best(tally.words, top), _best(tally.phrases, top))
        for label, tally in sorted(tallies.items(), key=lambda pair: order.get(pair[0], len(order)))
    ]


def _add_words(rows: list[_Tally], explanation: Explanation, position: int) -> None:
    read = read_words(explanation)
    column: dict[str, int] = {}
    columns = [column.setdefault(form, len(column)) for form in read.forms]
    sums = np.zeros((len(column), len(rows)))
    np.add.at(sums, columns, read.relevance.T)
    counts = dict(zip(read.forms, read.counts.tolist(), strict=True))
    for word, relevance in zip(column, sums.tolist(), strict=True):
        in_training = None if counts[word] < 0 else counts[word]
        for tally, value in zip(rows, relevance, strict=True):
            tally.words.setdefault(word, _Sum(in_training)).add(value, position, explanation.document_id)


def _add_phrases(rows: list[_Tally], explanation: Explanation, position: int) -> None:
    sums: dict[str, np.ndarray] = {}
    for phrase in explanation.phrases:
        words = " ".join(explanation.text[phrase.start : phrase.end].split()).casefold()
        sums[words] = sums.get(words, 0.0) + phrase.relevance.astype(np.float64)
    for words, relevance in sums.items():
        for tally, value in zip(rows, relevance.tolist(), strict=True):
            tally.phrases.setdefault(words, _Sum(None)).add(value, position, explanation.document_id)


def _best(sums: Mapping[str, _Sum], top: int | None) -> tuple[ClassWord, ...]:
    ordered = sorted(sums.items(), key=lambda pair: (-pair[1].relevance, pair[0]))
    return tuple(tally.named(word) for word, tally in ordered[:top])
