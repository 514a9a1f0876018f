"""An explanation as runs of text: what to mark, how strongly, and what was not read.

The law: the runs' texts, joined, are the document. K' counts the rows (targets) shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.numbers import decimals, number

SHOWN = 2
"""Percent of the document's largest relevance below which a word is left unmarked."""

STRONG = 30
"""Percent of the document's largest relevance from which a word is underlined and the keyboard reaches it."""

REASONS = {
    Status.SKIPPED: "not read: skipped range",
    Status.NOT_A_WORD: "not read: not a word",
    Status.UNKNOWN: "not read: unknown word",
    Status.TRUNCATED: "not read: cut off, past the longest text the model reads",
}
"""Why a token was not read, in plain words."""

_MARKED = 255  # beside the values of Status, in one array of token kinds


class TextRun(NamedTuple):
    """A stretch of the text that looks alike.

    ``status`` is None for plain text (gaps, and words read whose relevance does not show), READ for
    one marked word, else the reason why the stretch was not read. ``shares`` are (row, percent) of a
    marked word, -100 to 100. ``title`` says the number or the reason. ``in_training`` is how many training documents
    have a marked word, -1 where that is not known.
    """

    text: str
    status: Status | None
    shares: tuple[tuple[int, int], ...]
    title: str
    in_training: int = -1

    @property
    def strong(self) -> bool:
        """Whether the word stands out for a target, so that the keyboard should reach it."""
        return any(abs(share) >= STRONG for _, share in self.shares)


class WordSums(NamedTuple):
    """The distinct words read (W), in alphabetical order: ``sums`` (K', W) and ``times`` (W,)."""

    words: list[str]
    sums: NDArray[np.float64]
    times: NDArray[np.int64]


def shown_relevance(explanation: Explanation, rows: Sequence[int]) -> NDArray[np.float64]:
    """(K', T) the relevance of these rows in float64; 0 where it is ignored or not a finite number."""
    values = explanation.relevance[list(rows)].astype(np.float64)
    values[~np.isfinite(values)] = 0.0
    values[:, ~explanation.seen] = 0.0
    return values


def runs(explanation: Explanation, rows: Sequence[int]) -> list[TextRun]:
    """The document's text cut into runs, in order; linear in the length of the text.

    A share is relative to the largest ``|relevance|`` of the document over ``rows``, rounded to a
    percent. A marked word's title is its relevance if there is one row, and empty if there are more.
    """
    values = shown_relevance(explanation, rows)
    largest = float(np.abs(values).max(initial=0.0))
    percents = np.rint(100.0 * (values / (largest or 1.0))).astype(np.int16)
    kinds = explanation.status.astype(np.uint8)
    kinds[(np.abs(percents) >= SHOWN).any(axis=0)] = _MARKED

    text, spans, digits = explanation.text, explanation.tokens.spans, decimals(largest)
    found: list[TextRun] = []
    position = 0
    for first, last in _groups(kinds):
        start, end, kind = int(spans[first, 0]), int(spans[last, 1]), int(kinds[first])
        if kind == Status.READ:
            continue
        if start > position:
            found.append(TextRun(text[position:start], None, (), ""))
        if kind == _MARKED:
            column = percents[:, first].tolist()
            shares = tuple((row, share) for row, share in zip(rows, column, strict=True) if abs(share) >= SHOWN)
            title = number(float(values[0, first]), digits, signed=True) if len(rows) == 1 else ""
            found.append(TextRun(text[start:end], Status.READ, shares, title, int(explanation.counts[first])))
        else:
            found.append(TextRun(text[start:end], Status(kind), (), REASONS[Status(kind)]))
        position = end
    if position < len(text):
        found.append(TextRun(text[position:], None, (), ""))
    return found


class SentenceRelevance(NamedTuple):
    """A sentence with words that were read: its place in the text, the relevance of its words for each row (K',) in
    percent of the largest of the document, and ``title``, its number where there is one row."""

    start: int
    end: int
    shares: tuple[tuple[int, int], ...]
    title: str


def sentence_sums(explanation: Explanation, rows: Sequence[int], spans: NDArray[np.int32]) -> list[SentenceRelevance]:
    """The sentences (S, 2) that hold words read, each with the relevance of its words; a word belongs to the
    sentence it begins in."""
    if not len(spans):
        return []
    place = np.searchsorted(spans[:, 0], explanation.tokens.spans[:, 0], "right") - 1
    inside = explanation.seen & (place >= 0)
    values, place = shown_relevance(explanation, rows)[:, inside], place[inside]
    sums = np.array([np.bincount(place, weights=row, minlength=len(spans)) for row in values])
    largest = float(np.abs(sums).max(initial=0.0))
    percents = np.rint(100.0 * (sums / (largest or 1.0))).astype(int)
    digits = decimals(largest)
    return [
        SentenceRelevance(
            int(spans[n, 0]),
            int(spans[n, 1]),
            tuple((row, int(share)) for row, share in zip(rows, percents[:, n], strict=True) if share),
            number(float(sums[0, n]), digits, signed=True) if len(rows) == 1 else "",
        )
        for n in np.unique(place).tolist()
    ]


def in_sentences(
    found: Sequence[TextRun], sentences: Sequence[SentenceRelevance]
) -> list[tuple[int | None, list[TextRun]]]:
    """The runs cut where a sentence begins or ends: (number of the sentence or None, its runs), in order."""
    edges = [edge for sentence in sentences for edge in (sentence.start, sentence.end)]
    pieces: list[tuple[int | None, list[TextRun]]] = []
    position, passed = 0, 0
    for run in found:
        text = run.text
        while text:
            while passed < len(edges) and edges[passed] <= position:
                passed += 1
            until = edges[passed] - position if passed < len(edges) else len(text)
            number_of = passed // 2 if passed % 2 else None
            if not pieces or pieces[-1][0] != number_of:
                pieces.append((number_of, []))
            pieces[-1][1].append(run._replace(text=text[:until]))
            position, text = position + len(text[:until]), text[until:]
    return pieces


def _groups(kinds: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """First and last token of each stretch of one kind; a marked word stands alone."""
    if not len(kinds):
        return []
    begins = np.ones(len(kinds), dtype=np.bool_)
    begins[1:] = (kinds[1:] != kinds[:-1]) | (kinds[1:] == _MARKED)
    firsts = np.flatnonzero(begins)
    lasts = np.append(firsts[1:], len(kinds)) - 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def word_sums(explanation: Explanation, rows: Sequence[int]) -> WordSums:
    """Relevance summed over the occurrences of each distinct word read.

    The order is that of equal words in :meth:`textlrp.Explanation.words`, so pages list words as it does.
    """
    forms, word_of = explanation.tokens.words()
    read = np.unique(word_of[explanation.seen])
    index = {form: place for place, form in enumerate(sorted({forms[word] for word in read.tolist()}))}
    ids = np.array([index[forms[word]] for word in read.tolist()], dtype=np.int64)
    shown = shown_relevance(explanation, rows)
    values = np.array([np.bincount(word_of, weights=row, minlength=len(forms))[read] for row in shown])
    sums = np.array([np.bincount(ids, weights=row, minlength=len(index)) for row in values])
    return WordSums(list(index), sums.reshape(len(rows), len(index)), np.bincount(ids, minlength=len(index)))
