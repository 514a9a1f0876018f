from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pyarrow.parquet as pq
import pytest
from cases import every
from explanations import make_explanation
from rich.console import Console

import textlrp
from textlrp import cli
from textlrp.cli import corpus_report, predictions
from textlrp.cli.explained_files import write_explanations
from textlrp.cli.terminal import is_light_terminal, parse_lines
from textlrp.cli.word_tables import WORD_COLUMNS
from textlrp.explainers import named
from textlrp.explanation import Explanation
from textlrp.models.nets import NetClassifier
from textlrp.store import read

ROWS = [
    ("the car has a loud engine", "auto"),
    ("the doctor gave me a pill", "med"),
    ("an old engine in a new car", "auto"),
    ("ask a doctor about the fever", "med"),
]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def make_table(name: str = "some.csv", rows: list[tuple[str, str]] = ROWS, encoding: str = "utf-8") -> str:
    with open(name, "w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return name


@pytest.fixture(scope="session")
def folder_of_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bag of embeddings ``boe``, a linear ``svm``, and ``numbers``, an svm whose classes are integers."""
    folder = tmp_path_factory.mktemp("models")
    texts, labels = zip(*ROWS, strict=True)
    net = textlrp.BagOfEmbeddingsClassifier(embedding_dim=4, max_epochs=2, min_df=1, vectors=None)
    net.fit(texts, labels).save(folder / "boe")
    textlrp.BagOfWordsClassifier().fit(texts, labels).save(folder / "svm")
    textlrp.BagOfWordsClassifier().fit(texts, [3, 5, 3, 5]).save(folder / "numbers")
    return folder


@pytest.fixture
def boe(folder_of_models: Path) -> Path:
    return folder_of_models / "boe"


@pytest.fixture
def svm(folder_of_models: Path) -> Path:
    return folder_of_models / "svm"


def refused(outcome: Outcome, *fragments: str) -> None:
    """Assert that a command failed with exit code 2 and one line on standard error, without a traceback."""
    assert outcome.code == 2
    assert re.fullmatch(r"textlrp: [^\n]+[.\w]\n", outcome.err), outcome.err
    for fragment in fragments:
        assert fragment in outcome.err
    assert "Traceback" not in outcome.err


# ---- the program


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"textlrp {textlrp.__version__}\n", "")


def test_without_a_command_it_prints_the_help(run: Run) -> None:
    assert run().code == 0
    assert run().out.strip() == run("--help").out.strip()
    for command in ("demo", "train", "predict", "explain", "report"):
        assert command in run().out


@pytest.mark.parametrize("command", ["train", "predict", "explain", "report"])
def test_each_help_has_examples(command: str, run: Run) -> None:
    outcome = run(command, "--help")
    assert outcome.code == 0
    assert re.search(rf"Examples\W+textlrp {command} ", outcome.out)


def test_the_help_option_has_no_type(run: Run) -> None:
    assert "bool" not in run("explain", "--help").out
    assert "bool" not in run("--help").out


def test_help_loads_no_heavy_library() -> None:
    heavy = "torch", "spacy", "sklearn", "scipy", "pandas", "pyarrow", "numba", "nltk"
    script = (
        "import sys; from textlrp.cli import main\n"
        "main(['--help']); main(['explain', '--help']); main(['explain', 'm'])\n"
        f"sys.exit(' '.join(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines() == [
        "textlrp: there is no text to read. Pass an INPUT, '-' for standard input, or --text TEXT.",
        "",
    ]


def test_a_wrong_model_is_refused_before_anything_heavy_is_imported(svm: Path, tmp_path: Path) -> None:
    heavy = "torch", "spacy", "sklearn", "scipy", "pandas", "numba", "matplotlib"
    missing = str(tmp_path / "missing")
    commands = [
        ["filters", str(svm), "sample"],
        ["predict", missing, "--text", "good"],
        ["explain", missing, "sample"],
        ["report", missing, "sample", "-o", str(tmp_path / "page.html")],
        ["words", missing, "sample"],
        ["evaluate", missing, "sample", "-o", str(tmp_path / "out")],
    ]
    script = (
        f"import sys; from textlrp.cli import main; codes = [main(command) for command in {commands}]\n"
        f"print(codes, sorted(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{[2] * len(commands)} []\n", done.stderr


def test_it_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "textlrp", "--nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "textlrp: No such option: --nothing. See textlrp --help.\n"


@every(
    "arguments, fragment",
    [
        (["nothing"], "'nothing'"),
        (["train"], "CORPUS"),
        (["train", "some.csv"], "--output"),
        (["train", "some.csv", "-o", "m", "--model", "rnn"], "'rnn'"),
        (["train", "some.csv", "-o", "m", "--epochs", "0"], "--epochs"),
        (["train", "some.csv", "-o", "m", "--seed", "x"], "--seed"),
        (["explain", "m", "--text", "x", "--top-k", "0"], "--top-k"),
        (["explain", "m", "--txet", "x"], "--txet"),
        (["predict"], "MODEL"),
        (["report", "m", "some.csv"], "--output"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], fragment: str, run: Run) -> None:
    outcome = run(*arguments)
    refused(outcome, fragment, "--help")
    assert outcome.out == ""


@every(
    "message, expected",
    [
        ("Pass encoding='cp1252' or text='review'.", "Pass --encoding='cp1252' or --column='review'."),
        ("top_k must be at least 1; got 0.", "--top-k must be at least 1; got 0."),
        ("row 2 (t.csv): text must be a string; got 7.", "row 2 (t.csv): text must be a string; got 7."),
        ("Name another file, or pass force=True.", "Name another file, or pass --force."),
        ("start must be 'score'. Leave out start=.", "--start must be 'score'. Leave out --start."),
    ],
)
def test_messages_name_options_instead_of_parameters(message: str, expected: str) -> None:
    assert cli._with_options(message) == expected


# ---- train


@pytest.mark.parametrize("kind", ["boe", "svm"])
def test_train_prints_its_progress_and_saves_a_model(kind: str, run: Run) -> None:
    epochs = [] if kind == "svm" else ["--epochs", "1"]
    outcome = run("train", make_table(rows=ROWS * 10), "--model", kind, "-o", "m", *epochs)
    lines = outcome.out.splitlines()
    assert (outcome.code, outcome.err) == (0, "")
    assert lines[0] == "read 40 texts of 2 classes from some.csv"
    assert re.fullmatch(r"saved to m \(\d+\.\d [kM]B\)", lines[-1])
    assert any("kept out of training" in line for line in lines) is (kind == "boe")
    assert textlrp.load("m").kind == kind


def test_train_options_reach_the_model(run: Run) -> None:
    Path("vectors.txt").write_text("car 1 0 0\ndoctor 0 1 0\n")
    arguments = "--model boe --epochs 2 --seed 4 --vectors vectors.txt --skip quotes --skip footers"
    assert run("train", make_table(), "-o", "m", *arguments.split()).code == 0
    options = textlrp.load("m").get_params()
    assert (options["max_epochs"], options["random_state"], options["vectors"]) == (2, 4, "vectors.txt")
    assert tuple(options["skip"]) == ("quotes", "footers")


def test_train_skips_headers_by_default(run: Run) -> None:
    make_table()
    for arguments, skip in (([], ("headers",)), (["--skip", "none"], ())):
        assert run("train", "some.csv", "--model", "svm", "-o", "m", *arguments).code == 0
        assert tuple(textlrp.load("m").get_params()["skip"]) == skip


def test_the_same_seed_gives_the_same_model(run: Run) -> None:
    make_table()
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run("train", "some.csv", "--model", "boe", "--epochs", "1", "--seed", seed, "-o", name).code == 0
    weights = {name: Path(name, "model.safetensors").read_bytes() for name in ("a", "b", "c")}
    assert weights["a"] == weights["b"] != weights["c"]


def test_train_sample_prints_its_test_accuracy(run: Run) -> None:
    outcome = run("train", "sample", "--model", "svm", "-o", "m")
    assert outcome.code == 0
    assert re.search(r"^test accuracy: \d+\.\d ?% \(80 posts\)$", outcome.out, re.MULTILINE)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_train_on_other_encodings(encoding: str, run: Run) -> None:
    make_table(rows=[*ROWS, ("die Ärzte müssen fiebern", "med")], encoding=encoding)
    if encoding != "utf-16":  # recognized by its byte order mark
        wrong = run("train", "some.csv", "--model", "svm", "-o", "m")
        refused(wrong, "(some.csv): the text is not UTF-8", "--encoding='cp1252'")
        assert not Path("m").exists()
    assert run("train", "some.csv", "--model", "svm", "--encoding", encoding, "-o", "m").code == 0
    assert "müssen" in textlrp.load("m").vocabulary_


def test_columns_of_other_names(run: Run) -> None:
    Path("t.csv").write_text("no,review,stars,other\na,good car,1,q\nb,bad doctor,2,q\n")
    Path("u.csv").write_text("no,opinion,stars,other\na,good car,1,q\n")
    refused(run("train", "u.csv", "-o", "m"), "'text'", "--column", "'no', 'opinion', 'stars', 'other'")
    refused(run("train", "t.csv", "--text", "tekst", "-o", "m"), "no column 'tekst'", "'review'")
    refused(run("train", "t.csv", "--text", "review", "-o", "m"), "no labels", "--label")
    for option in ("--text", "--column"):
        assert run("train", "t.csv", option, "review", "--label", "stars", "--model", "svm", "-o", "m").code == 0
    for command, output in (("evaluate", "out"), ("shortcuts", "out.html")):
        outcome = run(command, "m", "t.csv", "--column", "review", "-o", output)
        refused(outcome, "t.csv has no labels", "--label")
    outcome = run("predict", "m", "t.csv", "--column", "review", "--label", "stars", "--id", "no")
    assert [line.split("\t")[:2] for line in outcome.out.splitlines()[1:]] == [["a", "1"], ["b", "2"]]
    assert re.fullmatch(r"accuracy: 100\.0 ?% \(2 of 2 labeled texts\)\n", outcome.err)


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "one class": ("t.csv", b"text,label\na car,x\nb car,x\n", "at least two classes"),
    "a label missing": ("t.csv", b"text,label\na,x\nb,\nc,y\n", "the label of document '2' is missing"),
    "no labels": ("t.csv", b"text\na\nb\n", "has no labels to train on"),
    "a label null": (
        "t.jsonl",
        b'{"text": "a", "label": 1}\n{"text": "b", "label": null}\n',
        "the label of document '2' is missing",
    ),
    "several labels": (
        "t.jsonl",
        b'{"text": "a", "label": ["x", "y"]}\n',
        "the labels must differ between texts; all texts have the same labels",
    ),
    "a text null": (
        "t.jsonl",
        b'{"text": "a", "label": 1}\n{"text": null, "label": 2}\n',
        "line 2 (t.jsonl): text is missing. Fill it in or drop the row.",
    ),
    "a text NaN": (
        "t.jsonl",
        b'{"text": "a", "label": 1}\n{"text": NaN, "label": 2}\n',
        "line 2 (t.jsonl): text is missing. Fill it in or drop the row.",
    ),
    "a text of numbers": (
        "t.jsonl",
        b'{"text": 7, "label": 1}\n',
        "line 1 (t.jsonl): text must be a string; got 7 (int)",
    ),
    "a broken line": ("t.jsonl", b'{"text": "a", "label": 1}\n{"text": "b",\n', "line 2 (t.jsonl): not valid JSON"),
    "mixed labels": ("t.jsonl", b'{"text": "a", "label": 1}\n{"text": "b", "label": "x"}\n', "the same type"),
    "a short row": ("t.csv", b"text,label\na,x\nb\n", "row 2"),
    "no words": ("t.csv", b"text,label\n ,x\n\t,y\n", "has a word to read"),
    "nothing": ("t.csv", b"", "contains no texts"),
    "not Parquet": ("t.parquet", b"PAR1 not really", "not a readable Parquet file"),
    "unknown type": ("t.xml", b"<a/>", ".csv, .tsv, .txt"),
    "not UTF-8": ("t.csv", b"text,label\na,x\n\xe9,y\n", "line 3 (t.csv): the text is not UTF-8"),
}


@every("case", BAD_FILES)
def test_a_file_that_cannot_be_trained_on(case: str, run: Run) -> None:
    name, content, fragment = BAD_FILES[case]
    Path(name).write_bytes(content)
    refused(run("train", name, "--model", "svm", "-o", "m"), fragment)
    assert [path.name for path in Path().iterdir()] == [name]
    Path(name).unlink()


def test_missing_and_empty_corpora(run: Run) -> None:
    Path("empty").mkdir()
    refused(run("train", "empty", "-o", "m"), "empty contains no texts")
    refused(run("train", "nowhere.csv", "-o", "m"), "'nowhere.csv'", "20newsgroups and sample")
    refused(run("train", "sample", "--label", "x", "-o", "m"), "the corpus 'sample' takes no options")
    refused(run("train", make_table(), "--encoding", "klingon", "-o", "m"), "encoding must be ", "got 'klingon'")


def test_options_that_do_not_fit_the_model_are_refused(run: Run) -> None:
    make_table()
    refused(run("train", "some.csv", "--model", "svm", "--epochs", "2", "-o", "m"), "svm has neither")
    refused(run("train", "some.csv", "--skip", "sigs", "-o", "m"), "'sigs'", "'headers', 'footers' and 'quotes'")
    refused(run("train", "some.csv", "--vectors", "nowhere.vec", "-o", "m"), "nowhere.vec")
    assert not Path("m").exists()


def test_a_model_is_not_saved_over_other_things(run: Run) -> None:
    make_table()
    Path("full").mkdir()
    Path("full", "letter.txt").write_text("dear")
    refused(run("train", "some.csv", "-o", "full"), "contains files that textlrp did not write")
    refused(run("train", "some.csv", "-o", "some.csv"), "'some.csv': it is a file")
    assert [path.name for path in Path("full").iterdir()] == ["letter.txt"]


# ---- predict


def test_predict_prints_a_line_per_document(boe: Path, run: Run) -> None:
    outcome = run("predict", boe, make_table())
    rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert rows[0] == ["id", "predicted", "score", "probability"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3", "4"]
    assert all(row[1] in ("auto", "med") and 0.5 <= float(row[3]) <= 1 for row in rows[1:])
    assert re.fullmatch(r"accuracy: \d+\.\d ?% \(\d of 4 labeled texts\)\n", outcome.err)


def test_predict_files_have_the_printed_values(boe: Path, svm: Path, run: Run) -> None:
    make_table()
    for model in (boe, svm):
        printed = [line.split("\t") for line in run("predict", model, "some.csv").out.splitlines()]
        for name in ("p.csv", "p.jsonl"):
            assert run("predict", model, "some.csv", "-o", name).out == f"wrote {name}\n"
        with open("p.csv", newline="") as file:
            assert list(csv.reader(file)) == printed
        lines = [json.loads(line) for line in Path("p.jsonl").read_text().splitlines()]
        assert [list(line) for line in lines] == [printed[0]] * 4
        assert [line["predicted"] for line in lines] == [row[1] for row in printed[1:]]
        assert ([line["probability"] for line in lines] == [None] * 4) is (model == svm)


def test_predict_one_text_or_standard_input(svm: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("predict", svm, "--text", "the doctor").out.splitlines()[1].startswith("text\tmed\t")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("a car\nan engine, très\n".encode("latin-1"))))
    outcome = run("predict", svm, "-", "--encoding", "latin-1")
    assert outcome.out.splitlines()[1].startswith("standard input\tauto\t")
    assert len(outcome.out.splitlines()) == 2
    assert outcome.err == ""


def test_predict_the_test_part_of_the_sample(svm: Path, run: Run) -> None:
    outcome = run("predict", svm, "sample")
    assert len(outcome.out.splitlines()) == 81
    assert outcome.err == (
        "textlrp: warning: 80 of 80 labels are not classes of the model: 'alt.atheism', 'comp.graphics', "
        "'comp.os.ms-windows.misc', 'comp.sys.ibm.pc.hardware', 'comp.sys.mac.hardware' and 15 more. "
        "Its classes are 'auto', 'med'. Documents with these labels do not count in the accuracy.\n"
    )


def test_predict_a_folder(svm: Path, run: Run) -> None:
    Path("f/auto").mkdir(parents=True)
    Path("f/auto/1.txt").write_text("a car")
    assert run("predict", svm, "f").out.splitlines()[1].startswith("auto/1.txt\tauto")


# ---- files as people have them


@pytest.mark.slow
def test_the_layout_of_a_file_is_an_option_of_each_command(run: Run) -> None:
    Path("t.csv").write_text("auto|a good car\nmed|a bad doctor\nauto|car and road\nmed|doctor and pill\n")
    layout = ("--no-header", "--columns", "label,text", "--delimiter", "|", "--max-row-length", "1000")
    trained = run("train", "t.csv", "--model", "svm", "-o", "m", "--tokenizer", "words", *layout)
    assert (trained.code, trained.err) == (0, "")
    assert textlrp.load("m").tokenizer == "words"
    for command in (
        ("predict",), ("explain",), ("explain", "-o", "e.jsonl"), ("explain", "-o", "folder", "--workers", "1"),
        ("report", "-o", "r.html"), ("words",), ("evaluate", "-o", "ev", "--measure", "words"),
    ):  # fmt: skip
        done = run(command[0], "m", "t.csv", *command[1:], *layout)
        assert (done.code, "warning" in done.err) == (0, False), command
        refused(run(command[0], "m", "t.csv", *command[1:], *layout[:-1], "5"), "line 1 (t.csv): longer than 5")
    guessed = run("predict", "m", "t.csv")
    assert guessed.code == 0
    assert "Pass --delimiter='|'" in guessed.err
    assert "Pass --columns='label,text'" in guessed.err
    refused(run("train", "t.csv", "-o", "n", "--model", "svm", "--tokenizer", "tokens"), "tokenizer must be ")


# ---- input that several commands share


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_input_and_text(command: str, run: Run, monkeypatch: pytest.MonkeyPatch, svm: Path) -> None:
    refused(run(command, svm), "there is no text to read", "Pass an INPUT")
    refused(run(command, svm, "some.csv", "--text", "x"), "must not be given together; got INPUT 'some.csv'")
    refused(run(command, svm, "nowhere.jsonl"), "'nowhere.jsonl'")
    refused(run(command, svm, make_table(), "--column", "tekst"), "no column 'tekst'", "'text', 'label'")
    for encoding, fragment in (("utf-8", "standard input is not UTF-8"), ("klingon", "got 'klingon'")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\xff")))
        refused(run(command, svm, "-", "--encoding", encoding), fragment, "--encoding=")


@pytest.mark.parametrize("command", ["predict", "explain"])
@pytest.mark.parametrize("text", ["", "   \n", "xyzzy 42", "👩‍🔬 مرحبا \x00 \udcff"])
def test_a_text_without_a_known_word_gets_a_prediction(command: str, text: str, boe: Path, run: Run) -> None:
    outcome = run(command, boe, "--text", text)
    assert (outcome.code, outcome.err) == (0, "")
    assert ("The model ignores all words" in outcome.out) is (command == "explain")


@pytest.mark.parametrize("command", ["predict", "explain", "report"])
def test_models_that_cannot_be_loaded(command: str, svm: Path, run: Run) -> None:
    rest = [make_table(), "-o", {"predict": "p.csv", "explain": "w.html", "report": "r.html"}[command]]
    Path("empty").mkdir()
    refused(run(command, "nowhere", *rest), "no model at 'nowhere'")
    refused(run(command, "empty", *rest), "is not a textlrp model")
    refused(run(command, "some.csv", *rest), "the model must be a folder")
    for name, damage, fragment in (
        ("truncated", lambda f: (f / "model.safetensors").write_bytes(b"1234"), "truncated is damaged"),
        ("halved", lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
        ("scribbled", lambda f: (f / "config.json").write_text("{"), "config.json is damaged"),
        ("newer", lambda f: (f / "config.json").write_text('{"format": 99, "kind": "cnn"}'), "Upgrade"),
        ("foreign", lambda f: (f / "config.json").write_text('{"format": 1, "kind": "rnn"}'), "'rnn'"),
    ):
        shutil.copytree(svm, name)
        damage(Path(name))
        refused(run(command, name, *rest), fragment)
    assert not Path(rest[-1]).exists()


@pytest.mark.parametrize(
    ("command", "named"),
    [("predict", ".jsonl or .csv"), ("explain", ".html or .jsonl or .parquet"), ("report", ".html")],
)
def test_places_that_cannot_be_written_to(command: str, named: str, svm: Path, run: Run) -> None:
    suffix = named.split()[0]
    make_table()
    refused(run(command, svm, "some.csv", "-o", "out.pdf"), "'out.pdf'", f" in {named}")
    refused(run(command, svm, "some.csv", "-o", f"no/out{suffix}"), "the folder 'no' does not exist")
    Path(f"out{suffix}").mkdir()
    refused(run(command, svm, "some.csv", "-o", f"out{suffix}"), "it is a folder")


def test_an_error_of_the_system_is_one_sentence(svm: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(28, "No space left on device", "out.html")

    monkeypatch.setattr("textlrp.cli.explained_files.write_report", full)
    refused(run("explain", svm, "--text", "car", "-o", "out.html"), "out.html: No space left on device")


# ---- explain and report


def test_explain_prints_the_words_of_the_predicted_class(svm: Path, run: Run) -> None:
    outcome = run("explain", svm, "--text", "The doctor drove a car, said the doctor.")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("text: predicted class med, score ")
    assert re.search(r"\+\d\.\d+ doctor ×2 +−\d\.\d+ car", outcome.out)
    assert "\x1b" not in outcome.out


def test_explain_prints_the_text_with_its_marks(svm: Path, run: Run) -> None:
    text = "The doctor drove a car.\n\n" + "\n".join(["Nothing."] * 60)
    out = run("explain", svm, "--text", text).out
    assert "Why med?" in out
    assert re.search(r"^\[[+-]*The\] \[\++doctor\] \[.drove\] .*\[-+car\]\[.*\.\]\n\n", out, re.MULTILINE)
    assert out.count("Nothing") == 60
    assert "(59 more lines; --lines all" in run("explain", svm, "--text", text, "--lines", "3").out
    assert "Nothing" not in run("explain", svm, "--text", text, "--lines", "0").out
    assert run("explain", svm, "--text", text, "--lines", "all").out == out
    narrow = run("explain", svm, "--text", "word " * 30, "--width", "30").out
    assert max(map(len, narrow.splitlines()[1:])) <= 30
    for wrong in ("some", "-1", "1.5"):
        refused(
            run("explain", svm, "--text", "car", "--lines", wrong),
            f"--lines must be a number of lines or 'all'; got '{wrong}'",
        )
    refused(run("explain", svm, "--text", "car", "--width", "3"), "--width")


def test_explain_shows_forty_lines_of_a_text_in_a_terminal() -> None:
    assert parse_lines(None, Console(force_terminal=True)) == 40
    assert parse_lines(None, Console(force_terminal=False)) is None


@every("value, light", [("15;0", False), ("0;15", True), ("0;default;15", True), ("0;7", True), ("", False)])
def test_the_background_of_a_terminal_is_read_from_its_environment(value: str, light: bool) -> None:
    assert is_light_terminal({"COLORFGBG": value}) is light
    assert not is_light_terminal({})


def test_explain_prints_a_table_per_document(svm: Path, run: Run) -> None:
    out = run("explain", svm, make_table(), "--top-k", "1").out
    assert re.findall(r"^(\d): predicted class (\w+), score .* \(✓ correct\)$", out, re.MULTILINE) == [
        ("1", "auto"), ("2", "med"), ("3", "auto"), ("4", "med"),
    ]  # fmt: skip


def test_explain_files(boe: Path, run: Run) -> None:
    make_table()
    for name in ("w.jsonl", "w.parquet"):
        assert run("explain", boe, "some.csv", "--target", "all", "-o", name) == (0, f"wrote {name}\n", "")
        whys = list(read(name))
        assert [why.document_id for why in whys] == ["1", "2", "3", "4"]
        assert {why.targets for why in whys} == {(0, 1)}
        assert {why.true_label for why in whys} == {"auto", "med"}
    assert run("explain", boe, "--text", "a <b>car</b>", "-o", "w.html").code == 0
    assert "<b>car</b>" not in Path("w.html").read_text()


def targets_of(run: Run, *arguments: object) -> list[tuple[str, ...]]:
    outcome = run("explain", *arguments, "-o", "w.jsonl")
    assert outcome.code == 0, outcome.err
    return [why.target_names for why in read("w.jsonl")]


def test_explain_targets(svm: Path, folder_of_models: Path, run: Run) -> None:
    numbers = folder_of_models / "numbers"
    assert targets_of(run, svm, "--text", "car", "--target", "med") == [("med",)]
    assert targets_of(run, svm, "--text", "car", "--target", "med", "--target", "auto") == [("med", "auto")]
    assert targets_of(run, svm, "--text", "car", "--target", "all") == [("auto", "med")]
    assert targets_of(run, svm, "--text", "car", "--target", "med", "--versus", "auto") == [("med, not auto",)]
    assert targets_of(run, numbers, "--text", "car", "--target", "5", "--versus", "3") == [("5, not 3",)]
    refused(run("explain", svm, "--text", "car", "--target", "mad"), "2 classes ('auto', 'med'); got 'mad'", "'med'")
    refused(run("explain", numbers, "--text", "car", "--target", "4"), "2 classes ('3', '5'); got '4'")
    refused(run("explain", svm, "--text", "car", "--versus", "med"), "versus must be used with a target")
    refused(run("explain", svm, "--text", "car", "--target", "mad", "-o", "x.html"), "'mad'")
    assert not Path("x.html").exists()


def test_explain_rules(boe: Path, run: Run) -> None:
    rules = {}
    for rule in ("epsilon", "zero", "arras2017"):
        assert run("explain", boe, "--text", "car", "--rule", rule, "-o", "w.jsonl").code == 0
        rules[rule] = next(read("w.jsonl")).rule
    assert len(set(rules.values())) == 3
    refused(run("explain", boe, "--text", "car", "--rule", "gama"), "'gama'", "'gamma'", "textlrp rules")
    refused(run("explain", boe, "--text", "car", "--rule", "zero", "--method", "lime"), "rules belong to LRP")
    refused(run("explain", boe, "--text", "car", "--method", "lima"), "'lima'", "'lime'")


def test_explain_by_another_method(boe: Path, run: Run) -> None:
    assert run("explain", boe, "--text", "car and pill", "--method", "occlusion", "-o", "w.jsonl").code == 0
    why = next(read("w.jsonl"))
    assert (why.method, why.rule) == ("occlusion", "Occlusion()")
    assert "car" in run("explain", boe, "--text", "car", "--method", "gradient-x-input").out


def test_rules_lists_rules_composites_and_methods(run: Run) -> None:
    out = run("rules").out
    for word in ("Gamma(0.25)", "epsilon-gamma-box", "lrp.alpha_2_beta_1_IB", "deep_taylor"):
        assert word in out
    for word in ("lime", "shap", "occlusion", "what its relevance sums to"):
        assert word in out


def test_phrases_and_filters_of_a_cnn(svm: Path, run: Run) -> None:
    out = run("explain", "20newsgroups-cnn", "--text", "the shuttle reached its orbit", "--phrases", "3").out
    assert re.search(r"\+\d+\.\d+ .*orbit +conv\d \d+", out)
    listed = run("filters", "20newsgroups-cnn", "sample", "--limit", "40", "--max-filters", "3").out
    assert len(re.findall(r"^conv\d \d+ +\S+ \+\d", listed, re.MULTILINE)) == 3
    refused(run("filters", svm, "sample"), "filters must have a model of kind cnn")


def test_a_limit_takes_evenly_spaced_texts_and_prints_how_many(svm: Path, run: Run) -> None:
    outcome = run("explain", svm, "sample", "--limit", "20", "-o", "w.jsonl")
    used = "20 of 80 texts, evenly spaced (raise --limit for more)\n"
    assert outcome.out == f"using {used}wrote w.jsonl: {used}"
    assert len({why.true_label for why in read("w.jsonl")}) == 20
    assert run("explain", svm, "sample", "--limit", "80", "-o", "w.jsonl").out == "wrote w.jsonl\n"


def test_several_texts_in_the_terminal_are_numbered_and_the_last_line_gives_the_limit(svm: Path, run: Run) -> None:
    table = make_table(rows=ROWS * 3)  # 12 texts
    shown = run("explain", svm, table, "--limit", "5", "--lines", "0").out
    assert re.findall(r"^text (\d+) of (\d+)$", shown, re.MULTILINE) == [(str(n), "5") for n in range(1, 6)]
    assert shown.splitlines()[-1] == "showed 5 of 12 texts, evenly spaced (raise --limit for more)"
    every = run("explain", svm, table, "--lines", "0").out
    assert re.findall(r"^text (\d+) of (\d+)$", every, re.MULTILINE) == [(str(n), "12") for n in range(1, 13)]
    assert "--limit" not in every
    assert "text 1 of" not in run("explain", svm, "--text", "the car").out


def test_report_lists_documents(svm: Path, run: Run) -> None:
    outcome = run("report", svm, make_table(rows=ROWS * 30), "-o", "r.html")
    used = "100 of 120 texts, evenly spaced (raise --limit for more)\n"
    assert outcome == (0, f"using {used}wrote r.html: {used}", "")
    assert Path("r.html").read_text().count('class="reading"') == 100
    assert run("report", svm, "some.csv", "--limit", "1", "-o", "r.html").code == 0
    assert Path("r.html").read_text().count('class="reading"') == 1


@pytest.mark.slow
def test_report_tells_that_no_text_has_a_label(svm: Path, run: Run) -> None:
    note = "no document has a label, so there is no accuracy. Pass --label if a column has the labels.\n"
    Path("unlabeled.csv").write_text("text\na car\na doctor\n")
    assert run("report", svm, "unlabeled.csv", "-o", "page.html").out.startswith(note)
    assert note not in run("report", svm, make_table(), "-o", "page.html").out


def test_train_warns_of_nearly_as_many_classes_as_texts(run: Run) -> None:
    swapped = make_table("swapped.csv", [(label, text) for text, label in ROWS])
    warning = f"warning: {len({text for text, _ in ROWS}):,} classes for {len(ROWS):,} texts. Check --label."
    assert warning in run("train", swapped, "--model", "svm", "-o", "m").out
    assert "Check --label" not in run("train", make_table(), "--model", "svm", "-o", "n").out


@pytest.mark.slow
def test_report_writes_a_folder_with_a_page_for_each_text(svm: Path, run: Run) -> None:
    table = make_table(rows=ROWS * 30)
    assert run("report", svm, table, "-o", "folder") == (0, "wrote folder/index.html\n", "")
    assert len(list(Path("folder/documents").iterdir())) == 120
    assert run("report", svm, table, "--limit", "5", "-o", "folder").code == 0
    assert len(list(Path("folder/documents").iterdir())) == 5
    Path("folder/mine.txt").write_text("mine")
    refused(run("report", svm, table, "-o", "folder"), "contains files that textlrp did not write ('mine.txt')")
    refused(run("report", svm, table, "-o", "no/folder"), "does not exist")
    refused(
        run("report", svm, table, "--evaluation", "no", "-o", "other"),
        "evaluation must be a folder written by 'textlrp evaluate'; got 'no', which has no results",
    )
    for place in (["other"], ["o.html", "--against-rule", "zero"]):
        refused(run("report", svm, table, "--palette", "pink", "-o", *place), "got 'pink'", "orange-purple")
    refused(run("report", svm, table, "--evaluation", "no", "--against-rule", "zero", "-o", "o.html"), "--evaluation")
    assert not Path("other").exists()


# ---- demo


def test_demo_calls_the_demo(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        "textlrp.cli.demonstration.demo", lambda path, *, seed, log, force: (log("a\nb"), called.append((path, seed)))
    )
    assert run("demo") == (0, "a b\n", "")
    assert run("demo", "-o", "x.html", "--seed", "3").code == 0
    assert called == [(Path("demo/report.html"), 0), (Path("x.html"), 3)]


def test_demo_with_an_archive_that_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTLRP_20NEWS", "nowhere.tar.gz")
    refused(run("demo"), "file not found: nowhere.tar.gz")


# ---- warnings, interruptions, pipes


def test_a_warning_is_one_line_and_not_an_error(run: Run) -> None:
    outcome = run("train", make_table(rows=[*ROWS, (" \t ", "med")]), "--model", "svm", "-o", "m")
    assert outcome.code == 0
    assert outcome.err == "textlrp: warning: 1 of 5 texts have no word to read.\n"


def test_warnings_about_libraries_are_not_shown(svm: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def warning(*_: object, **__: object) -> Iterator[Explanation]:
        for category in (DeprecationWarning, FutureWarning, RuntimeWarning):
            warnings.warn("only about libraries", category, stacklevel=1)
        return iter([])

    monkeypatch.setattr("textlrp.explainers.named.explain_corpus", warning)
    assert run("explain", svm, "--text", "car") == (0, "", "")


def interrupt(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


def test_ctrl_c_in_training_saves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NetClassifier, "_fit_words", interrupt)
    outcome = run("train", make_table(), "--model", "boe", "-o", "m")
    assert (outcome.code, outcome.err) == (130, "textlrp: stopped by Ctrl-C before anything was finished.\n")
    assert not Path("m").exists()


def write_an_old(path: Path) -> None:
    """Write a file as textlrp does, in the format that its suffix names."""
    if path.suffix == ".csv":
        path.write_text("id,predicted,score,probability\n1,old,1,\n")
    else:
        write_explanations([make_explanation("old")], path)


@pytest.mark.parametrize(
    ("command", "name"), [("predict", "o.csv"), ("explain", "o.html"), ("explain", "o.parquet"), ("report", "o.html")]
)
def test_ctrl_c_while_writing_leaves_what_was_there(
    command: str, name: str, svm: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **options: Any) -> Iterator[Any]:
        yield next(iter(whole(*arguments, **options)))
        raise KeyboardInterrupt

    home = {"predict": predictions, "explain": named, "report": corpus_report}[command]
    function = "predict" if command == "predict" else "explain_corpus"
    whole = getattr(home, function)
    monkeypatch.setattr(home, function, broken)
    make_table()
    write_an_old(Path(name))
    old = Path(name).read_bytes()
    outcome = run(command, svm, "some.csv", "-o", name)
    assert (outcome.code, outcome.err) == (130, "textlrp: stopped by Ctrl-C before anything was finished.\n")
    assert sorted(path.name for path in Path().iterdir()) == [name, "some.csv"]
    assert Path(name).read_bytes() == old


def program_with(command: str) -> list[str]:
    """A command line for a process in which ``textlrp extra`` runs a line of Python."""
    script = f"import sys; from textlrp import cli\n@cli.app.command()\ndef extra():\n    {command}\n"
    return [sys.executable, "-c", script + "sys.exit(cli.main(['extra']))"]


def test_a_closed_pipe_is_not_an_error() -> None:
    command = program_with("[print('drop') for _ in range(100000)]")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "drop\n"
        process.stdout.close()
        assert process.stderr.read() == ""


def test_characters_that_the_terminal_encoding_lacks_are_not_an_error() -> None:
    done = subprocess.run(
        program_with("from textlrp.cli.inputs import print_line; print_line(chr(233))"),
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\\xe9\n", b"")


# ---- words


def test_words_lists_each_class_with_its_words(svm: Path, run: Run) -> None:
    table = make_table(
        rows=[("the engine and the rocket", "auto"), ("a doctor, a doctor", "med"), ("an engine", "auto")]
    )
    listed = run("words", svm, table, "--top-k", "2").out
    assert "auto: 2 documents explained for this class" in listed
    assert "med: 1 document explained for this class" in listed
    row = next(line for line in listed.splitlines() if line.startswith("engine"))
    assert re.fullmatch(r"engine +\+\d\.\d+ +2 +2 +(1, 3|3, 1)", row.strip())
    assert "†" not in listed
    one = run("words", svm, table, "--target", "med", "--method", "gradient-x-input").out
    assert "med: 3 documents explained for this class" in one
    assert "auto:" not in one


def test_words_writes_lines_and_tables(svm: Path, run: Run) -> None:
    table = make_table()
    assert run("words", svm, table, "-o", "words.jsonl", "--top-k", "3").out == "wrote words.jsonl\n"
    lines = [json.loads(line) for line in Path("words.jsonl").read_text().splitlines()]
    assert [(line["class"], line["rank"]) for line in lines] == [(c, k) for c in ("auto", "med") for k in (1, 2, 3)]
    assert all(line["kind"] == "word" and line["in_training"] >= 1 and line["examples"] for line in lines)
    assert run("words", svm, table, "-o", "words.csv", "--top-k", "3").code == 0
    rows = list(csv.DictReader(io.StringIO(Path("words.csv").read_text())))
    assert tuple(rows[0]) == WORD_COLUMNS
    assert [row["word"] for row in rows] == [line["word"] for line in lines]
    assert rows[0]["examples"].split() == lines[0]["examples"]


def test_words_shows_the_phrases_of_a_cnn(run: Run) -> None:
    listed = run("words", "20newsgroups-cnn", "sample", "--limit", "20", "--top-k", "2", "--phrases", "5").out
    assert "sci.space: phrases" in listed


def test_words_reports_errors_in_one_sentence(svm: Path, run: Run) -> None:
    table = make_table()
    refused(run("words", svm, table, "-o", "words.txt"), "must end in .jsonl or .csv")
    refused(
        run("words", svm, table, "--target", "cars"),
        "--target must be one of the model's 2 classes ('auto', 'med'); got 'cars'",
    )
    refused(run("words", svm, table, "--rule", "epsilom"), "epsilon")
    refused(run("words", svm, "missing.csv"), "there is no file or folder 'missing.csv'")
    refused(run("words", svm, table, "--top-k", "0"), "--top-k")


# ---- explain into a folder


@pytest.mark.slow
def test_explain_into_a_folder_prints_a_summary(run: Run) -> None:
    outcome = run("explain", "20newsgroups-cnn", "sample", "-o", "why", "--workers", "1", "--limit", "70")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(
        r"explained 70 documents in [\d.,]+ s \([\d,]+ per second, [\d,]+ bytes per document\)\n"
        r"wrote why: 70 documents\n",
        outcome.out,
    )
    assert len(list(read("why"))) == 70
    again = run("explain", "20newsgroups-cnn", "sample", "-o", "why", "--workers", "1", "--limit", "70")
    assert again == (0, "wrote why: 70 documents\n", "")
    other = run("explain", "20newsgroups-cnn", "sample", "-o", "why", "--workers", "1", "--limit", "69")
    refused(other, "'why' contains a run with other settings: input", "Choose a new folder")


def test_explain_into_a_folder_takes_the_options_of_a_run(boe: Path, run: Run) -> None:
    make_table()
    more = "--target", "auto", "--versus", "med", "--top-k", "2", "--precision", "float32", "--rule", "gamma"
    assert run("explain", boe, "some.csv", "-o", "why/", *more).code == 0
    whys = list(read("why"))
    assert {why.rule for why in whys} == {"Gamma(gamma=0.25, stabilizer=0.0)"}
    assert [why.targets for why in whys] == [((0, 1),)] * 4
    assert max(len(why.tokens) for why in whys) == 2
    assert [why.true_label for why in whys] == [label for _, label in ROWS]
    (stored,) = (json.loads(pq.read_schema(part).metadata[b"textlrp"]) for part in Path("why").glob("*.parquet"))
    assert (stored["precision"], stored["top_k"]) == ("float32", 2)


def test_rejected_rows_are_reported(boe: Path, run: Run) -> None:
    Path("some.csv").write_text("text,label\nthe car,auto\none,two,three\nthe doctor,med\n")
    outcome = run("explain", boe, "some.csv", "-o", "why")
    assert outcome.code == 0
    assert "skipped 1 row that could not be read, listed in why/rejected.jsonl; the first: row 2 (some.csv, line" in (
        outcome.out
    )
    assert outcome.out.endswith("wrote why: 2 documents\n")


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--text", "the car", "-o", "why"], "a folder needs a corpus; got one text for the folder 'why'"),
        (["-", "-o", "why"], "a folder needs a corpus; got one text for the folder 'why'"),
        (["some.csv", "-o", "why", "--phrases", "3"], "--phrases"),
        (["some.csv", "-o", "why", "--method", "lrp,occlusion"], "--method NAME,NAME cannot be used"),
        (["some.csv", "-o", "why", "--workers", "0"], "--workers"),
        (["some.csv", "-o", "why", "--address", "here:6379"], "engine"),
        (["some.csv", "-o", "why", "--engine", "spark"], "engine"),
        (["some.csv", "-o", "why", "--precision", "float64"], "precision"),
        (["some.csv", "-o", "why", "--target", "sports"], "'sports'"),
        (["some.csv", "-o", "no/why"], "does not exist"),
        (["none.csv", "-o", "why"], "none.csv"),
        (["some.csv", "-o", "why", "--column", "post"], "'post'"),
    ],
)
def test_what_does_not_fit_a_folder_is_refused(boe: Path, run: Run, arguments: list[str], fragment: str) -> None:
    make_table()
    outcome = run("explain", boe, *arguments)
    refused(outcome, fragment)
    assert outcome.out == ""
    assert not Path("why").exists()


# ---- what propagation starts from


def test_explain_takes_a_start_and_prints_notes(svm: Path, run: Run) -> None:
    command = ("explain", svm, "--text", "the doctor gave me an engine", "--target", "auto", "--target", "med")
    by_score = run(*command, "--rule", "alpha1beta0", "--start", "score")
    assert by_score.code == 0
    assert by_score.out.count("with this rule, blue (opposes the class) marks words that raise it") == 1
    assert "note:" not in run(*command).out
    assert "made for pixels" in run(*command, "--rule", "flat").out
    outcome = run(*command, "--start", "middle")
    assert (outcome.code, outcome.out) == (2, "")
    assert "'--start'" in outcome.err
    refused(run(*command, "--start", "centered", "--method", "occlusion"), "--start must be 'score' with --method=")


@pytest.mark.slow
def test_every_command_that_explains_takes_a_start(svm: Path, run: Run) -> None:
    table, options = make_table(), ("--rule", "alpha1beta0", "--start", "score")
    assert run("explain", svm, table, *options, "-o", "out.jsonl").code == 0
    assert {why.start for why in read("out.jsonl")} == {"score"}
    assert run("explain", svm, table, "--rule", "alpha1beta0", "-o", "default.parquet").code == 0
    assert {why.start for why in read("default.parquet")} == {"centered"}
    assert run("explain", svm, table, *options, "-o", "folder", "--workers", "1").code == 0
    why = next(read("folder"))
    assert why.start == "score"
    assert "words with negative relevance raise the score" in why.notes[0]
    assert run("words", svm, table, *options, "-o", "words.csv").code == 0
    assert run("report", svm, table, *options, "-o", "report.html").code == 0
    assert run("report", svm, table, *options, "--against-rule", "zero", "-o", "compare.html").code == 0
    assert run("explain", svm, table, "--rules", "zero,z-plus", "--start", "centered", "-o", "gallery.html").code == 0
    assert "score minus the mean over classes (centered)" in Path("gallery.html").read_text(encoding="utf-8")


def test_rules_lists_starts_and_what_was_made_for_pixels(run: Run) -> None:
    lines = {line.split()[0]: line for line in run("rules").out.splitlines() if line.strip()}
    assert "centered" in lines["alpha1-beta0"]
    assert " score " in lines["epsilon"]
    assert lines["flat"].rstrip().endswith("*")
