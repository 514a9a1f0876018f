"""Cut the text of an explanation into runs, each marked by its relevance or by the reason why the model ignores it.

Joined, the texts of the runs are the document, character for character. Every page, the mail fragment and the
terminal show these runs. Open this module to change what is marked and how strongly.

T tokens, S sentences, W distinct words, K' the rows (targets) that are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.numbers import decimals, number

MARKED_FROM = 2
"""A word is marked if its relevance is at least this many percent of the document's largest."""

STRONG_FROM = 30
"""A word is underlined and reached by the Tab key if its relevance is at least this many percent of the largest."""

IGNORED = "ignored by the model: "
"""Begins each of :data:`REASONS`."""

REASONS = {
    Status.SKIPPED: f"{IGNORED}skipped, such as a header",
    Status.NOT_A_WORD: f"{IGNORED}not a word",
    Status.UNKNOWN: f"{IGNORED}unknown word",
    Status.TRUNCATED: f"{IGNORED}truncated at the model’s maximum length",
}
"""Why the model ignores a token, as pages and the terminal show it."""

UNSEEN = "†"
"""The mark of a word that no training document contains."""

UNSEEN_NOTE = (
    f"{UNSEEN} marks a word that occurs in no training document; what the model knows about it comes from elsewhere, "
    "such as its word vectors, its encoder or parts of the word."
)
"""The note below a table that contains :data:`UNSEEN`."""

_MARKED = 255  # a token kind of its own, outside the values of Status, so that one uint8 array covers all kinds


class TextRun(NamedTuple):
    """A stretch of text that is shown in one style.

    ``status`` is READ for one marked word, None for plain text (gaps between tokens, and words with too little
    relevance to mark), else the reason why the model ignores the stretch. ``shares`` are the (row, percent) pairs of
    a marked word, -100 to 100. ``title`` is the tooltip: the relevance or the reason. ``in_training`` is the number
    of training documents that contain the marked word, -1 if unknown. ``word`` are the character offsets (start, end)
    of the word that the run belongs to, only if each token is a run. ``classes`` are style classes of a marked word.
    """

    text: str
    status: Status | None
    shares: tuple[tuple[int, int], ...]
    title: str
    in_training: int = -1
    word: tuple[int, int] | None = None
    classes: str = ""

    @property
    def strong(self) -> bool:
        """Whether the word is strongly relevant to any target, so that it is underlined and can be focused."""
        return any(abs(share) >= STRONG_FROM for _, share in self.shares)


class WordSums(NamedTuple):
    """The distinct words that the model reads (W), in alphabetical order.

    ``sums`` (K', W) is their relevance, summed over occurrences, and ``counts`` (W,) the number of occurrences.
    """

    words: list[str]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]


def shown_relevance(explanation: Explanation, rows: Sequence[int]) -> NDArray[np.float64]:
    """Return the relevance of these rows (K', T) in float64, with 0 for ignored tokens and for NaN or infinity."""
    values = explanation.relevance[list(rows)].astype(np.float64)
    values[~np.isfinite(values)] = 0.0
    values[:, ~explanation.seen] = 0.0
    return values


def full_color(explanation: Explanation, rows: Sequence[int]) -> str:
    """Return the largest |relevance| over these rows, which has the full color: that of a word, or of a character."""
    largest = float(np.abs(shown_relevance(explanation, rows)).max(initial=0.0))
    words, _ = explanation.tokens.words()
    return number(largest, decimals(largest)) + (" per character" if len(words) < len(explanation.tokens) else "")


def runs(
    explanation: Explanation,
    rows: Sequence[int],
    *,
    each_token: bool = False,
    classes: Mapping[int, str] = MappingProxyType({}),
) -> list[TextRun]:
    """Cut the text of the document into runs, in order; the time is linear in the length of the text.

    With ``each_token`` each token is a run by itself, marked or not, and has the offsets of its word.

    A share is relative to the largest ``|relevance|`` of the document over ``rows``, rounded to a whole percent. The
    title of a marked word is its relevance if there is one row; with several rows it is empty. The tokens in
    ``classes`` are marked in any case, and get these style classes.
    """
    values = shown_relevance(explanation, rows)
    largest = float(np.abs(values).max(initial=0.0))
    percents = np.rint(100.0 * (values / (largest or 1.0))).astype(np.int16)
    kinds = explanation.status.astype(np.uint8)
    kinds[(np.abs(percents) >= MARKED_FROM).any(axis=0)] = _MARKED
    kinds[list(classes)] = _MARKED
    words = _word_ranges(explanation) if each_token else None

    text, spans, digits = explanation.text, explanation.tokens.spans, decimals(largest)
    found: list[TextRun] = []
    position = 0
    for first, last in _groups(kinds, each_token):
        start, end, kind = int(spans[first, 0]), int(spans[last, 1]), int(kinds[first])
        if kind == Status.READ and not each_token:
            continue
        if start > position:
            found.append(TextRun(text[position:start], None, (), ""))
        word = None if words is None else (int(words[first, 0]), int(words[first, 1]))
        if kind in (_MARKED, Status.READ):
            column = percents[:, first].tolist()
            shares = tuple((row, share) for row, share in zip(rows, column, strict=True) if abs(share) >= MARKED_FROM)
            title = number(float(values[0, first]), digits, signed=True) if len(rows) == 1 else ""
            known, style = int(explanation.counts[first]), classes.get(first, "")
            found.append(TextRun(text[start:end], Status.READ, shares, title, known, word, style))
        else:
            found.append(TextRun(text[start:end], Status(kind), (), REASONS[Status(kind)], word=word))
        position = end
    if position < len(text):
        found.append(TextRun(text[position:], None, (), ""))
    return found


