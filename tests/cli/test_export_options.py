"""``textlrp explain --format`` and ``--keep-formulas``: what is written, and which combinations are refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from cases import every

import textlrp
from textlrp import cli
from textlrp.store.annotations import ANNOTATION_FORMATS

ROWS = [
    ("=1+1", "the car has a loud engine", "auto"),
    ("@home", "the doctor gave me a pill", "med"),
    ("-2", "an old engine in a new car", "auto"),
    ("+a", "ask a doctor about the fever", "=med"),
]


@pytest.fixture(autouse=True, scope="module")
def _command_line_is_built_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "get_command", cache(cli.get_command))
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    _, texts, labels = zip(*ROWS, strict=True)
    return textlrp.BagOfWordsClassifier().fit(texts, labels).save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    with Path("in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "text", "label"), *ROWS])
    return "in.csv"


def refusal(capsys: pytest.CaptureFixture[str], *line: object) -> str:
    """The one line that a refused command prints."""
    capsys.readouterr()
    assert cli.main([str(word) for word in line]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("textlrp: ")
    assert error.count("\n") == 1
    return error.removeprefix("textlrp: ").rstrip("\n")


def rows_of(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@every("format", ANNOTATION_FORMATS)
def test_each_format_is_written(format: str, model: Path, corpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"out{ANNOTATION_FORMATS[format].suffix}"
    Path(name).unlink(missing_ok=True)
    assert cli.main(["explain", str(model), corpus, "--format", format, "-o", name]) == 0
    config = "wrote out.xml: the labeling configuration for these tasks\n" if format == "label-studio" else ""
    assert capsys.readouterr().out == f"wrote {name}\n{config}"
    assert Path(name).stat().st_size > 200


def test_top_k_is_the_number_of_marked_words_on_each_side(model: Path, corpus: str) -> None:
    for top_k in (1, 2):
        line = ["explain", str(model), corpus, "--format", "doccano", "--top-k", str(top_k), "-o", "out.jsonl"]
        assert cli.main([*line, "--target", "auto"]) == 0
        for row in Path("out.jsonl").read_text().splitlines():
            sides = [label.split()[0] for _, _, label in json.loads(row)["label"]]
            assert 0 < max(sides.count("supports"), sides.count("opposes")) <= top_k


def test_what_does_not_fit_together_is_refused(model: Path, corpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        "--format labelstudio -o out.json": "--format must be one of label-studio, prodigy, doccano, argilla, conll, "
        "words-csv; got 'labelstudio'. Pass --format='label-studio', for example. The closest name is "
        "'label-studio'.",
        "--format prodigy": "--format prodigy needs an output file; got none. Pass -o FILE.jsonl.",
        "--format prodigy -o out": "--format prodigy needs an output file; got the folder 'out'. Pass -o FILE.jsonl.",
        "--format argilla -o out.html": "the output must be a .json file for --format='argilla'; got 'out.html'. "
        "Change its suffix.",
        "--format conll --top-k 3 -o a.conllup": "--top-k must not be used with --format='conll', which has all "
        "words. Leave it out.",
        "--format prodigy --keep-formulas -o a.jsonl": "--keep-formulas must be used with --format='words-csv' only. "
        "Leave it out.",
        "--keep-formulas -o a.html": "--keep-formulas must be used with --format words-csv; got no --format. Leave "
        "it out.",
        "--format prodigy --rules zero,epsilon -o a.jsonl": "--format prodigy needs one rule and one method; got "
        "several. Leave out --format for a page with several.",
    }
    for options, message in cases.items():
        assert refusal(capsys, "explain", model, corpus, *options.split()) == message
    assert [path.name for path in Path().iterdir()] == [corpus]


def test_a_configuration_that_is_an_input_is_not_replaced(
    model: Path, corpus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(corpus).rename("texts.csv")
    Path("out.xml").symlink_to("texts.csv")
    before = Path("texts.csv").read_bytes()
    line = ("explain", model, "texts.csv", "--format", "label-studio", "--force", "-o", "out.json")
    assert "the output must not" in refusal(capsys, *line)
    assert Path("texts.csv").read_bytes() == before


# ---- formulas in tables


@every("command", ["predict", "words", "explain --format words-csv"])
def test_tables_contain_no_formulas_unless_they_are_kept(command: str, model: Path, corpus: str) -> None:
    Path("out.csv").unlink(missing_ok=True)
    name, *options = command.split()
    line = [name, str(model), corpus, *options, "-o", "out.csv"]
    assert cli.main(line) == 0
    inert = [cell for row in rows_of("out.csv") for cell in row.values()]
    assert cli.main([*line, "--keep-formulas"]) == 0
    kept = [cell for row in rows_of("out.csv") for cell in row.values()]
    assert [cell.removeprefix("'") for cell in inert] == kept
    assert any(cell.startswith("'=") for cell in inert)
    for cell in inert:
        assert cell[:1] not in ("=", "@")
        assert cell[:1] not in ("+", "-") or isinstance(float(cell), float)


def test_predictions_on_standard_output_contain_no_formulas(
    model: Path, corpus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for options, ids in (((), ["'=1+1", "'@home", "-2", "'+a"]), (("--keep-formulas",), [row[0] for row in ROWS])):
        assert cli.main(["predict", str(model), corpus, *options]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split("\t")[0] for line in lines[1:]] == ids
        assert all(float(line.split("\t")[2]) for line in lines[1:])


def test_a_carriage_return_in_an_id_does_not_split_the_row(model: Path, corpus: str) -> None:
    with Path(corpus).open("w", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows([("id", "text"), ("a\rb", "the car"), ("c\nd", "a pill")])
    assert cli.main(["predict", str(model), corpus, "-o", "out.csv"]) == 0
    assert Path("out.csv").read_bytes().count(b'"') == 4
    assert [row["id"] for row in rows_of("out.csv")] == ["a\rb", "c\nd"]
