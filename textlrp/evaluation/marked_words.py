"""The words, tokens or sentences that people marked, as units with relevance that can be ranked.

Letters: N documents, S marked ranges, L words, word types or sentences of one document.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import FloatArray
from textlrp.class_words import overlaps
from textlrp.errors import OptionError
from textlrp.evaluation.rationale_files import Rationale
from textlrp.explanation import Explanation
from textlrp.records import Ranges
from textlrp.text.sentences import sentence_spans
from textlrp.text.tokens import Tokenizer, make_tokenizer

By = Literal["token", "word", "sentence"]
LEVELS: tuple[By, ...] = ("word", "token", "sentence")
"""What is ranked: distinct words with their occurrences summed, single occurrences, or sentences."""


def marked_parts(words: NDArray[np.int32], ranges: Ranges) -> NDArray[np.bool_]:
    """(L,) whether each word (L, 2) overlaps one of the ranges (S, 2): more have begun than were over before it."""
    begun = np.searchsorted(ranges[:, 0], words[:, 1], "left")
    over = np.searchsorted(ranges[:, 1], words[:, 0], "right")
    return np.asarray(begun > over)


# ---- what is ranked


class TextWords(NamedTuple):
    """Character ``spans`` (L, 2) of the words of a text, and their ``forms`` (L,) in lower case."""

    spans: NDArray[np.int32]
    forms: tuple[str, ...]


class RankedWords(NamedTuple):
    """``relevance`` (L,) of the words, word types or sentences of a text, and which are ``marked`` (L,)."""

    relevance: FloatArray
    marked: NDArray[np.bool_]


def text_words(text: str) -> TextWords:
    """All words of a text, whatever a model reads: runs of letters and digits."""
    spans = _tokenizer().spans(text)
    return TextWords(spans, tuple(text[start:end].casefold() for start, end in spans.tolist()))


@cache
def _tokenizer() -> Tokenizer:
    return make_tokenizer("words")


def over_words(words: TextWords, explanation: Explanation, row: int) -> FloatArray:
    """(L,) the relevance of the tokens on the words they overlap; what is on no word is left out."""
    word, token, share = overlaps(words.spans, explanation.tokens.spans)
    values = share * explanation.relevance[row].astype(np.float64)[token]
    return np.bincount(word, weights=values, minlength=len(words.spans)).astype(np.float64)


def summed_parts(values: FloatArray, groups: NDArray[np.int64], count: int) -> FloatArray:
    return np.bincount(groups, weights=values, minlength=count).astype(np.float64)


def largest_parts(values: FloatArray, groups: NDArray[np.int64], count: int) -> FloatArray:
    found = np.full(count, -np.inf)
    np.maximum.at(found, groups, values)
    return found


def ranked_words(
    words: TextWords,
    relevance: FloatArray,
    rationale: Rationale,
    by: By,
    together: Callable[[FloatArray, NDArray[np.int64], int], FloatArray],
) -> RankedWords:
    """The words' relevance and marks, put ``together`` for word types or sentences, in the order of the text."""
    marked = marked_parts(words.spans, rationale.spans)
    if by == "token":
        return RankedWords(relevance, marked)
    if by == "word":
        index: dict[str, int] = {}
        groups = np.array([index.setdefault(form, len(index)) for form in words.forms], dtype=np.int64)
    elif by == "sentence":
        # a word belongs to the sentence it begins in; sentences without a word do not count
        place = np.searchsorted(sentence_spans(rationale.text)[:, 0], words.spans[:, 0], "right")
        groups = np.unique(place, return_inverse=True)[1].astype(np.int64)
    else:
        raise OptionError(f"by must be 'token', 'word' or 'sentence'; got {by!r}.")
    count = int(groups.max(initial=-1)) + 1
    return RankedWords(together(relevance, groups, count), np.bincount(groups, weights=marked, minlength=count) > 0)
