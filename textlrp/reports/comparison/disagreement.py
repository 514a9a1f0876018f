"""The words that two explanations disagree on most, of one document and of many.

A word's weight is its relevance over the sum of all |relevance| of its document: sides of different scale compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from textlrp.reports.comparison.agreement import AlignedWords
from textlrp.reports.numbers import decimals, number

WORDS_OF_DOCUMENT, WORDS_OF_ALL = 8, 20
"""Words listed of a document, and on each side of the table over all of them."""


class Tally(NamedTuple):
    """A word over all documents: summed weights, and the documents where each side, and where either, read it."""

    first: float = 0.0
    second: float = 0.0
    first_read: int = 0
    second_read: int = 0
    documents: int = 0


class WordRow(NamedTuple):
    """A word, the documents it is read in, its weight on both sides and the difference; ``share`` is a bar's."""

    word: str
    documents: int
    first: str
    second: str
    difference: str
    share: int
    note: str


def words_of_document(both: AlignedWords, headings: tuple[str, str]) -> list[WordRow]:
    """The words of one document with the largest difference, of either sign."""
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
    """Add the words of one document to those of all."""
    numbers = (both.first, both.second, both.first_read.astype(int), both.second_read.astype(int))
    for word, *values in zip(both.words, *(each.tolist() for each in numbers), strict=True):
        old = tallies.get(word, Tally())
        tallies[word] = Tally(*(a + b for a, b in zip(old, (*values, 1), strict=True)))


def words_of_all(tallies: dict[str, Tally], headings: tuple[str, str]) -> tuple[list[WordRow], list[WordRow]]:
    """The words with the largest difference summed over documents: above zero, and below."""
    order = sorted(tallies.items(), key=lambda item: item[1].second - item[1].first)
    first = [(word, each) for word, each in order[:WORDS_OF_ALL] if each.first > each.second]
    second = [(word, each) for word, each in order[: -WORDS_OF_ALL - 1 : -1] if each.second > each.first]
    largest = max((abs(each.first - each.second) for _, each in first[:1] + second[:1]), default=0.0)
    digits = min(3, decimals(largest))
    return _disagreement_rows(first, headings, digits, largest), _disagreement_rows(second, headings, digits, largest)


def _disagreement_rows(
    words: Sequence[tuple[str, Tally]], headings: tuple[str, str], digits: int, largest: float | None = None
) -> list[WordRow]:
    most = largest or max((abs(each.first - each.second) for _, each in words), default=1.0)
    return [
        WordRow(
            word,
            each.documents,
            number(each.first, digits, signed=True),
            number(each.second, digits, signed=True),
            number(each.first - each.second, digits, signed=True),
            round(100 * abs(each.first - each.second) / most),
            _unread(each, headings),
        )
        for word, each in words
    ]


def _unread(tally: Tally, headings: tuple[str, str]) -> str:
    """Says which side never read a word."""
    for heading, read in zip(headings, (tally.first_read, tally.second_read), strict=True):
        if not read:
            return f"not read by {heading}"
    return ""
