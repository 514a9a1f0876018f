"""The words with the largest difference in relevance between two explanations, in one document and over many.

All relevance here is normalized: divided by the sum of |relevance| of the document, so sides of different scale
compare (see :class:`AlignedWords`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from textlrp.reports.comparison.agreement import AlignedWords
from textlrp.reports.numbers import decimals, number
from textlrp.text_free import may_stay

WORDS_OF_DOCUMENT, WORDS_OF_ALL = 8, 20
"""Words listed for one document, and for each side over all documents."""


class Tally(NamedTuple):
    """One word over all documents.

    ``first`` and ``second`` are its summed normalized relevance; ``first_read`` and ``second_read`` the number of
    documents in which each side reads it, ``documents`` that in which either does.
    """

    first: float = 0.0
    second: float = 0.0
    first_read: int = 0
    second_read: int = 0
    documents: int = 0


class WordRow(NamedTuple):
    """A table row as text; ``share`` is the length of the bar in percent, ``note`` which side ignores the word."""

    word: str
    documents: int
    first: str
    second: str
    difference: str
    share: int
    note: str


def words_of_document(both: AlignedWords, headings: tuple[str, str]) -> list[WordRow]:
    """Return the words of one document with the largest difference, of either sign."""
    order = np.argsort(-np.abs(both.difference), kind="stable")[:WORDS_OF_DOCUMENT].tolist()
    rows = [
        (
            both.words[w],
            Tally(float(both.first[w]), float(both.second[w]), int(both.first_read[w]), int(both.second_read[w]), 1),
        )
        for w in order
        if both.difference[w]
    ]
    return _disagreement_rows(rows, headings, 3)


def count_words(tallies: dict[str, Tally], both: AlignedWords) -> None:
    """Add the words of one document to the tallies."""
    numbers = (both.first, both.second, both.first_read.astype(int), both.second_read.astype(int))
    for word, *values in zip(both.words, *(each.tolist() for each in numbers), strict=True):
        old = tallies.get(word, Tally())
        tallies[word] = Tally(*(a + b for a, b in zip(old, (*values, 1), strict=True)))


def words_of_all(
    tallies: dict[str, Tally], headings: tuple[str, str], *, texts: bool = True
) -> tuple[list[WordRow], list[WordRow]]:
    """Return the words with the largest differences summed over documents: positive ones, and negative ones.

    Without ``texts``, only words that may stay (:func:`textlrp.text_free.may_stay`). Equal differences are in
    alphabetical order, because the order of a text would reveal it.
    """
    words = sorted(item for item in tallies.items() if texts or may_stay(item[0], item[1].documents))
    order = sorted(words, key=lambda item: item[1].second - item[1].first)[:WORDS_OF_ALL]
    reversed_order = sorted(words, key=lambda item: item[1].first - item[1].second)[:WORDS_OF_ALL]
    first = [(word, each) for word, each in order if each.first > each.second]
    second = [(word, each) for word, each in reversed_order if each.second > each.first]
    largest = max((abs(each.first - each.second) for _, each in first[:1] + second[:1]), default=0.0)
    digits = min(3, decimals(largest))
    return _disagreement_rows(first, headings, digits, largest), _disagreement_rows(second, headings, digits, largest)


def _disagreement_rows(
    words: Sequence[tuple[str, Tally]], headings: tuple[str, str], digits: int, largest: float | None = None
) -> list[WordRow]:
    scale = largest or max((abs(each.first - each.second) for _, each in words), default=1.0)
    return [
        WordRow(
            word,
            each.documents,
            number(each.first, digits, signed=True),
            number(each.second, digits, signed=True),
            number(each.first - each.second, digits, signed=True),
            round(100 * abs(each.first - each.second) / scale),
            _ignored_by(each, headings),
        )
        for word, each in words
    ]


def _ignored_by(tally: Tally, headings: tuple[str, str]) -> str:
    """Name the side that ignores the word in every document, if there is one."""
    for heading, read in zip(headings, (tally.first_read, tally.second_read), strict=True):
        if not read:
            return f"ignored by {heading}"
    return ""
