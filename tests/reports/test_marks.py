import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cases import every
from explanations import by_character, make_explanation
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.cli.terminal import _sides
from textlrp.explanation import Explanation
from textlrp.records import Status, Tokens
from textlrp.reports.comparison.comparison_page import comparison_page
from textlrp.reports.comparison.gallery_page import gallery_page
from textlrp.reports.corpus.summary import Summary
from textlrp.reports.document import document_page, mail_fragment
from textlrp.reports.marks import REASONS, in_sentences, runs, sentence_sums, shown_relevance, word_sums
from textlrp.reports.numbers import decimals, number, percentage
from textlrp.reports.view import view


@st.composite
def explanations(draw: st.DrawFn) -> Explanation:
    """Any Unicode text with any tokens, status and relevance."""
    text = draw(st.text(alphabet=st.characters(), max_size=60))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=20)))
    spans = [(a, b) for a, b in pairwise(edges) if draw(st.booleans())]
    tokens = Tokens(text, np.array(spans, np.int32).reshape(-1, 2), tuple(text[a:b].lower() for a, b in spans))
    size = len(spans)
    status = np.array(draw(st.lists(st.integers(0, 4), min_size=size, max_size=size)), np.uint8)
    values = draw(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=2 * size, max_size=2 * size))
    base = make_explanation("a b")
    return replace(
        base,
        tokens=tokens,
        targets=(0, (1, 2)),
        relevance=np.array(values, np.float32).reshape(2, size) * (status == 0),
        status=status,
        counts=np.zeros(size, np.int32),
        ledger={},
    )


@settings(max_examples=60)
@given(explanations(), st.sampled_from([(0,), (1,), (0, 1)]))
def test_joined_runs_are_the_text(explanation: Explanation, rows: tuple[int, ...]) -> None:
    assert "".join(run.text for run in runs(explanation, rows)) == explanation.text


@settings(max_examples=60)
@given(explanations())
def test_shares_are_percents_of_the_largest_and_only_read_words_have_them(explanation: Explanation) -> None:
    found = runs(explanation, (0, 1))
    shares = [share for run in found for _, share in run.shares]
    assert all(2 <= abs(share) <= 100 for share in shares)
    assert all(run.text and (run.status == Status.READ) == bool(run.shares) for run in found)
    if np.any(explanation.relevance):
        assert max(map(abs, shares)) == 100


def _by_text(
    explanation: Explanation, *rows: int
) -> dict[str, tuple[Status | None, tuple[tuple[int, int], ...], str]]:
    return {run.text: run[1:4] for run in runs(explanation, rows)}


def test_a_mark_carries_its_share_and_its_number() -> None:
    explanation = make_explanation("good bad tiny")
    explanation = replace(explanation, relevance=np.array([[2.0, -0.5, 0.01]], np.float32))
    found = _by_text(explanation, 0)
    assert found["good"] == (Status.READ, ((0, 100),), "+2.00")
    assert found["bad"] == (Status.READ, ((0, -25),), "−0.50")
    assert found[" tiny"] == (None, (), "")


def test_several_rows_share_one_scale_and_have_no_title() -> None:
    explanation = make_explanation("good bad", targets=(0, 1))
    explanation = replace(explanation, relevance=np.array([[2.0, 0.0], [-1.0, 0.02]], np.float32))
    assert _by_text(explanation, 0, 1)["good"] == (Status.READ, ((0, 100), (1, -50)), "")
    assert [run.text for run in runs(explanation, (0, 1))] == ["good", " bad"]


def test_ignored_neighbors_of_one_status_become_one_run_with_the_reason() -> None:
    text = "From a b c\n\nread odd words end"
    status = [1, 1, 1, 1, 0, 3, 3, 4]
    found = runs(make_explanation(text, status=status), (0,))
    assert [(run.text, run.status) for run in found if run.status] == [
        ("From a b c", Status.SKIPPED),
        ("odd words", Status.UNKNOWN),
        ("end", Status.TRUNCATED),
    ]
    assert [run.title for run in found if run.status] == [
        REASONS[s] for s in (Status.SKIPPED, Status.UNKNOWN, Status.TRUNCATED)
    ]


def test_relevance_that_is_nan_or_ignored_is_not_shown() -> None:
    explanation = make_explanation("a b c", status=[0, 0, 1])
    explanation = replace(explanation, relevance=np.array([[np.nan, 1.0, 5.0]], np.float32))
    assert shown_relevance(explanation, (0,)).tolist() == [[0.0, 1.0, 0.0]]


def test_word_sums_are_those_of_the_record() -> None:
    explanation = make_explanation("one two one three, two one", targets=(0, 2), seed=3)
    sums = word_sums(explanation, (0, 1))
    for k in (0, 1):
        expected = {row.word: (row.relevance, row.occurrences) for row in explanation.words(target=k)}
        assert set(sums.words) == set(expected)
        for word, total, times in zip(sums.words, sums.sums[k], sums.counts, strict=True):
            assert total == pytest.approx(expected[word][0], abs=1e-6)
            assert times == expected[word][1]