class SentenceRelevance(NamedTuple):
    """A sentence with at least one word that the model reads.

    ``start`` and ``end`` are character offsets. ``shares`` are (row, percent) pairs: the summed relevance of the
    sentence's words, relative to the document's largest sentence. ``title`` is that sum if there is one row.
    """

    start: int
    end: int
    shares: tuple[tuple[int, int], ...]
    title: str


def sentence_sums(explanation: Explanation, rows: Sequence[int], spans: NDArray[np.int32]) -> list[SentenceRelevance]:
    """Sum the relevance of each sentence; ``spans`` (S, 2) are the sentences' character offsets.

    A word belongs to the sentence that it begins in. Sentences without a word that the model reads are left out.
    """
    if not len(spans):
        return []
    sentence = np.searchsorted(spans[:, 0], explanation.tokens.spans[:, 0], "right") - 1
    inside = explanation.seen & (sentence >= 0)
    values, sentence = shown_relevance(explanation, rows)[:, inside], sentence[inside]
    sums = np.array([np.bincount(sentence, weights=row, minlength=len(spans)) for row in values])
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
        for n in np.unique(sentence).tolist()
    ]


def in_sentences(
    found: Sequence[TextRun], sentences: Sequence[SentenceRelevance]
) -> list[tuple[int | None, list[TextRun]]]:
    """Cut the runs at the ends of sentences: (index of the sentence or None, its runs), in order."""
    edges = [edge for sentence in sentences for edge in (sentence.start, sentence.end)]
    pieces: list[tuple[int | None, list[TextRun]]] = []
    position, passed = 0, 0  # characters consumed, edges at or before them; an odd number of edges is a sentence
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


def _word_ranges(explanation: Explanation) -> NDArray[np.int32]:
    """Return the character offsets (T, 2) of the word of each token. Only character models have longer words."""
    spans, (_, word_of) = explanation.tokens.spans, explanation.tokens.words()
    if not len(spans):
        return spans
    firsts = np.flatnonzero(np.diff(word_of, prepend=-1))
    lasts = np.append(firsts[1:], len(spans)) - 1
    return np.stack([spans[firsts, 0], spans[lasts, 1]], axis=1)[word_of]


def _groups(kinds: NDArray[np.uint8], each_token: bool) -> list[tuple[int, int]]:
    """Return the first and last token of each stretch of one kind. A marked word is a stretch by itself."""
    if not len(kinds):
        return []
    begins = np.ones(len(kinds), dtype=np.bool_)
    if not each_token:
        begins[1:] = (kinds[1:] != kinds[:-1]) | (kinds[1:] == _MARKED)
    firsts = np.flatnonzero(begins)
    lasts = np.append(firsts[1:], len(kinds)) - 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def word_sums(explanation: Explanation, rows: Sequence[int]) -> WordSums:
    """Sum the relevance of each distinct word that the model reads over its occurrences.

    The alphabetical order is how :meth:`textlrp.Explanation.words` breaks ties, so pages list words as it does.
    """
    forms, word_of = explanation.tokens.words()
    read = np.unique(word_of[explanation.seen])
    index = {form: n for n, form in enumerate(sorted({forms[word] for word in read.tolist()}))}
    ids = np.array([index[forms[word]] for word in read.tolist()], dtype=np.int64)
    shown = shown_relevance(explanation, rows)
    values = np.array([np.bincount(word_of, weights=row, minlength=len(forms))[read] for row in shown])
    sums = np.array([np.bincount(ids, weights=row, minlength=len(index)) for row in values])
    return WordSums(list(index), sums.reshape(len(rows), len(index)), np.bincount(ids, minlength=len(index)))
