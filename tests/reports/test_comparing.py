"""The comparison page, and the words with the largest differences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from explanations import make_explanation
from hypothesis import given, settings
from hypothesis import strategies as st
from test_document import HOSTILE, Page

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.reports.comparison.agreement import aligned
from textlrp.reports.comparison.comparison_page import FULL_TEXT, PASSAGE_LENGTH, Pair, comparison_page, sides_of
from textlrp.reports.comparison.disagreement import Tally, count_words, words_of_all, words_of_document

NAMES = ("one", "other")


def pair_of(text: str = "the doctor saw the orbit", seed: int = 0, **fields: object) -> Pair:
    first = make_explanation(text, seed=seed, **fields)
    second = make_explanation(text, seed=seed + 1000, **fields)
    return first, replace(second, model="boe-7")


def with_relevance(why: Explanation, *values: float) -> Explanation:
    return replace(why, relevance=np.array([values], np.float64))


def two_documents() -> list[Pair]:
    """Known normalized relevance: "a b" 0.75, 0.25 and 0.5, -0.5; "b c" 0.2, 0.8 and -1, 0."""
    ab, bc = make_explanation("a b", document_id="ab"), make_explanation("b c", document_id="bc")
    return [
        (with_relevance(ab, 3, 1), with_relevance(replace(ab, model="boe-7"), 10, -10)),
        (with_relevance(bc, 1, 4), with_relevance(replace(bc, model="boe-7"), -0.01, 0)),
    ]


def test_words_by_hand() -> None:
    tallies: dict[str, Tally] = {}
    for pair in two_documents():
        count_words(tallies, aligned(*pair))
    assert set(tallies) == {"a", "b", "c"}
    np.testing.assert_allclose(tallies["a"], (0.75, 0.5, 1, 1, 1))
    np.testing.assert_allclose(tallies["b"], (0.45, -1.5, 2, 2, 2))
    np.testing.assert_allclose(tallies["c"], (0.8, 0.0, 1, 1, 1))
    first, second = words_of_all(tallies, NAMES)
    assert [(row.word, row.documents, row.difference, row.share) for row in first] == [
        ("b", 2, "+1.95", 100), ("c", 1, "+0.80", 41), ("a", 1, "+0.25", 13),
    ]  # fmt: skip
    assert second == []


@pytest.mark.parametrize("sign", [1, -1])
def test_words_with_equal_differences_are_not_in_the_order_of_the_text(sign: int) -> None:
    why = make_explanation("the shuttle reached its orbit")
    other = with_relevance(replace(why, model="boe-7"), *[0] * 5)
    tallies: dict[str, Tally] = {}
    count_words(tallies, aligned(with_relevance(why, *[sign] * 5), other))
    found = words_of_all(tallies, NAMES)[sign < 0]
    assert [row.word for row in found] == ["its", "orbit", "reached", "shuttle", "the"]


def test_words_of_one_document() -> None:
    (_, pair) = two_documents()
    rows = words_of_document(aligned(*pair), NAMES)
    assert [(row.word, row.first, row.second, row.difference) for row in rows] == [
        ("b", "+0.200", "−1.000", "+1.200"), ("c", "+0.800", "0.000", "+0.800"),
    ]  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 999), min_size=1, max_size=4))
def test_sums_add_up_and_swapping_swaps_signs(seeds: list[int]) -> None:
    there: dict[str, Tally] = {}
    back: dict[str, Tally] = {}
    differences = 0.0
    for seed in seeds:
        pair = pair_of(seed=seed)
        count_words(there, aligned(*pair))
        count_words(back, aligned(pair[1], pair[0]))
        differences += float(aligned(*pair).difference.sum())
    assert sum(each.first - each.second for each in there.values()) == pytest.approx(differences)
    assert {word: (each.second, each.first) for word, each in there.items()} == {
        word: (each.first, each.second) for word, each in back.items()
    }
    more, less = words_of_all(there, NAMES)
    swapped = words_of_all(back, NAMES)
    assert [row.word for row in more] == [row.word for row in swapped[1]]
    assert [row.word for row in less] == [row.word for row in swapped[0]]


def test_an_explanation_agrees_with_itself() -> None:
    why = make_explanation(true_label="sci.med")
    said = Page(comparison_page([(why, why)])).said()
    assert "1.00 mean rank correlation" in said
    assert "100% mean share of top words in common" in said
    assert "0.00 mean distance" in said
    assert "Words with the largest difference: normalized" not in said
    assert said.count("No word has higher relevance") == 2


def test_a_word_that_one_side_never_reads_is_marked() -> None:
    first, second = pair_of("doctor orbit")
    ignoring = replace(first, status=np.array([0, 3], np.uint8))
    (row,) = [row for row in words_of_document(aligned(ignoring, second), NAMES) if row.word == "orbit"]
    assert row.note == "ignored by one"


def scored(why: Explanation, best: int, true_label: str) -> Explanation:
    return replace(why, scores=np.eye(3, dtype=np.float32)[best], true_label=true_label)


def test_the_page_counts_correct_and_incorrect_documents() -> None:
    text, labels = "the doctor saw the orbit", ("sci.med", "sci.space", "rec.autos")
    answers = [(0, 0), (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 2)]
    pairs = []
    for n, (one, other) in enumerate(answers):
        first, second = pair_of(text, n, document_id=f"d{n}")
        pairs.append((scored(first, one, labels[0]), scored(second, other, labels[0])))
    page = comparison_page(pairs, names=NAMES)
    said = Page(page).said()
    assert "4 of 8 documents have the same predicted class" in said
    assert "one correct 2 2 50.0%" in said
    assert "one incorrect 1 3" in said
    assert "accuracy 37.5%" in said
    assert "one vs. other" in said


def test_without_labels_there_is_no_accuracy() -> None:
    assert "accuracy" not in Page(comparison_page([pair_of()])).said()


def test_documents_are_sorted_by_distance_and_read_one_at_a_time() -> None:
    why = make_explanation("doctor orbit")
    values = [(1, 1), (1, -1), (1, 0.5)]
    asked: list[int] = []

    def pairs() -> Iterator[Pair]:
        for n, value in enumerate(values):
            asked.append(n)
            one = with_relevance(replace(why, document_id=f"doc-{n}"), 1, 1)
            yield one, with_relevance(replace(one, rule="Zero()"), *value)

    page = comparison_page(pairs())
    assert re.findall(r"doc-\d", page) == ["doc-1", "doc-2", "doc-0"]
    assert asked == [0, 1, 2]


def test_headings_name_what_differs() -> None:
    why = make_explanation(rule="Zero()")

    def headings(other: Explanation, names: tuple[str, str] | None = None) -> list[str]:
        return [side.heading for side in sides_of((why, other), names)]

    assert headings(replace(why, model="b"), ("cnn", "boe")) == ["cnn", "boe"]
    assert headings(replace(why, model="b")) == ["cnn-0123abcd", "b"]
    assert headings(replace(why, rule="Gamma(gamma=0.5)")) == ["LRP-0", "LRP-γ (γ = 0.5)"]
    assert headings(replace(why, model="b", rule="Flat()"), ("cnn", "boe")) == ["cnn, LRP-0", "boe, LRP-flat"]
    assert headings(replace(why, rule="Zero( )")) == ["Zero()", "Zero( )"]
    assert headings(replace(why, model="b"), ("m", "m")) == ["m (cnn-0123abcd)", "m (b)"]
    assert headings(why) == ["first", "second"]


def test_a_long_text_shows_a_passage_and_says_so() -> None:
    long = " ".join(["word"] * FULL_TEXT)
    page = Page(comparison_page([pair_of(long)]))
    assert len(page.texts) == 2
    assert max(map(len, page.texts)) <= PASSAGE_LENGTH
    assert f"of {len(long):,} are shown, the passage with the most relevance" in page.said()


@pytest.mark.slow
def test_a_hundred_long_documents_stay_small() -> None:
    words = "".join(f"word{chr(97 + n % 26)} " for n in range(1000))
    # a few words have most of the relevance, as with real models
    first, second = (replace(why, relevance=why.relevance**3) for why in pair_of(words))
    page = comparison_page((first, second) for _ in range(100))
    assert page.count('<b class="m"') > 80 * 2 * 100
    assert len(page.encode()) < 3_000_000


def test_pairs_that_do_not_belong_together_are_refused() -> None:
    first, second = pair_of()
    with pytest.raises(DataError, match="different texts"):
        comparison_page([(first, make_explanation("another"))])
    with pytest.raises(DataError, match="one target; got 2"):
        comparison_page([(make_explanation(targets=(0, 1)), make_explanation())])
    with pytest.raises(DataError, match="at least one pair of explanations; got none"):
        comparison_page([])
    with pytest.raises(DataError, match="boe-7"):
        comparison_page([(first, second), (second, first)])


def test_nothing_is_written_if_a_pair_fails(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        comparison_page([pair_of(), (pair_of()[0], make_explanation("another"))], tmp_path / "c.html")
    assert list(tmp_path.iterdir()) == []
    assert comparison_page([pair_of()], tmp_path / "c.html") == (tmp_path / "c.html").read_text()


def hostile(text: str) -> str:
    first, second = pair_of(
        "doctor orbit", labels=(f"{text}A", f"{text}B", "c"), document_id=text, true_label=text, model=text, rule=text
    )
    tokens = replace(first.tokens, forms=(text, f"{text}2"))
    first = replace(first, tokens=tokens, status=np.array([0, 3], np.uint8), version=text)
    return comparison_page([(first, second)], names=(text, f"{text}2"), about=text, title=text)


def test_hostile_strings_leave_the_structure_alone() -> None:
    tame, wild = Page(hostile("x")), Page(hostile(HOSTILE))
    assert wild.tags == tame.tags
    assert HOSTILE in wild.said()
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in wild.tags}
