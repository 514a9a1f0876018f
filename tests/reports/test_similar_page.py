"""The page of a similarity: its pairs of words, curves and texts, and nothing that a hostile string could do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from similarities import make_similarity
from test_document import HOSTILE, Page

from textlrp.errors import DataError, OptionError
from textlrp.records import Status
from textlrp.reports.numbers import number
from textlrp.reports.similar.similar_page import similar_cell, similar_page
from textlrp.reports.similar.similar_view import SHOWN_TIES, similar_view
from textlrp.reports.similar.tie_curves import ROW, THINNEST, WIDEST, drawing_of
from textlrp.similar_texts import Similarity, Tie


def test_the_page_shows_score_pairs_breakdown_and_texts() -> None:
    found = make_similarity()
    for page in (similar_page(found), similar_cell(found), similar_page([found, make_similarity(seed=1)])):
        parsed = Page(page)
        assert parsed.texts[:2] == list(found.texts)
        for text in ("Score breakdown", "absorbed by bias", "absorbed by stabilizer", "= dot product"):
            assert text in parsed.said()
        for tie in found.ties(SHOWN_TIES):
            assert f"{tie.first} – {tie.second}" in parsed.said()
        assert number(found.score, similar_digits(found)) in parsed.said()


def similar_digits(found: Similarity) -> int:
    return len(similar_view(found).score.partition(".")[2])


def test_the_parts_on_the_page_sum_to_the_score() -> None:
    for seed in range(5):
        found = make_similarity(seed=seed)
        view = similar_view(found)
        total = sum(float(part.value.replace("−", "-")) for part in view.parts)
        assert total == pytest.approx(found.score, abs=len(view.parts) * 10.0 ** -similar_digits(found))
        assert [part.name for part in view.parts][1:] == ["absorbed by bias", "absorbed by stabilizer"]


def test_each_pair_has_a_button_a_curve_and_marked_words() -> None:
    found = make_similarity()
    parsed = Page(similar_page(found))
    ties = found.ties(SHOWN_TIES)
    assert parsed.count("input") == SHOWN_TIES + 1
    assert parsed.count("path") == SHOWN_TIES
    classes = [value.split() for tag, name, value in parsed.attributes if tag == "b" and name == "class"]
    for n, tie in enumerate(ties):
        occurrences = sum(f"t{n}" in each for each in classes)
        assert occurrences == len(tie.first_spans) + len(tie.second_spans)
    curves = [value.split() for tag, name, value in parsed.attributes if tag == "path" and name == "class"]
    negative = {f"t{n}" for n, tie in enumerate(ties) if tie.relevance < 0}
    assert {each[1] for each in curves if "no" in each} == negative
    assert negative


def test_curves_lead_from_word_to_word_and_are_as_wide_as_their_relevance() -> None:
    spans = (((0, 1),), ((0, 1),))
    ties = [Tie("a", "x", 4.0, *spans), Tie("b", "y", -2.0, *spans), Tie("a", "z", 1.0, *spans)]
    drawing = drawing_of(ties)
    assert [each.word for each in drawing.first] == ["a", "b"]
    assert [each.word for each in drawing.second] == ["x", "z", "y"]
    assert [each.ties for each in drawing.first] == [(0, 2), (1,)]
    assert drawing.height == 3 * ROW
    assert [each.width for each in drawing.curves] == [
        WIDEST, THINNEST + (WIDEST - THINNEST) / 2, THINNEST + (WIDEST - THINNEST) / 4,
    ]  # fmt: skip
    assert [each.negative for each in drawing.curves] == [False, True, False]
    ends = [re.findall(r"[\d.]+", curve.path) for curve in drawing.curves]
    assert [float(each[1]) for each in ends] == [ROW, 2 * ROW, ROW]  # the shorter list is centered
    assert [float(each[-1]) for each in ends] == [0.5 * ROW, 2.5 * ROW, 1.5 * ROW]
    assert drawing_of([]).curves == ()


def test_texts_without_pairs_have_a_note() -> None:
    page = similar_page(make_similarity("1 2", "the doctor"))
    assert "The model ignores all words of at least one text" in Page(page).said()
    assert Page(page).count("svg") == Page(page).count("input") == 0
    found = make_similarity()
    nothing = replace(found, matrix=np.zeros_like(found.matrix), ledger={}, score=0.0)
    assert "No pair of words contributes to the similarity." in Page(similar_page(nothing)).said()
    large = replace(found, ledger={("conv", "bias"): 1e3}, score=float(found.matrix.sum()) + 1e3)
    assert "larger than that of all pairs" in Page(similar_page(large)).said()


def hostile_similarity(text: str) -> Similarity:
    found = make_similarity("doctor orbit", "orbit car")
    tokens = tuple(replace(each, forms=(text, f"{text}2")) for each in found.tokens)
    return replace(
        found, tokens=tokens, document_ids=(text, text), ledger={(text, text): 1.0}, embedding=text, rule=text,
        model=text, version=text,
    )  # fmt: skip


def test_hostile_strings_leave_the_structure_of_the_page_alone() -> None:
    tame, wild = hostile_similarity("x"), hostile_similarity(HOSTILE)
    for render in (similar_page, similar_cell, lambda found: similar_page([found, found])):
        assert Page(render(wild)).tags == Page(render(tame)).tags
        assert HOSTILE in Page(render(wild)).said()
    for text in (HOSTILE, "a\n\n  b\tc ", "<!-- x", ""):
        assert Page(similar_page(make_similarity(text, "doctor"))).texts == [text, "doctor"]


def test_a_word_of_blanks_is_visible() -> None:
    found = make_similarity("a b", "c d")
    blank = replace(found, tokens=tuple(replace(each, forms=(" ", "x")) for each in found.tokens))
    assert "␣ – x" in Page(similar_page(blank)).said()


def test_ignored_words_are_gray() -> None:
    found = make_similarity()
    found.status[0][1] = Status.UNKNOWN
    parsed = Page(similar_page(found))
    assert "gray: ignored by the model (not a word; unknown word)" in parsed.said()
    assert ("i", "class", "unknown") in parsed.attributes


def test_a_page_needs_a_similarity_and_is_written_whole(tmp_path: Path) -> None:
    found, path = make_similarity(), tmp_path / "page.html"
    assert found.to_html(path) == path.read_text(encoding="utf-8") == similar_page(found)
    found.to_html(path)
    path.write_text("mine")
    with pytest.raises(DataError, match="exists and is not a page"):
        found.to_html(path)
    with pytest.raises(OptionError, match="at least one Similarity"):
        similar_page([])
    assert "<script" not in similar_page(found)
    assert re.search(r"(src|href)=", similar_page(found)) is None
    assert found._repr_html_() != found._repr_html_(), "two cells must not share their buttons"
