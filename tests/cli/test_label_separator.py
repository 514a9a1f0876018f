"""The option --label-separator: for training, and for the commands that use a model."""

from __future__ import annotations

from pathlib import Path

import pytest

import textlrp
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


@pytest.fixture(scope="module")
def tags(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The paths of a multi-label model and of texts with several labels, separated by a bar."""
    folder = tmp_path_factory.mktemp("tags")
    texts = ["a car", "a pill", "a road"] * 4
    labels = [["auto", "road"], ["med"], ["road"]] * 4
    textlrp.BagOfWordsClassifier().fit(texts, labels).save(folder / "m")
    (folder / "t.csv").write_text('text,label\n"a car","auto|road"\n"a pill",med\n', encoding="utf-8")
    return str(folder / "m"), str(folder / "t.csv")


@pytest.mark.parametrize("limit", [[], ["--limit", "2"]])
def test_a_separator_that_no_label_has_is_reported(
    tags: tuple[str, str], limit: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["words", *tags, *limit, "--label-separator", ";"]) == 0
    assert "--label-separator=';' occurs in none of the 2 labels" in capsys.readouterr().err
    assert main(["words", *tags, *limit, "--label-separator", "|"]) == 0
    assert "separator" not in capsys.readouterr().err
