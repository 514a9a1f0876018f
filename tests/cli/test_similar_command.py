"""The command ``textlrp similar``: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli import Run, boe, folder_of_models, make_table, refused, run, svm  # noqa: F401  fixtures

import textlrp

TEXT = "the engine of my car"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_finds_the_nearest_documents_and_writes_them(svm: Path, run: Run) -> None:  # noqa: F811
    table = make_table()
    outcome = run("similar", svm, table, "--text", TEXT, "-k", 2, "-o", "found.jsonl")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert len(lines) == 3
    assert "engine +0." in lines[0]
    assert lines[-1] == "wrote found.jsonl"
    rows = [json.loads(line) for line in Path("found.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["position"] for row in rows} == {0, 2}
    why = textlrp.similarity(textlrp.load(svm), TEXT, "the car has a loud engine", normalize=True)
    row = next(each for each in rows if each["position"] == 0)
    assert row["score"] == pytest.approx(why.score)
    assert row["measure"] == "cosine similarity"
    assert row["ties"][0]["relevance"] == pytest.approx(why.ties(1)[0].relevance)
    assert run("similar", svm, table, "--text", TEXT, "-o", "page.html").code == 0
    assert "4 documents with the highest cosine similarity" in Path("page.html").read_text(encoding="utf-8")


def test_it_compares_two_texts(boe: Path, run: Run) -> None:  # noqa: F811
    outcome = run("similar", boe, "--text", TEXT, "--and", "a doctor", "--similarity", "dot", "-o", "page.html")
    assert outcome.code == 0
    assert "Dot product" in Path("page.html").read_text(encoding="utf-8")
    why = textlrp.similarity(textlrp.load(boe), TEXT, "a doctor")
    assert float(outcome.out.split()[0].replace("−", "-")) == pytest.approx(why.score, rel=0.01)


def test_the_text_can_be_standard_input(svm: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    make_table()
    Path("mail.txt").write_text(TEXT)
    with open("mail.txt", encoding="utf-8") as mail:
        monkeypatch.setattr("sys.stdin", mail)
        from_input = run("similar", svm, "some.csv", "--text", "-")
    assert from_input.code == 0
    assert from_input.out == run("similar", svm, "some.csv", "--text", TEXT).out


def test_what_cannot_be_compared_is_refused(svm: Path, run: Run) -> None:  # noqa: F811
    table = make_table()
    refused(run("similar", svm, table), "Pass --text TEXT")
    refused(run("similar", svm, "--text", "x"), "Pass a CORPUS, or --and TEXT")
    refused(run("similar", svm, table, "--text", "x", "--and", "y"), "CORPUS and --and must not be given together")
    refused(run("similar", svm, "-", "--text", "x"), "CORPUS must be a file")
    refused(run("similar", svm, table, "--text", "x", "-k", 0), "--top-k")
    refused(run("similar", svm, table, "--text", "x", "-o", "page.pdf"), ".html or .jsonl")
    refused(run("similar", svm, table, "--text", "x", "--rule", "unheard"), "no rule is called 'unheard'")
    refused(run("similar", svm, table, "--text", "x", "--similarity", "near"), "--similarity")
    refused(run("similar", "no-such-model", table, "--text", "x"), "no-such-model")
