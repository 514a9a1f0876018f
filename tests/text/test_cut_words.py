"""Texts without some of their words: exact pieces, exact masks, and blanks as a person would leave them."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import every
from hypothesis import given
from hypothesis import strategies as st

from textlrp.records import Document
from textlrp.text.cut_words import CutText, cut_text
from textlrp.text.skip import merge_ranges
from textlrp.text.tokens import make_tokenizer

AUTO = make_tokenizer("auto")
TEXTS = st.text(st.sampled_from("ab é-'.,!?\n\t  中文\u200b𝒳"), max_size=40) | st.text(max_size=40)


@st.composite
def cases_of_text(draw: Any) -> tuple[str, Any, Any, CutText]:
    """A text, the spans of its words, which of them are kept, and its pieces."""
    text = draw(TEXTS)
    spans = AUTO.spans(text)
    keep = np.array(draw(st.lists(st.booleans(), min_size=len(spans), max_size=len(spans))), dtype=bool)
    return text, spans, keep, cut_text(text, spans, np.zeros((0, 2), dtype=np.int32))


@given(cases_of_text())
def test_words_and_gaps_are_the_text(case: tuple[str, Any, Any, CutText]) -> None:
    text, spans, _, pieces = case
    assert pieces.text() == text
    assert pieces.words == tuple(text[start:end] for start, end in spans.tolist())
    everything = np.ones(len(spans), dtype=bool)
    assert pieces.without(everything) == pieces.masked(everything, "[MASK]") == text


@given(cases_of_text(), st.data())
def test_skipped_ranges_are_cut_out_as_read_text_does(case: tuple[str, Any, Any, CutText], data: Any) -> None:
    text, spans, _, _ = case
    edges = st.integers(0, len(text))
    ranges = data.draw(st.lists(st.tuples(edges, edges).map(sorted), max_size=3))
    skip = merge_ranges(*(np.array([pair], dtype=np.int32) for pair in ranges if pair[0] < pair[1]))
    # a token that begins in a skipped range is not a word, as in every model of textlrp
    inside = [any(start <= span[0] < end for start, end in skip.tolist()) for span in spans.tolist()]
    pieces = cut_text(text, spans[~np.array(inside, dtype=bool)], skip)
    assert pieces.text() == Document("", text, skip=skip).read_text()


@given(cases_of_text())
def test_a_mask_stands_exactly_where_the_word_was(case: tuple[str, Any, Any, CutText]) -> None:
    text, spans, keep, pieces = case
    expected = text
    for start, end in spans[~keep][::-1].tolist():  # from the right, so that offsets stay valid
        expected = expected[:start] + "[MASK]" + expected[end:]
    assert pieces.masked(keep, "[MASK]") == expected


@given(cases_of_text())
def test_only_words_and_blanks_are_lost(case: tuple[str, Any, Any, CutText]) -> None:
    text, spans, keep, pieces = case
    rest = list(text)
    for start, end in spans[~keep].tolist():
        rest[start:end] = [""] * (end - start)
    assert "".join(pieces.without(keep).split()) == "".join("".join(rest).split())


@given(cases_of_text())
def test_words_with_a_blank_between_them_never_join(case: tuple[str, Any, Any, CutText]) -> None:
    text, spans, keep, pieces = case
    kept = spans[keep].tolist()
    found = pieces.without(keep)
    position = 0
    for n, (start, end) in enumerate(kept):
        at = found.index(text[start:end], position)
        if n and any(each.isspace() for each in text[kept[n - 1][1] : start]):
            assert any(each.isspace() for each in found[position:at])
        position = at + end - start


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=8), st.data())
def test_words_with_one_blank_between_them_leave_one_blank(words: list[str], data: Any) -> None:
    keep = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    text = " ".join(words)
    pieces = cut_text(text, AUTO.spans(text), np.zeros((0, 2), dtype=np.int32))
    rest = " ".join(word for word, kept in zip(words, keep, strict=True) if kept)
    assert pieces.without(np.array(keep, dtype=bool)) == rest


@every(
    "text, removed, expected",
    [
        ("", [], ""),
        ("one", ["one"], ""),
        (" one\n", ["one"], " \n"),
        ("one two", ["one"], "two"),
        ("one two", ["two"], "one"),
        ("one two\n", ["two"], "one\n"),
        ("one  two three", ["two"], "one  three"),
        ("one two  three", ["two"], "one three"),
        ("end of line\nnext line", ["line"], "end of\nnext"),
        ("end\n\nnext line", ["next"], "end\n\nline"),
        ("well, really!", ["really"], "well, !"),
        ("well, really!", ["well", ",", "really", "!"], ""),
        ("don't", ["do"], "n't"),
        ("well-known", ["well"], "-known"),
    ],
)
def test_blanks(text: str, removed: list[str], expected: str) -> None:
    spans = AUTO.spans(text)
    keep = np.array([text[start:end] not in removed for start, end in spans.tolist()], dtype=bool)
    assert cut_text(text, spans, np.zeros((0, 2), dtype=np.int32)).without(keep) == expected
