"""``textlrp train --model encoder``, and the commands that use its model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from textlrp.cli import app, main

pytest.importorskip("transformers")
from tiny_encoders import LABELS, TEXTS, save_encoder

pytestmark = pytest.mark.transformers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, a corpus, and a model that was trained on both."""
    folder = tmp_path_factory.mktemp("command")
    save_encoder(folder / "encoder")
    with (folder / "texts.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        table.writerows(zip(TEXTS, LABELS, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTLRP_CACHE_DIR", str(folder / "cache"))
        options = ["--model", "encoder", "--encoder", str(folder / "encoder"), "-o", str(folder / "model")]
        result = CliRunner().invoke(app, ["train", str(folder / "texts.csv"), *options])
    assert result.exit_code == 0, result.output
    return folder


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    return result.exit_code, " ".join(result.output.split())


def test_predict_and_explain(place: Path, tmp_path: Path) -> None:
    code, output = run("predict", place / "model", "--text", "the cat and the dog")
    assert code == 0
    assert "predicted" in output
    for name in ("why.html", "why.jsonl", "why.parquet", "folder"):
        code, output = run("explain", place / "model", place / "texts.csv", "-o", tmp_path / name, "--workers", 1)
        assert code == 0, output
    rows = [json.loads(line) for line in (tmp_path / "why.jsonl").read_text().splitlines()]
    assert len(rows) == len(TEXTS)


def test_included_encoder(place: Path, tmp_path: Path) -> None:
    code, output = run(
        "train", place / "texts.csv", "--model", "encoder", "--encoder", place / "encoder", "--include-encoder",
        "-o", tmp_path / "model",
    )  # fmt: skip
    assert code == 0, output
    assert (tmp_path / "model" / "encoder" / "tokenizer.json").exists()


@pytest.mark.slow
def test_evaluate_and_report(place: Path, tmp_path: Path) -> None:
    options = ("--min-words", 3, "--steps", 2)
    code, output = run("evaluate", place / "model", place / "texts.csv", "-o", tmp_path / "results", *options)
    assert code == 0, output
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert {"deletion", "eraser", "words", "sanity", "ledger"} <= results.keys()
    assert any(
        note.startswith("Document vectors: not measured. A EncoderClassifier has") for note in results["notes"]
    )
    assert results["methods"][0]["title"] == "CP-LRP"
    code, output = run("report", place / "model", place / "texts.csv", "-o", tmp_path / "report.html")
    assert code == 0, output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "encoder"], "encoder must be the folder of a SentenceTransformer for the model encoder"),
        (["--model", "svm", "--encoder", "ENCODER"], "encoder applies to the model encoder; the svm has none"),
        (["--model", "cnn", "--include-encoder"], "include-encoder applies to the model encoder; the cnn has none"),
        (
            ["--model", "encoder", "--encoder", "ENCODER", "--epochs", "3"],
            "epochs and vectors apply to neural networks",
        ),
        (["--model", "encoder", "--encoder", "ENCODER", "--tokenizer", "words"], "tokenizer must be left out"),
        (["--model", "encoder", "--encoder", "TEXTS"], "encoder must be a SentenceTransformer or its folder"),
    ],
)
def test_refused_options(
    place: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {"ENCODER": str(place / "encoder"), "TEXTS": str(place / "texts.csv")}
    given = [paths.get(option, option) for option in options]
    code = main(["train", str(place / "texts.csv"), *given, "-o", str(tmp_path / "model")])
    assert code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "model").exists()


def test_a_folder_of_transformers_is_recognized(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(place / "encoder"), "--text", "the cat"]) == 2
    assert (
        "is a model of transformers, not of textlrp. Load it and its tokenizer in Python" in capsys.readouterr().err
    )
