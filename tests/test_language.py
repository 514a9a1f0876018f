"""What people read has no phrase that the project has retired. The list is in `helpers/language.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cases import every
from language import ROOT, checked_files, findings


def test_nothing_that_people_read_has_a_retired_phrase() -> None:
    files = checked_files()
    assert len(files) >= 300
    assert [str(finding) for path in files for finding in findings(path)] == []


@every(
    "name, text, phrase",
    [
        ("message.py", 'raise ValueError(f"alpha={alpha} came")', "came"),
        ("split.py", 'text = "the label is not " "told apart"', "not told apart"),
        ("docstring.py", 'def f():\n    """Words that speak for a class."""', "speak for"),
        ("comment.py", "x = 1  # laid by hand", "laid"),
        ("page.html", "<p>What is taken for what</p>", "taken for"),
        ("help.md", "98.8 % are right", "8 %"),
        (
            "notebook.ipynb",
            json.dumps({"cells": [{"cell_type": "markdown", "source": ["The own label"]}]}),
            "own label",
        ),
    ],
)
def test_a_retired_phrase_is_found(
    name: str, text: str, phrase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("language.ROOT", tmp_path)
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert phrase in [finding.phrase for finding in findings(path)]


@every(
    "name, text",
    [
        ("names.py", "came = wanted = 1\nx['held'] = ':func:`land` ``beside``'"),
        ("help.md", "`came` and\n```\nrivals\n```\n"),
        ("formats.py", "text = '%d %s' % (1, 'x')  # held-out documents"),
    ],
)
def test_names_in_code_are_not_phrases(name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("language.ROOT", tmp_path)
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert list(findings(path)) == []


def test_the_checked_files_are_those_of_the_tree() -> None:
    assert ROOT / "README.md" in checked_files()
    assert checked_files("textlrp/lrp") == [
        path for path in checked_files() if path.is_relative_to(ROOT / "textlrp/lrp")
    ]
