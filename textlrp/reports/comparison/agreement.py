"""How far two explanations of one text agree: words laid on each other, ranks, the top words in common.

The law: aligned, each side's words sum to what its tokens summed to. W counts words, M tokens of the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from textlrp.arrays import FloatArray, IntArray
from textlrp.class_words import overlaps
from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.records import Tokens
from textlrp.reports.marks import shown_relevance
from textlrp.reports.numbers import number

TOP_WORDS = 10
"""Words that the share of top words in common is taken of."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """The distinct words (W,) that either side read, with the relevance of both, each over its own sum |relevance|.

    ``first_read`` and ``second_read`` (W,): which side read the word at all.
    """

    words: tuple[str, ...]
    first: FloatArray
    second: FloatArray
    first_read: NDArray[np.bool_]
    second_read: NDArray[np.bool_]

    @property
    def difference(self) -> FloatArray:
        """(W,) first less second: above zero where the word weighs more with the first."""
        return self.first - self.second

    @property
    def distance(self) -> float:
        """Half the sum of |difference|: 0 where the maps are the same, 1 at most."""
        return min(1.0, float(np.abs(self.difference).sum()) / 2)

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's, over the words."""
        return rank_correlation(self.first, self.second)

    @property
    def top_overlap(self) -> float | None:
        """The share of the top words in common."""
        return top_overlap(self.first, self.second)


def aligned(first: Explanation, second: Explanation) -> Aligned:
    """Two explanations of one text and one target each, word by word.

    The words are those of the first. What a token of the second has is shared over the words it overlaps, by
    characters; a token that overlaps none is a word of its own, so that nothing is lost.
    Raises :class:`DataError` if the texts differ, or either side has several targets.
    """
    _check_pair(first, second)
    forms, word_of = first.tokens.words()
    word, token, share = overlaps(_word_spans(first.tokens), second.tokens.spans)
    alone = np.setdiff1d(np.arange(len(second.tokens)), token)
    index: dict[str, int] = {}
    every = (*forms, *(second.tokens.forms[t] for t in alone.tolist()))
    ids = np.array([index.setdefault(form, len(index)) for form in every], dtype=np.int64)
    places = ids[np.concatenate([word, len(forms) + np.arange(len(alone))])]
    token, share = np.concatenate([token, alone]), np.concatenate([share, np.ones(len(alone))])

    def of_first(values: FloatArray) -> FloatArray:
        return _sums(ids[word_of], values, len(index))

    def of_second(values: FloatArray) -> FloatArray:
        return _sums(places, share * values[token], len(index))

    read = of_first(first.seen.astype(np.float64)) > 0, of_second(second.seen.astype(np.float64)) > 0
    kept = np.flatnonzero(read[0] | read[1])
    names = list(index)
    return Aligned(
        tuple(names[w] for w in kept.tolist()),
        of_first(_normalised(first))[kept],
        of_second(_normalised(second))[kept],
        read[0][kept],
        read[1][kept],
    )


def _sums(groups: IntArray, values: FloatArray, count: int) -> FloatArray:
    return np.bincount(groups, weights=values, minlength=count).astype(np.float64)


def _check_pair(first: Explanation, second: Explanation) -> None:
    if first.text != second.text:
        raise DataError(
            f"the explanations of {first.document_id!r} and {second.document_id!r} are of different texts; two of "
            "one text are compared."
        )
    for each in (first, second):
        if len(each.targets) != 1:
            raise DataError(
                f"the explanation of {each.document_id!r} has {len(each.targets)} targets; one is compared. "
                "Explain with a single target."
            )


def _word_spans(tokens: Tokens) -> IntArray:
    """(W, 2) character offsets of the words that the tokens make up."""
    _, word_of = tokens.words()
    firsts = np.flatnonzero(np.diff(word_of, prepend=-1))
    lasts = np.append(firsts[1:], len(word_of)) - 1 if len(firsts) else firsts
    return np.stack([tokens.spans[firsts, 0], tokens.spans[lasts, 1]], axis=1).astype(np.int64)


def _normalised(explanation: Explanation) -> FloatArray:
    """(T,) relevance over the sum of all |relevance|; zeros stay zeros."""
    values: FloatArray = shown_relevance(explanation, [0])[0]
    whole = float(np.abs(values).sum())
    return values / whole if whole else values


def rank_correlation(first: FloatArray, second: FloatArray) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank; None where one side is all equal."""
    ranks = [rankdata(side) for side in (first, second)]
    centred = [rank - rank.mean() if len(rank) else rank for rank in ranks]
    lengths = [float(np.sqrt((rank**2).sum())) for rank in centred]
    if not all(lengths):
        return None
    return float(np.clip((centred[0] * centred[1]).sum() / (lengths[0] * lengths[1]), -1.0, 1.0))


def top_overlap(first: FloatArray, second: FloatArray, top: int = TOP_WORDS) -> float | None:
    """The share of words in common among those that speak most for the class, ``top`` of each side at most.

    Where a side has fewer words with relevance above zero, of as many as the other has; None where neither has any.
    """
    tops = [_top(side, top) for side in (first, second)]
    most = max(map(len, tops))
    return len(tops[0] & tops[1]) / most if most else None


def _top(values: FloatArray, top: int) -> set[int]:
    order = np.argsort(-values, kind="stable")[:top]
    return set(order[values[order] > 0].tolist())


def correlation_text(correlation: float | None) -> str:
    """Two figures of a rank correlation."""
    return "–" if correlation is None else number(correlation, 2)


def overlap_text(overlap: float | None) -> str:
    """A share of words in whole percent."""
    return "–" if overlap is None else f"{number(100 * overlap, 0)} %"
