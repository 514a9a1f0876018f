"""The command ``textlrp shortcuts``: its files, what it prints, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from class_texts import corpus_of
from test_cli import Run, folder_of_models, refused, run, svm  # noqa: F401  fixtures

import textlrp
from textlrp.evaluation.planting import plant_shortcuts


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and the corpus with planted shortcuts that it was trained on."""
    folder = tmp_path_factory.mktemp("planted")
    corpus = plant_shortcuts(corpus_of(90), ["cars"], share=0.3, seed=1)
    with open(folder / "texts.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((each.text, each.label) for each in corpus.documents)])
    labels = [each.label for each in corpus.documents]
    textlrp.BagOfWordsClassifier(random_state=0).fit(corpus.documents, labels).save(folder / "model")
    (folder / "word").write_text(corpus.shortcuts[0].words[0])
    return folder


def test_the_page_the_file_and_the_printed_lines(planted: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    page, file, word = tmp_path / "page.html", tmp_path / "found.json", (planted / "word").read_text()
    outcome = run("shortcuts", planted / "model", planted / "texts.csv", "-o", page, "--json", file)
    assert outcome.code == 0
    assert word in outcome.out
    assert f"wrote {page}, {file}" in outcome.out
    assert word in page.read_text(encoding="utf-8")
    groups = json.loads(file.read_text(encoding="utf-8"))["groups"]
    assert any(each["words"][0]["word"] == word for each in groups)
    again = run("shortcuts", planted / "model", planted / "texts.csv", "-o", page, "--json", file)
    assert again.code == 0


def test_a_model_trained_without_the_dropped_words_has_no_such_group(
    planted: Path,
    tmp_path: Path,
    run: Run,  # noqa: F811
) -> None:
    word, texts = (planted / "word").read_text(), planted / "texts.csv"
    outcome = run(
        "shortcuts", planted / "model", texts, "-o", "page.html", "--json", "before.json", "--drop", "words.txt",
        "--suspicion", "0.85",
    )  # fmt: skip
    assert outcome.code == 0
    assert "wrote page.html, before.json, words.txt" in outcome.out
    assert [line for line in (tmp_path / "words.txt").read_text().split("\n") if line and line[0] != "#"] == [word]
    assert run("train", texts, "--model", "svm", "--stop-words", "words.txt", "-o", "repaired").code == 0
    after = run(
        "shortcuts", "repaired", texts, "-o", "after.html", "--drop", "none.txt", "--suspicion", "0.95",
        "--before", "before.json",
    )  # fmt: skip
    assert after.code == 0
    assert word not in after.out
    assert "none.txt is not written" in after.out
    assert not (tmp_path / "none.txt").exists()
    page = (tmp_path / "after.html").read_text(encoding="utf-8")
    assert "Compared with the earlier model" in page
    row = page[page.index(f'<th scope="row"><bdi>{word}') :]
    assert "no group" in row[: row.index("</tr>")]


def test_a_pipeline_of_scikit_learn(planted: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    corpus = textlrp.load_corpus(planted / "texts.csv")
    joblib.dump(
        make_pipeline(TfidfVectorizer(), LogisticRegression(C=50)).fit(corpus.texts, corpus.labels), "p.joblib"
    )
    arguments = ("shortcuts", "p.joblib", planted / "texts.csv", "-o", tmp_path / "page.html", "--trust-pickle")
    outcome = run(*arguments)
    assert outcome.code == 0
    assert (planted / "word").read_text() in outcome.out


def test_no_group(svm: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    classes = textlrp.load(svm).classes_.tolist()
    (tmp_path / "few.csv").write_text(f"text,label\nthe car,{classes[0]}\n")
    outcome = run("shortcuts", svm, "few.csv", "-o", "page.html")
    assert outcome.code == 0
    assert "no group found" in outcome.out


def test_what_is_refused(planted: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    model, texts = planted / "model", planted / "texts.csv"
    (tmp_path / "mine.html").write_text("mine")
    (tmp_path / "mine.json").write_text('{"groups": 1}')
    cases = [
        (("-o", "page.txt"), "must end in .html"),
        (("-o", "page.html", "--json", "found.txt"), "must end in .json"),
        (("-o", "page.html", "--clustering", "kmeans"), "clustering must be hdbscan or spectral"),
        (("-o", "mine.html"), "mine.html"),
        (("-o", "page.html", "--json", "mine.json"), "mine.json"),
        (("-o", "page.html", "--drop", "mine.json"), "mine.json"),
        (("-o", "page.html", "--drop", "page.html"), "page.html"),
        (("-o", "page.html", "--rule", "nothing"), "rule"),
        (("-o", "page.html", "--before", "mine.json"), "before must be a file that textlrp shortcuts --json wrote"),
        (("-o", "page.html", "--before", "mine.html"), "it is not JSON"),
        (("-o", "page.html", "--before", "missing.json"), "missing.json"),
        (("-o", "page.html", "--label", "nothing"), "nothing"),
    ]
    for arguments, fragment in cases:
        refused(run("shortcuts", model, texts, *arguments), fragment)
    assert (tmp_path / "mine.html").read_text() == "mine"
    assert not (tmp_path / "page.html").exists()
