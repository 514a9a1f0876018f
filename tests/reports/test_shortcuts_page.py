"""The page of shortcuts: every group, its words and reasons, and nothing that a hostile word could do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from explanations import make_explanation
from shortcut_results import PARTS, found, group
from test_document import HOSTILE, Page

from textlrp.errors import DataError
from textlrp.reports.shortcuts.shortcut_reasons import reasons_of
from textlrp.reports.shortcuts.shortcuts_page import example_positions, shortcuts_page
from textlrp.shortcut_groups import Deleted, Origins


def test_a_group_is_on_the_page_with_its_numbers() -> None:
    why = make_explanation("the doctor clh", document_id="a")
    page = Page(shortcuts_page(found(group()), examples={0: why}, model_name="model", corpus_name="corpus"))
    said = page.said()
    for text in (
        "model on corpus", "100 documents, accuracy 81.2%", "In 1 group", "clh", "4 of 40 predictions",
        "Without this word, 3 of these predictions change", "3 change without this word", "0.80", "3.2",
        "One author wrote 3 of the 4 documents", "Without these words, 3 of the 4 predictions change",
        "60.0% of the occurrences are in headers or signatures", "Correct: 4 of 4; without the words: 1",
        "3 correct predictions become incorrect", "2 authors", "signature 60.0%", "0 groups",
    ):  # fmt: skip
        assert text in said, text
    assert page.texts == [why.text]


def test_both_sides_are_shown() -> None:
    topical = group(
        suspicion_parts=dict.fromkeys(PARTS, 0.0), deleted=Deleted(4, 4, 0, 0),
        origins=Origins(4, 1, 4, 1, 0, {"body": 0.5, "quote": 0.5}),
    )  # fmt: skip
    assert reasons_of(topical).shortcut == ()
    assert len(reasons_of(topical).topic) == 5
    assert reasons_of(group()).topic == ()
    assert len(reasons_of(group()).shortcut) == 5


def test_texts_without_a_header_have_no_author() -> None:
    unknown = Origins(None, None, None, None, 0, {"body": 1.0})
    made = group(origins=unknown, suspicion_parts=PARTS | {"one source": 0.0})
    assert not any("wrote" in text for side in reasons_of(made) for text in side)
    said = Page(shortcuts_page(found(made))).said()
    assert "the most frequent with" not in said
    assert "threads" not in said
    assert "0 near-duplicates" in said


def test_no_group() -> None:
    said = Page(shortcuts_page(found(), model_name="model")).said()
    assert "No group was found" in said
    assert "suspicion of" not in said


def test_groups_beyond_the_first_are_listed_by_class() -> None:
    groups = [group(f"word{n}") for n in range(5)]
    page = shortcuts_page(found(*groups), shown=2)
    assert "2 of 5 groups are shown here" in Page(page).said()
    assert page.count('<li id="group') == 2
    assert all(f"word{n}" in Page(page).said() for n in range(5))
    assert example_positions(found(*groups), groups=2, examples=3) == [0, 1, 2]


def test_hostile_words_and_names_are_text() -> None:
    hostile = group(HOSTILE, label=HOSTILE, ids=(HOSTILE,) * 4)
    made = replace(found(hostile), labels=(HOSTILE,))
    why = make_explanation(HOSTILE, document_id=HOSTILE)
    page = Page(shortcuts_page(made, examples={0: why}, model_name=HOSTILE, corpus_name=HOSTILE))
    assert "script" not in page.tags


def test_the_page_is_written_like_every_page(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    text = shortcuts_page(found(group()), path)
    assert path.read_text(encoding="utf-8") == text
    shortcuts_page(found(), path)
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(DataError):
        shortcuts_page(found(), tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "mine"
