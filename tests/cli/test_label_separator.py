"""The option --label-separator of textlrp train."""

from __future__ import annotations

from pathlib import Path

import pytest

from textlrp.cli import main


def test_a_separator_that_no_label_has_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, model = tmp_path / "t.csv", tmp_path / "m"
    corpus.write_text('text,label\n"a car","auto|road"\n"a pill",med\n"a road",road\n' * 4, encoding="utf-8")
    options = ["train", str(corpus), "--model", "svm", "-o", str(model), "--label-separator"]
    assert main([*options, ";"]) == 2
    assert "--label-separator must occur in the labels; ';' occurs in none of the 12 texts" in capsys.readouterr().err
    assert not model.exists()
    assert main([*options, "|"]) == 0
    assert model.exists()
