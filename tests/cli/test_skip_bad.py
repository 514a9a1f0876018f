"""The option --skip-bad: bad rows are skipped, counted, and listed in a file, in every command that reads files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import textlrp
from textlrp.cli import main

GOOD = "a good car on the road,auto\na bad doctor with a pill,med\n"
BAD = 'one,two,three\n,auto\n"never\nends,\ncaf\xe9 car,auto\n'
UNLABELED = "the car is here,\n"
HEAD = "text,label\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def svm(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "m"
    texts = ["car road", "road car", "doctor pill", "pill doctor"]
    textlrp.BagOfWordsClassifier().fit(texts, ["auto", "auto", "med", "med"]).save(path)
    return str(path)


def write(content: str) -> None:
    Path("t.csv").write_bytes(content.encode("latin-1"))


def rejected(path: str) -> dict[int, str]:
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    assert all(set(row) == {"row", "reason"} for row in rows)
    return {row["row"]: row["reason"] for row in rows}


def test_train_skips_rows_without_text_or_label(capsys: pytest.CaptureFixture[str]) -> None:
    write(HEAD + GOOD * 3 + "one,two,three\n,auto\nthe car,\n" + "caf\xe9 car,auto\n" + GOOD)
    Path("out").mkdir()
    assert main(["train", "t.csv", "-o", "out/m", "--model", "svm"]) == 2
    assert "To skip such rows, pass --skip-bad." in capsys.readouterr().err
    assert not Path("out/m").exists()
    assert main(["train", "t.csv", "-o", "out/m", "--model", "svm", "--skip-bad"]) == 0
    reasons = rejected("out/t.csv.rejected.jsonl")
    assert list(reasons) == [7, 8, 9, 10]
    for number, reason in zip(reasons, ("got 3", "text is missing", "label is missing", "not UTF-8"), strict=True):
        assert reason in reasons[number]
    err = capsys.readouterr().err
    assert "skipped 4 rows that could not be read, listed in out/t.csv.rejected.jsonl; the first: row 7 (t.csv" in err
    assert textlrp.load("out/m").classes_.tolist() == ["auto", "med"]


def test_a_missing_label_alone_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    write(HEAD + GOOD + UNLABELED)
    assert main(["train", "t.csv", "-o", "m", "--model", "svm"]) == 2
    assert "pass --skip-bad" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["predict"], "t.csv.rejected.jsonl"),
        (["predict", "-o", "out/p.csv"], "out/t.csv.rejected.jsonl"),
        (["explain"], "t.csv.rejected.jsonl"),
        (["explain", "-o", "out/e.jsonl"], "out/t.csv.rejected.jsonl"),
        (["explain", "--rules", "zero,epsilon", "-o", "out/g.html"], "out/t.csv.rejected.jsonl"),
        (["report", "-o", "out/r.html"], "out/t.csv.rejected.jsonl"),
        (["report", "-o", "out/r.html", "--against-rule", "gamma"], "out/t.csv.rejected.jsonl"),
        (["report", "-o", "out/report"], "out/t.csv.rejected.jsonl"),
        (["words"], "t.csv.rejected.jsonl"),
        (["words", "-o", "out/w.csv"], "out/t.csv.rejected.jsonl"),
        (["evaluate", "-o", "out/ev", "--measure", "words"], "out/t.csv.rejected.jsonl"),
    ],
)
def test_every_command_lists_the_rows_that_it_skips(
    svm: str, command: list[str], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(HEAD + GOOD + "one,two,three\n" + GOOD + "\n,med\n" + GOOD)
    Path("out").mkdir()
    line = [command[0], svm, "t.csv", *command[1:]]
    assert main(line) == 2
    assert "To skip such rows, pass --skip-bad." in capsys.readouterr().err
    assert sorted(Path().rglob("*")) == [Path("out"), Path("t.csv")]
    assert main([*line, "--skip-bad"]) == 0, capsys.readouterr().err
    reasons = rejected(place)
    assert list(reasons) == [3, 6]
    assert "row 3 (t.csv, line 4): the row must have 2 fields" in reasons[3]
    assert f"skipped 2 rows that could not be read, listed in {place}; the first: row 3" in capsys.readouterr().err


def test_a_bad_row_leaves_the_delimiter_certain(svm: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("Review;Sentiment\na good car;auto\none;two;three\n")
    assert main(["predict", svm, "t.csv", "--skip-bad"]) == 0
    assert list(rejected("t.csv.rejected.jsonl")) == [2]
    assert "(1 of 1 labeled texts)" in capsys.readouterr().err


def test_an_unlabeled_row_is_predicted(svm: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(HEAD + GOOD + UNLABELED)
    assert main(["predict", svm, "t.csv", "--skip-bad"]) == 0
    outcome = capsys.readouterr()
    assert len(outcome.out.splitlines()) == 4
    assert "skipped" not in outcome.err
    assert not Path("t.csv.rejected.jsonl").exists()


def test_a_file_of_the_user_is_never_replaced(svm: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(HEAD + GOOD + "one,two,three\n")
    Path("t.csv.rejected.jsonl").write_text("mine\n")
    assert main(["predict", svm, "t.csv", "--skip-bad"]) == 2
    outcome = capsys.readouterr()
    assert outcome.out == ""
    assert "'t.csv.rejected.jsonl' exists and is not a file of rejected rows" in outcome.err
    assert Path("t.csv.rejected.jsonl").read_text() == "mine\n"


def test_a_file_with_bad_rows_only_is_refused(svm: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(HEAD + "one,two,three\n" * 3)
    assert main(["predict", svm, "t.csv", "--skip-bad"]) == 2
    assert "none of its 3 rows could be read; the first: row 1 (t.csv, line 2)" in capsys.readouterr().err


def test_a_limit_is_of_good_rows(svm: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(HEAD + ("one,two,three\n" + GOOD) * 5)
    assert main(["explain", svm, "t.csv", "--limit", "4", "-o", "e.jsonl", "--skip-bad"]) == 0
    assert len(Path("e.jsonl").read_text().splitlines()) == 4
    assert list(rejected("t.csv.rejected.jsonl")) == [1, 4, 7, 10, 13]
    assert main(["explain", svm, "t.csv", "--limit", "4", "-o", "folder", "--skip-bad"]) == 2
    assert "--skip-bad cannot be used with --limit and an output folder" in capsys.readouterr().err


def test_a_folder_of_explanations_skips_bad_rows_with_and_without_the_option(svm: str) -> None:
    write(HEAD + GOOD + "one,two,three\n")
    for number, option in enumerate(([], ["--skip-bad"])):
        assert main(["explain", svm, "t.csv", "-o", f"folder{number}", "--workers", "1", *option]) == 0
        assert list(rejected(f"folder{number}/rejected.jsonl")) == [3]
    assert not Path("t.csv.rejected.jsonl").exists()


def test_files_of_a_folder_that_cannot_be_decoded_are_skipped(svm: str) -> None:
    for name, content in (("auto/1", b"a car"), ("auto/2", b"caf\xe9"), ("med/1", b"a doctor")):
        Path("posts", name).parent.mkdir(parents=True, exist_ok=True)
        Path("posts", name).write_bytes(content)
    assert main(["predict", svm, "posts", "--skip-bad"]) == 0
    assert "not UTF-8" in rejected("posts.rejected.jsonl")[2]


def test_a_file_of_the_user_in_the_place_of_the_list_is_kept(svm: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(HEAD + GOOD + BAD)
    Path("t.csv.rejected.jsonl").write_text("my notes")
    for command in (["predict", svm, "t.csv"], ["train", "t.csv", "--model", "svm", "-o", "m"]):
        assert main([*command, "--skip-bad"]) == 2
        assert "pass --force to move the existing one to a backup name" in capsys.readouterr().err
        assert Path("t.csv.rejected.jsonl").read_text() == "my notes"
    assert main(["predict", svm, "t.csv", "--skip-bad", "--force"]) == 0
    assert rejected("t.csv.rejected.jsonl")
    assert Path("t.csv.rejected.jsonl.bak1").read_text() == "my notes"
