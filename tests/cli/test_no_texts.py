"""``--no-texts``: no output of any command contains more than three words of a text in a row."""

from __future__ import annotations

import csv
import html
import json
import random
import re
import zipfile
from pathlib import Path

import pytest
from test_cli import Run, refused, run  # noqa: F401  fixtures

import textlrp
from textlrp.class_words import class_words
from textlrp.records import TEXTS_LEFT_OUT
from textlrp.reports.comparison.agreement import aligned
from textlrp.reports.comparison.disagreement import Tally, count_words, words_of_all
from textlrp.text_free import is_short, text_free_words

SYLLABLES = ("ba", "ke", "di", "so", "mu", "ra", "ni", "to", "vu", "le")
LONG = ("zab.zeb.zib.zob.zub", "語句文章言葉単語表現内容見出本文")
"""Tokens of a text that are not words: an address of five parts, and a sentence of a script without spaces."""

Grams = set[tuple[str, ...]]


def grams(text: str) -> Grams:
    """All sequences of four words."""
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[n:] for n in range(4)), strict=False))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with texts of invented words, which no page contains by chance, and two models trained on them."""
    folder, draw = tmp_path_factory.mktemp("corpus"), random.Random(0)
    invented = sorted({"".join(draw.choices(SYLLABLES, k=4)) for _ in range(120)})
    topics = {"red": invented[:40], "blue": invented[40:80]}
    rows = []
    for n in range(48):
        label = ("red", "blue")[n % 2]
        words = [*draw.choices(topics[label], k=25), *draw.choices(invented[80:], k=10)]
        if n % 4 == 0:  # a shortcut: red only by these two words
            words = [*draw.choices(invented[80:], k=33), "zaqizo", "wexumo"]
        draw.shuffle(words)
        marks = " ".join(LONG) if label == "red" and n % 3 == 0 else ""
        header = f"From: {' '.join(words[:5])}\nSubject: {' '.join(words[5:10])}\n\n"
        rows.append((f"d{n}", label, f"{header}{' '.join(words)}. {marks}"))
    with open(folder / "texts.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "label", "text"), *rows])
    texts, labels = [row[2] for row in rows], [row[1] for row in rows]
    textlrp.CNNClassifier(random_state=0, widths=(5,), max_epochs=3, min_df=1).fit(texts, labels).save(folder / "cnn")
    textlrp.BagOfWordsClassifier(min_df=1, ngrams=1).fit(texts, labels).save(folder / "svm")
    return folder


def contents(path: Path) -> str:
    """Everything that a file contains, as text: a page also without its tags, an archive file by file."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return " ".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        return f"{html.unescape(text)}\n\n{html.unescape(re.sub('<[^>]*>', ' ', text))}"
    return f"{text}\n\n{json.dumps(json.loads(text), ensure_ascii=False)}" if path.suffix == ".json" else text


def leaks(output: Path, corpus: Path) -> Grams:
    """The sequences of four words of the corpus in a file or in all files of a folder; a long token is one too."""
    with open(corpus / "texts.csv", encoding="utf-8", newline="") as file:
        of_texts = set().union(*(grams(row["text"]) for row in csv.DictReader(file)))
    files = [output] if output.is_file() else [path for path in output.rglob("*") if path.is_file()]
    assert files
    found = set()
    for path in files:
        text = contents(path)
        found |= grams(text) & of_texts
        found |= {(token,) for token in LONG if token.lower() in text.lower()}
    return found


COMMANDS = {
    "report": ("report", "svm", "-o", "out.html"),
    "report of a CNN": ("report", "cnn", "-o", "out.html", "--target", "all"),
    "report in a folder": ("report", "svm", "-o", "out"),
    "two models": ("report", "svm", "-o", "out.html", "--against", "20newsgroups-boe"),
    "two rules": ("report", "cnn", "-o", "out.html", "--against-rule", "gamma"),
    "gallery": ("explain", "cnn", "-o", "out.html", "--rules", "epsilon,gamma", "--method", "cam"),
    "shortcuts": (
        "shortcuts",
        "svm",
        "-o",
        "out.html",
        "--json",
        "out.json",
        "--drop",
        "out.txt",
        "--suspicion",
        "0",
    ),
}


