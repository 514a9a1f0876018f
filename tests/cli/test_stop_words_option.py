"""``textlrp train --stop-words``: the model does not use the words of a file, and the file is never lost."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

import textlrp
from textlrp.cli import app, main
from textlrp.files.stop_word_file import write_stop_words
from textlrp.records import Status

ROWS = [
    ("the car has a loud engine", "auto"),
    ("the doctor gave me a pill", "med"),
    ("an old engine in a new car", "auto"),
    ("ask a doctor about the fever", "med"),
]


@pytest.fixture(autouse=True)
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a temporary folder with a corpus the current one."""
    monkeypatch.chdir(tmp_path)
    with Path("texts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])


def test_a_model_without_the_words_of_a_file() -> None:
    write_stop_words(["doctor", "engine", "comet"], "stop.txt", comment="Words of one author.")
    options = ["--model", "svm", "--tokenizer", "words", "--stop-words", "stop.txt", "-o", "model"]
    result = CliRunner().invoke(app, ["train", "texts.csv", *options])
    assert result.exit_code == 0, result.output
    assert "stop words: 2 of 3 occur in the training texts" in result.output
    model = textlrp.load("model")
    assert model.stop_words == ("doctor", "engine", "comet")  # type: ignore[union-attr]
    why = textlrp.explain(model, "The Doctor and the engine of a car")
    of_words = dict(
        zip(why.tokens.forms, zip(why.status.tolist(), why.relevance[0].tolist(), strict=True), strict=True)
    )
    assert of_words["doctor"] == of_words["engine"] == (Status.UNKNOWN, 0.0)
    assert of_words["car"][1] != 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--stop-words", "none.txt", "-o", "model"], "cannot be read: No such file or directory."),
        (["--stop-words", "empty.txt", "-o", "model"], "has no word. Write one word per line."),
        (["--stop-words", "binary.txt", "-o", "model"], "is not UTF-8 text. Save it as text in UTF-8."),
        (["--stop-words", "folder", "-o", "model"], "cannot be read: Is a directory."),
        (["--stop-words", "words.txt", "-o", "words.txt", "--force"], "the output must not be an input"),
        (["--stop-words", "folder/words.txt", "-o", "folder", "--force"], "the output must not contain an input"),
        (["--stop-words", "words.txt", "--model", "encoder", "--encoder", "x", "-o", "model"], "reads whole texts."),
    ],
)
def test_a_file_that_cannot_be_used(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    for name, content in {
        "empty.txt": b"# the\n", "binary.txt": b"\x93\x00\xff", "words.txt": b"the\n", "folder/words.txt": b"the\n",
    }.items():  # fmt: skip
        Path(name).write_bytes(content)
    before = {path: path.read_bytes() for path in Path().rglob("*.*")}
    assert main(["train", "texts.csv", *arguments]) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert sentence in shown
    assert "Traceback" not in shown
    assert {path: path.read_bytes() for path in Path().rglob("*.*")} == before
    assert not Path("model").exists()