def test_an_empty_text_has_no_run() -> None:
    explanation = make_explanation("")
    assert runs(explanation, (0,)) == []
    assert word_sums(explanation, (0,)).sums.shape == (1, 0)


@pytest.mark.slow
def test_five_megabytes_and_100_000_words_are_linear() -> None:
    text = " ".join(f"{chr(97 + n % 26)}{'abcdefghij'[n // 26 % 10]}" for n in range(1_700_000))
    explanation = make_explanation("x")
    spans = np.arange(1_700_000, dtype=np.int32)[:, None] * 3 + np.array([0, 2], np.int32)
    values = np.zeros((1, len(spans)), np.float32)
    values[0, ::17] = np.linspace(-1, 1, 100_000)
    explanation = replace(
        explanation,
        tokens=Tokens(text, spans, ("w",) * len(spans)),
        relevance=values,
        status=np.zeros(len(spans), np.uint8),
        counts=np.zeros(len(spans), np.int32),
    )
    assert len(text) > 5_000_000
    begin = time.process_time()
    found = runs(explanation, (0,))
    assert time.process_time() - begin < 5
    assert "".join(run.text for run in found) == text


@every(
    "value, digits, signed, text",
    [
        (1.234, 2, False, "1.23"),
        (1.234, 2, True, "+1.23"),
        (-0.001, 2, True, "0.00"),
        (-2.0, 1, False, "−2.0"),
        (-3.5e12, 2, False, "−3.50e+12"),
    ],
)
def test_numbers_for_people(value: float, digits: int, signed: bool, text: str) -> None:
    assert number(value, digits, signed=signed) == text


def test_three_figures_whatever_the_size() -> None:
    assert [decimals(x) for x in (0.0, 123.0, 1.2, 0.5, 0.05, 1e-40, float("inf"))] == [2, 2, 2, 3, 4, 12, 2]


def test_percentages_do_not_claim_certainty() -> None:
    assert [percentage(p) for p in (0.0, 1e-9, 0.5, 0.99999, 1.0)] == [
        "0.0%",
        "< 0.1%",
        "50.0%",
        "> 99.9%",
        "100.0%",
    ]


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab .!\n", max_size=60), st.integers(0, 9), st.lists(st.integers(0, 60), max_size=8))
def test_sentences_partition_the_relevance_and_keep_the_text(text: str, seed: int, edges: list[int]) -> None:
    explanation = make_explanation(text, targets=(0, 2), seed=seed)
    edges = sorted({edge for edge in edges if edge <= len(text)})
    spans = np.array(list(zip(edges[::2], edges[1::2], strict=False)), np.int32).reshape(-1, 2)
    sentences = sentence_sums(explanation, (0, 1), spans)
    pieces = in_sentences(runs(explanation, (0, 1)), sentences)
    assert "".join(run.text for _, part in pieces for run in part) == text
    for n, part in pieces:
        if n is not None:
            assert "".join(run.text for run in part) == text[sentences[n].start : sentences[n].end]
    starts, ends = explanation.tokens.spans[:, 0], dict(zip(spans[:, 0], [*spans[1:, 0], len(text)], strict=False))
    sums = np.zeros((2, len(sentences)))
    for n, sentence in enumerate(sentences):  # text between two sentences belongs to the first of them
        own = (starts >= sentence.start) & (starts < ends[sentence.start])
        sums[:, n] = shown_relevance(explanation, (0, 1))[:, own].sum(axis=1)
    largest = np.abs(sums).max(initial=0.0) or 1.0
    for n, sentence in enumerate(sentences):
        assert dict(sentence.shares) == pytest.approx(
            {k: s for k, s in enumerate(np.rint(100 * sums[:, n] / largest).tolist()) if s}, abs=1
        )


def test_pages_the_terminal_and_top_list_equal_words_in_one_order() -> None:
    text = "zebra car ape oil oil bee yak"
    values = np.array([[2.0, -3.0, 2.0, 1.0, 1.0, -3.0, 2.0]], np.float32)
    explanation = make_explanation(text, relevance=values)
    expected = [word.word for word in explanation.top(4)]
    assert expected == ["ape", "oil", "yak", "zebra"]
    shown = view(explanation).targets[0]
    assert [row.words for row in shown.supporting] == expected
    assert list(Summary().add(explanation).words) == expected[:3]
    supporting, opposing = _sides(explanation, 0, 4)
    assert [word.word for word in supporting] == expected
    assert [word.word for word in opposing] == [row.words for row in shown.opposing] == ["bee", "car"]


LEGENDS = {
    "page": document_page,
    "mail": mail_fragment,
    "gallery": lambda why: gallery_page([why]),
    "comparison": lambda why: comparison_page([(why, why)]),
}


@every("surface", LEGENDS)
def test_the_legend_tells_whether_full_color_is_of_a_word_or_a_character(surface: str) -> None:
    page = LEGENDS[surface]
    assert "full color = relevance ±3.00 per character<" in page(by_character("ink")).lower().replace(".<", "<")
    assert "per character" not in page(make_explanation("red ink"))