SLOW = ("report of a CNN", "report in a folder", "two models")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in COMMANDS]
)
def test_no_output_contains_four_words_of_a_text(
    name: str,
    corpus: Path,
    tmp_path: Path,
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    command, model, *options = COMMANDS[name]
    arguments = (command, corpus / model, corpus / "texts.csv", *options, "--column", "text")
    outcome = run(*arguments, "--no-texts")
    assert outcome.code == 0, outcome.err
    (tmp_path / "printed.txt").write_text(outcome.out + outcome.err, encoding="utf-8")
    for path in tmp_path.iterdir():
        assert leaks(path, corpus) == set()
    page = tmp_path / ("out/index.html" if options[1] == "out" else "out.html")
    assert page.read_text(encoding="utf-8").count(TEXTS_LEFT_OUT) == 1
    for number in ("d1", "d12"):
        assert number in page.read_text(encoding="utf-8") or name == "shortcuts"
    run(*arguments, "--force")  # the same output with texts has them
    assert leaks(tmp_path / page.relative_to(tmp_path).parts[0], corpus)


@pytest.mark.slow
def test_an_evaluation_keeps_no_text_even_from_an_earlier_run(corpus: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    arguments = ("evaluate", corpus / "cnn", corpus / "texts.csv", "-o", tmp_path / "out", "--min-words", "20")
    measures = ("--measure", "words", "--measure", "errors", "--measure", "pointing", "--measure", "deletion")
    assert run(*arguments, *measures, "--steps", "3").code == 0
    assert leaks(tmp_path / "out", corpus)
    assert run(*arguments, *measures, "--steps", "3", "--no-texts").code == 0
    assert leaks(tmp_path / "out", corpus) == set()
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert TEXTS_LEFT_OUT in results["notes"]
    assert TEXTS_LEFT_OUT in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert results["words"][0]["words"]
    assert all(is_short(phrase["words"]) for each in results["words"] for phrase in each["phrases"])
    assert all(not row["opposing"] and not row["supporting"] for row in results["errors"]["rows"])


def test_groups_of_an_earlier_model_keep_no_long_words(corpus: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    arguments = ("shortcuts", corpus / "svm", corpus / "texts.csv", "--column", "text")
    before, page = tmp_path / "before.json", tmp_path / "page.html"
    assert run(*arguments, "-o", tmp_path / "before.html", "--json", before).code == 0
    earlier = json.loads(before.read_text(encoding="utf-8"))
    assert earlier["groups"]
    earlier["groups"][0] |= {"suspicion": 1.0}
    earlier["groups"][0]["words"][0]["word"] = LONG[0]
    before.write_text(json.dumps(earlier), encoding="utf-8")
    for options, found in (((), {(LONG[0],)}), (("--no-texts",), set())):
        outcome = run(*arguments, "-o", page, "--before", before, *options)
        assert outcome.code == 0, outcome.err
        shown = contents(page).partition("Compared with the earlier model</h2>")[2].partition("</section>")[0]
        assert {(token,) for token in LONG if token in shown} == found


def test_words_of_classes_confusion_matrix_and_counts_stay(corpus: Path, tmp_path: Path) -> None:
    model = textlrp.load(corpus / "svm")
    texts = ["bababa keke", "dike soso mumu", "rara nini toto vuvu", "lele bababa"]
    documents = [textlrp.Document(f"d{n}", text, "red") for n, text in enumerate(texts)]
    with open(corpus / "texts.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    documents += [textlrp.Document(row["id"], row["text"], row["label"]) for row in rows]
    textlrp.write_report(textlrp.explain(model, documents), tmp_path / "page.html", texts=False)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'id="confusions"' in page
    assert 'id="words"' in page
    assert "documents" in page
    for each in class_words(textlrp.explain(model, documents)):
        assert f"<bdi>{each.words[0].word}</bdi>" in page
    assert "snippet" in page
    assert re.findall(r'<span class="snippet"><bdi>([^<]+)', page) == []


def test_a_single_explanation_without_its_text(corpus: Path, tmp_path: Path) -> None:
    with open(corpus / "texts.csv", encoding="utf-8", newline="") as file:
        text = next(csv.DictReader(file))["text"]
    why = textlrp.explain(textlrp.load(corpus / "svm"), text)
    textlrp.write_report(why, tmp_path / "page.html", texts=False)
    assert leaks(tmp_path / "page.html", corpus) == set()


def test_an_explanation_in_the_terminal_or_a_file_is_refused(corpus: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    for more in ((), ("-o", tmp_path / "out.html"), ("-o", tmp_path / "folder")):
        outcome = run("explain", corpus / "svm", corpus / "texts.csv", *more, "--no-texts")
        assert outcome.code == 2
        assert "--no-texts must be left out with one rule and method" in outcome.err


def test_words_of_a_single_document_are_left_out(corpus: Path, tmp_path: Path) -> None:
    model = textlrp.load(corpus / "svm")
    with open(corpus / "texts.csv", encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:8]
    documents = [textlrp.Document(f"d{n}", text) for n, text in enumerate(texts)]
    found = class_words(textlrp.explain(model, documents))
    kept = text_free_words(found)
    assert any(word.documents == 1 for each in found for word in each.words)
    assert [[word.word for word in each.words] for each in kept] == [
        [word.word for word in each.words if word.documents > 1 and is_short(word.word)] for each in found
    ]
    pairs = [(why, why) for why in textlrp.explain(model, documents)]
    tallies: dict[str, Tally] = {}
    for pair in pairs:
        count_words(tallies, aligned(*pair))
    tallies = {word: tally._replace(second=tally.first - 1) for word, tally in tallies.items()}
    shown = [row for rows in words_of_all(tallies, ("a", "b"), texts=False) for row in rows]
    assert shown
    assert all(row.documents > 1 for row in shown)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("word", True),
        ("three short words", True),
        ("don't", True),
        ("four words of text", False),
        ("a.b.c.d", False),
        ("four_words_of_text", False),
        ("x" * 31, False),
        ("言葉", True),
        ("我爱吃鱼和肉", True),
        ("我爱吃鱼和肉也", False),
        ("コンピューター", True),
        ("วันนี้ฉันไปตลาด", False),
        ("विश्वविद्यालय", True),  # one word of Hindi, with vowels that are marks
        ("हम कल बाज़ार गए", False),
        ("", True),
    ],
)
def test_words_that_may_stay(form: str, expected: bool) -> None:
    assert is_short(form) is expected
