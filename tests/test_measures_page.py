"""docs/reference/measures.md has the texts of docs/measure_texts.py, and every measure is explained."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from evaluation_results import make_results

from textlrp import evaluation
from textlrp.evaluation.running.measures import MEASURES, TITLES

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "reference" / "measures.md").read_text(encoding="utf-8")


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("measures")


def test_every_measure_is_explained_on_the_committed_page(measures: ModuleType) -> None:
    written = list(measures.page_lines(make_results()))
    text = [line for line in written if not line.startswith(("|", "The numbers on this page")) and line[-1:] != ":"]
    assert [line for line in text if line not in PAGE.splitlines()] == [], "run python docs/measures.py"
    for name in MEASURES:
        assert f"`--measure {name}`" in PAGE
        assert f"](#{measures.anchor(name)}) | `{name}` |" in PAGE
        assert f"### {TITLES[name][0].upper()}{TITLES[name][1:]}" in PAGE


def test_the_table_of_measures_names_public_functions(measures: ModuleType) -> None:
    assert measures.FUNCTIONS.keys() <= MEASURES.keys()
    assert set(measures.FUNCTIONS.values()) <= set(evaluation.__all__)
    for name in MEASURES:
        assert measures.question_row(name) in PAGE.splitlines(), "copy the row to docs/reference/measures.md"


def test_results_are_shown_as_tables(measures: ModuleType) -> None:
    written = "\n".join(measures.page_lines(make_results()))
    assert "| LRP epsilon | 91.0% (89.2 to 92.8%) | 882 (of 970) |" in written
    assert "▼ worse (p = 0.0032, d = +0.42) |" in written
    unmeasured = make_results(pointing=None)
    assert "Hits in" in written
    assert "Hits in" not in "\n".join(measures.page_lines(unmeasured))


def test_a_measure_without_a_text_stops_the_script(measures: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: dict[str, Any] = dict(measures.MEASURE_TEXTS)
    del texts["vectors"]
    monkeypatch.setattr(measures, "MEASURE_TEXTS", texts)
    with pytest.raises(ValueError, match="must have a text for vectors"):
        list(measures.page_lines(make_results()))
    monkeypatch.setattr(
        measures, "MEASURE_TEXTS", sys.modules["measure_texts"].MEASURE_TEXTS | {"new": texts["deletion"]}
    )
    assert any(line.startswith("<!-- place of the measure 'new'") for line in measures.page_lines(make_results()))
