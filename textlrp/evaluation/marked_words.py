"""The units that rationale agreement ranks: tokens, words or sentences, with their relevance and human marks.

Open it to change how relevance and human marks are aggregated per unit; the measures are in
:mod:`textlrp.evaluation.rationales`.

Letters: N documents, S marked ranges, L words, distinct words or sentences of one document.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import FloatArray
from textlrp.class_words import most_relevant, overlaps
from textlrp.errors import OptionError
from textlrp.evaluation.rationale_files import Rationale
from textlrp.explanation import Explanation
from textlrp.records import Ranges
from textlrp.text.sentences import sentence_spans
from textlrp.text.tokens import Tokenizer, make_tokenizer

By = Literal["token", "word", "sentence"]
LEVELS: tuple[By, ...] = ("word", "token", "sentence")
"""Units to rank: distinct words (relevance summed over occurrences), tokens (single occurrences), or sentences."""


def overlaps_marks(words: NDArray[np.int32], ranges: Ranges) -> NDArray[np.bool_]:
    """(L,) whether each word (L, 2) overlaps one of the sorted, disjoint ranges (S, 2).

    A word overlaps a range if more ranges begin before the word's end than end before its start.
    """
    begun = np.searchsorted(ranges[:, 0], words[:, 1], "left")
    ended = np.searchsorted(ranges[:, 1], words[:, 0], "right")
    return np.asarray(begun > ended)


# ---- units


class TextWords(NamedTuple):
    """Character ``spans`` (L, 2) of the words of a text, and their lowercase ``forms`` (L,)."""

    spans: NDArray[np.int32]
    forms: tuple[str, ...]


class RankedUnits(NamedTuple):
    """``relevance`` (L,) of the tokens, words or sentences of a text, and whether each is ``marked`` (L,)."""

    relevance: FloatArray
    marked: NDArray[np.bool_]


def text_words(text: str) -> TextWords:
    """All words of a text (runs of letters and digits), including those that a model ignores."""
    spans = _tokenizer().spans(text)
    return TextWords(spans, tuple(text[start:end].casefold() for start, end in spans.tolist()))


@cache
def _tokenizer() -> Tokenizer:
    return make_tokenizer("words")


def word_relevance(words: TextWords, explanation: Explanation, row: int) -> FloatArray:
    """(L,) relevance of target ``row``, distributed from tokens to the words that they overlap.

    The relevance of a token that overlaps no word is dropped.
    """
    word, token, share = overlaps(words.spans, explanation.tokens.spans)
    values = share * explanation.relevance[row].astype(np.float64)[token]
    return np.bincount(word, weights=values, minlength=len(words.spans)).astype(np.float64)


def sum_by_group(values: FloatArray, groups: NDArray[np.int64], count: int) -> FloatArray:
    return np.bincount(groups, weights=values, minlength=count).astype(np.float64)


def max_by_group(values: FloatArray, groups: NDArray[np.int64], count: int) -> FloatArray:
    found = np.full(count, -np.inf)
    np.maximum.at(found, groups, values)
    return found


def ranked_units(
    words: TextWords,
    relevance: FloatArray,
    rationale: Rationale,
    by: By,
    aggregate: Callable[[FloatArray, NDArray[np.int64], int], FloatArray],
) -> RankedUnits:
    """The units of a text in the order of the text; ``aggregate`` combines the relevance of the words of a unit."""
    marked = overlaps_marks(words.spans, rationale.spans)
    if by == "token":
        return RankedUnits(relevance, marked)
    if by == "word":
        index: dict[str, int] = {}
        groups = np.array([index.setdefault(form, len(index)) for form in words.forms], dtype=np.int64)
    elif by == "sentence":
        # a word belongs to the sentence in which it begins; np.unique drops sentences without a word
        sentence = np.searchsorted(sentence_spans(rationale.text)[:, 0], words.spans[:, 0], "right")
        groups = np.unique(sentence, return_inverse=True)[1].astype(np.int64)
    else:
        raise OptionError(f"by must be 'token', 'word' or 'sentence'; got {by!r}.")
    count = int(groups.max(initial=-1)) + 1
    return RankedUnits(aggregate(relevance, groups, count), np.bincount(groups, weights=marked, minlength=count) > 0)


def agreement_measures(
    relevance: NDArray[np.float64], marked: NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    """Average precision, AUROC, pointing (0 or 1) and intersection over union of one document."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    common = int(marked[most_relevant(relevance, int(marked.sum()))].sum())
    return (
        float(average_precision_score(marked, relevance)),
        float(roc_auc_score(marked, relevance)),
        float(marked[most_relevant(relevance, 1)[0]]),
        common / (2 * int(marked.sum()) - common),
    )
