"""Agreement of two explanations of one text: word alignment, distance, rank correlation, overlap of the top words.

Two models may tokenize a text differently, so both are aligned to words first. Alignment keeps sums: the aligned
words of each explanation sum to the relevance of its tokens. W distinct words, M tokens of the second explanation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import FloatArray, IntArray
from textlrp.class_words import overlaps
from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.records import Tokens
from textlrp.relevant_words import rank_correlations
from textlrp.reports.marks import shown_relevance
from textlrp.reports.numbers import number

TOP_WORDS = 10
"""Number of most relevant words of each side that :func:`top_overlap` compares."""


@dataclass(frozen=True, slots=True)
class AlignedWords:
    """The distinct words (W,) that either side reads, each with its normalized relevance on both sides.

    Normalized relevance is relevance divided by the side's sum of |relevance|, so both sides have the same scale.
    ``first_read`` and ``second_read`` (W,) are true if that side reads the word.
    """

    words: tuple[str, ...]
    first: FloatArray
    second: FloatArray
    first_read: NDArray[np.bool_]
    second_read: NDArray[np.bool_]

    @property
    def difference(self) -> FloatArray:
        """First minus second (W,): positive for a word with more relevance on the first side."""
        return self.first - self.second

    @property
    def distance(self) -> float:
        """Half the sum of |difference|: 0 for equal relevance of every word, at most 1."""
        return min(1.0, float(np.abs(self.difference).sum()) / 2)

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's rank correlation over the words."""
        return rank_correlation(self.first, self.second)

    @property
    def top_overlap(self) -> float | None:
        """The share of the most relevant words that both sides have in common."""
        return top_overlap(self.first, self.second)


def aligned(first: Explanation, second: Explanation) -> AlignedWords:
    """Align two explanations of one text, with one target each, word by word.

    The words are those of the first explanation. The relevance of a token of the second is divided among the words it
    overlaps, in proportion to the overlapping characters. A token that overlaps no word becomes a word, so that no
    relevance is lost. Raises :class:`DataError` if the texts differ or an explanation has several targets.
    """
    _check_pair(first, second)
    forms, word_of = first.tokens.words()
    word, token, share = overlaps(_word_spans(first.tokens), second.tokens.spans)
    alone = np.setdiff1d(np.arange(len(second.tokens)), token)
    index: dict[str, int] = {}
    every = (*forms, *(second.tokens.forms[t] for t in alone.tolist()))
    ids = np.array([index.setdefault(form, len(index)) for form in every], dtype=np.int64)
    word_ids = ids[np.concatenate([word, len(forms) + np.arange(len(alone))])]
    token, share = np.concatenate([token, alone]), np.concatenate([share, np.ones(len(alone))])

    def of_first(values: FloatArray) -> FloatArray:
        return _sums(ids[word_of], values, len(index))

    def of_second(values: FloatArray) -> FloatArray:
        return _sums(word_ids, share * values[token], len(index))

    read = of_first(first.seen.astype(np.float64)) > 0, of_second(second.seen.astype(np.float64)) > 0
    kept = np.flatnonzero(read[0] | read[1])
    names = list(index)
    return AlignedWords(
        tuple(names[w] for w in kept.tolist()),
        of_first(_normalized_relevance(first))[kept],
        of_second(_normalized_relevance(second))[kept],
        read[0][kept],
        read[1][kept],
    )


def _sums(groups: IntArray, values: FloatArray, count: int) -> FloatArray:
    return np.bincount(groups, weights=values, minlength=count).astype(np.float64)


def _check_pair(first: Explanation, second: Explanation) -> None:
    if first.text != second.text:
        raise DataError(
            f"both explanations must be of the same text; got {first.document_id!r} and {second.document_id!r} with "
            "different texts. Pair explanations of the same document."
        )
    for each in (first, second):
        if len(each.targets) != 1:
            raise DataError(
                f"each explanation must have one target; got {len(each.targets)} for {each.document_id!r}. "
                "Pass a single target to explain()."
            )


def _word_spans(tokens: Tokens) -> IntArray:
    """Return the character offsets (W, 2) of the words that the tokens form."""
    _, word_of = tokens.words()
    firsts = np.flatnonzero(np.diff(word_of, prepend=-1))
    lasts = np.append(firsts[1:], len(word_of)) - 1 if len(firsts) else firsts
    return np.stack([tokens.spans[firsts, 0], tokens.spans[lasts, 1]], axis=1).astype(np.int64)


def _normalized_relevance(explanation: Explanation) -> FloatArray:
    """Return the relevance (T,) divided by the sum of |relevance|; all zeros stay zeros."""
    values: FloatArray = shown_relevance(explanation, [0])[0]
    total = float(np.abs(values).sum())
    return values / total if total else values


def rank_correlation(first: FloatArray, second: FloatArray) -> float | None:
    """Return Spearman's rank correlation; ties get their mean rank. None if all values of one side are equal."""
    (value,) = rank_correlations(first[None], second[None])
    return None if np.isnan(value) else float(np.clip(value, -1.0, 1.0))


def top_overlap(first: FloatArray, second: FloatArray, top: int = TOP_WORDS) -> float | None:
    """Return the share of words in common among the ``top`` words of each side that support the class most.

    If a side has fewer words with positive relevance, the share is relative to the larger of the two sets. None if
    neither side has any.
    """
    tops = [_top_words(side, top) for side in (first, second)]
    larger = max(map(len, tops))
    return len(tops[0] & tops[1]) / larger if larger else None


def _top_words(values: FloatArray, top: int) -> set[int]:
    order = np.argsort(-values, kind="stable")[:top]
    return set(order[values[order] > 0].tolist())


def correlation_text(correlation: float | None) -> str:
    """Format a rank correlation with two decimals."""
    return "–" if correlation is None else number(correlation, 2)


def overlap_text(overlap: float | None) -> str:
    """Format a share of words as a whole percentage."""
    return "–" if overlap is None else f"{number(100 * overlap, 0)}%"
