"""Agreement of two explanations of one text: alignment, distance, rank correlation, top words."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from explanations import make_explanation
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.records import Status, Tokens
from textlrp.reports.comparison.agreement import aligned, rank_correlation, top_overlap

TEXT = "The doctor gave the car's doctor a well-known pill."

seeds = st.integers(0, 2**16)


def with_tokens(explanation: Explanation, spans: list[tuple[int, int]], relevance: list[float]) -> Explanation:
    """The same text with other tokens, all of which the model reads, and these relevances."""
    text = explanation.text
    tokens = Tokens(text, np.array(spans, np.int32).reshape(-1, 2), tuple(text[a:b].lower() for a, b in spans))
    return replace(
        explanation,
        tokens=tokens,
        status=np.zeros(len(spans), np.uint8),
        counts=np.ones(len(spans), np.int32),
        relevance=np.array([relevance], np.float64),
    )


@st.composite
def cuts(draw: st.DrawFn, text: str = TEXT) -> list[tuple[int, int]]:
    """Sorted, disjoint spans of a text, with and without gaps."""
    edges = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2)))
    return [span for span in pairwise(edges) if draw(st.booleans())]


def test_a_word_gets_the_sum_of_the_tokens_it_covers_and_shares_those_that_cover_it() -> None:
    why = make_explanation("ab cdef gh")
    first = with_tokens(why, [(0, 2), (3, 7)], [3.0, -1.0])
    # "ab cd" overlaps two words, two letters each; "ef" overlaps one word; "gh" overlaps no word of the first
    second = with_tokens(why, [(0, 5), (5, 7), (8, 10)], [4.0, 2.0, -2.0])
    both = aligned(first, second)
    assert both.words == ("ab", "cdef", "gh")
    np.testing.assert_allclose(both.first, [0.75, -0.25, 0.0])
    np.testing.assert_allclose(both.second, [0.25, 0.25 + 0.25, -0.25])
    np.testing.assert_allclose(both.difference, [0.5, -0.75, 0.25])
    assert both.distance == pytest.approx(0.75)
    assert both.first_read.tolist() == [True, True, False]
    assert both.second_read.all()


def test_occurrences_of_a_word_are_one_word() -> None:
    why = make_explanation("a b a")
    spans = [(0, 1), (2, 3), (4, 5)]
    both = aligned(with_tokens(why, spans, [1.0, 1.0, 2.0]), with_tokens(why, spans, [0.0, 0.0, 5.0]))
    assert both.words == ("a", "b")
    np.testing.assert_allclose(both.difference, [-0.25, 0.25])


@settings(deadline=None)
@given(seeds)
def test_a_map_agrees_with_itself(seed: int) -> None:
    why = make_explanation(TEXT, seed=seed)
    both = aligned(why, why)
    assert both.rank_correlation == pytest.approx(1)
    # an explanation in which no word supports the class has no top words
    assert both.top_overlap == (1 if (both.first > 0).any() else None)
    assert both.distance == 0
    assert not both.difference.any()


@settings(deadline=None)
@given(seeds)
def test_swapping_the_two_swaps_the_signs(seed: int) -> None:
    one, other = make_explanation(TEXT, seed=seed), make_explanation(TEXT, seed=seed + 1)
    there, back = aligned(one, other), aligned(other, one)
    assert there.words == back.words
    np.testing.assert_array_equal(there.difference, -back.difference)
    assert there.distance == back.distance
    assert there.rank_correlation == pytest.approx(back.rank_correlation)
    assert there.top_overlap == back.top_overlap


@settings(deadline=None, max_examples=80)
@given(cuts(), cuts(), seeds)
def test_what_each_side_had_is_what_its_words_sum_to(
    one: list[tuple[int, int]], other: list[tuple[int, int]], seed: int
) -> None:
    random, why = np.random.default_rng(seed), make_explanation(TEXT)
    first = with_tokens(why, one, random.normal(size=len(one)).tolist())
    second = with_tokens(why, other, random.normal(size=len(other)).tolist())
    both = aligned(first, second)
    for side, explanation in ((both.first, first), (both.second, second)):
        whole = np.abs(explanation.relevance).sum()
        assert side.sum() == pytest.approx(explanation.relevance.sum() / (whole or 1.0))
    assert 0 <= both.distance <= 1


def test_a_scale_makes_no_difference() -> None:
    why = make_explanation(TEXT)
    louder = replace(why, relevance=why.relevance * 1024)
    np.testing.assert_allclose(aligned(why, louder).difference, 0, atol=1e-12)


def test_a_word_that_one_side_does_not_read_is_marked() -> None:
    why = make_explanation("car pill")
    deaf = replace(why, status=np.array([Status.READ, Status.UNKNOWN], np.uint8))
    both = aligned(deaf, why)
    assert both.first_read.tolist() == [True, False]
    assert both.second_read.tolist() == [True, True]
    assert both.first[1] == 0


def test_equal_values_have_no_correlation() -> None:
    empty = make_explanation("")
    both = aligned(empty, empty)
    assert (both.words, both.rank_correlation, both.top_overlap, both.distance) == ((), None, None, 0)
    flat = with_tokens(make_explanation("a b"), [(0, 1), (2, 3)], [1.0, 1.0])
    assert aligned(flat, flat).rank_correlation is None


def test_other_texts_and_several_targets_are_refused() -> None:
    why = make_explanation(TEXT)
    with pytest.raises(DataError, match="different texts"):
        aligned(why, make_explanation("something else"))
    with pytest.raises(DataError, match="one target; got 2"):
        aligned(why, make_explanation(TEXT, targets=(0, 1)))


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=30))
def test_the_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, np.float64).T
    found = rank_correlation(one, other)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(one, other).statistic)


def test_top_words_in_common() -> None:
    one, other = np.array([5.0, 4, 3, -9, 0]), np.array([5.0, -4, 3, 9, 0])
    assert top_overlap(one, other, 3) == pytest.approx(2 / 3)  # 0, 1, 2 and 3, 0, 2
    assert top_overlap(one, other, 1) == 0
    assert top_overlap(one, np.array([0.0, 0, 1, 0, 0]), 3) == pytest.approx(1 / 3)
    assert top_overlap(-np.abs(one), -np.abs(other), 3) is None
