"""Outputs of commands never replace the user's files: every command that writes, with every kind of output."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import stat
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest
from explanations import make_explanation

import textlrp
from textlrp import cli
from textlrp.cli import demonstration as showing
from textlrp.files.written_folder import MARKER
from textlrp.models.model_folder import CONFIG, TENSORS
from textlrp.store import write
from textlrp.text.corpora import load_corpus

TEXTS = [
    ("the car has a loud engine", "auto"),
    ("the doctor gave me a pill", "med"),
    ("an old engine in a new car", "auto"),
    ("ask a doctor about the fever", "med"),
]


class Command(NamedTuple):
    """A command line with MODEL, OTHER and CORPUS in it, and the name of its output."""

    words: str
    output: str

    def line(self, places: dict[str, Path], output: str | Path, *more: str) -> list[str]:
        words = [str(places.get(word, word)) for word in self.words.split()]
        return [*words, "-o", str(output), *more]

    @property
    def is_folder(self) -> bool:
        return "." not in self.output

    @property
    def family(self) -> str:
        """The kind of output. An output may replace another of the same family, and all pages are one family."""
        command, _, format = self.words.partition(" --format ")
        return "page" if self.output.endswith(".html") else f"{command.split()[0]} {format} {self.output}"


COMMANDS = {
    "predict-csv": Command("predict MODEL CORPUS", "out.csv"),
    "predict-jsonl": Command("predict MODEL CORPUS", "out.jsonl"),
    "words-csv": Command("words MODEL CORPUS", "out.csv"),
    "words-jsonl": Command("words MODEL CORPUS", "out.jsonl"),
    "explain-html": Command("explain MODEL CORPUS", "out.html"),
    "explain-jsonl": Command("explain MODEL CORPUS", "out.jsonl"),
    "explain-parquet": Command("explain MODEL CORPUS", "out.parquet"),
    "explain-folder": Command("explain MODEL CORPUS --workers 1", "out"),
    "label-studio": Command("explain MODEL CORPUS --format label-studio", "out.json"),
    "argilla": Command("explain MODEL CORPUS --format argilla", "out.json"),
    "prodigy": Command("explain MODEL CORPUS --format prodigy", "out.jsonl"),
    "doccano": Command("explain MODEL CORPUS --format doccano", "out.jsonl"),
    "conll": Command("explain MODEL CORPUS --format conll", "out.conllup"),
    "words-csv-format": Command("explain MODEL CORPUS --format words-csv", "out.csv"),
    "gallery": Command("explain MODEL CORPUS --rules zero,epsilon --limit 2", "out.html"),
    "report-html": Command("report MODEL CORPUS", "out.html"),
    "report-folder": Command("report MODEL CORPUS", "out"),
    "comparison": Command("report MODEL CORPUS --against OTHER", "out.html"),
    "evaluate": Command("evaluate MODEL CORPUS --measure ledger --method lrp --min-words 1 --steps 1", "out"),
    "similar-html": Command("similar MODEL CORPUS --text car", "out.html"),
    "similar-jsonl": Command("similar MODEL CORPUS --text car", "out.jsonl"),
    "train": Command("train CORPUS --model svm", "out"),
    "demo": Command("demo", "out.html"),
}
"""Every command that writes, with every kind of file and folder."""

every_command = pytest.mark.parametrize("name", COMMANDS)


def write_table(path: Path) -> None:
    if path.suffix == ".csv":
        path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in TEXTS))
    else:
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in TEXTS))


@pytest.fixture(autouse=True, scope="module")
def _command_line_is_built_once() -> Iterator[None]:
    """Building the command line takes ten times as long as an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "get_command", cache(cli.get_command))
        yield


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts, labels = zip(*TEXTS, strict=True)
    return textlrp.BagOfWordsClassifier().fit(texts, labels).save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def tiny_demo(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The demo with a linear model, on texts that are long enough for it."""
    table = tmp_path_factory.mktemp("demo") / "long.jsonl"
    table.write_text(
        "".join(json.dumps({"text": f"{text}. " * 30, "label": label}) + "\n" for text, label in TEXTS * 2)
    )
    long = load_corpus(table)
    monkeypatch.delenv("TEXTLRP_20NEWS", raising=False)
    monkeypatch.setattr(
        showing, "_demo_parts", lambda seed, log: (long, long, textlrp.BagOfWordsClassifier(), "posts")
    )


@pytest.fixture
def places(tmp_path: Path, saved_model: Path, tiny_demo: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A model, a copy of it, and a corpus, in an otherwise empty current folder."""
    monkeypatch.chdir(tmp_path)
    return furnished(saved_model)


def furnished(saved_model: Path) -> dict[str, Path]:
    for name in ("model", "other"):
        shutil.copytree(saved_model, name)
    write_table(Path("in.csv"))
    return {"MODEL": Path("model"), "OTHER": Path("other"), "CORPUS": Path("in.csv")}


def run(line: list[str]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cli.main(line)


def refused(line: list[str], fragment: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(line) == 2, line
    error = capsys.readouterr().err
    assert error.startswith("textlrp: "), error
    assert error.count("\n") == 1, error
    assert fragment in error


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the content of all regular files below a folder, without following links."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if stat.S_ISREG(path.lstat().st_mode)
    }


# ---- the user's files


@every_command
def test_a_file_of_the_user_is_an_error_and_with_force_moved_to_a_backup(
    name: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = COMMANDS[name]
    output, mine = Path(command.output), b"years of work"
    place = output / "documents" / "00001.html" if command.is_folder else output
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(mine)
    refused(command.line(places, output), "pass --force", capsys)
    assert place.read_bytes() == mine
    assert run(command.line(places, output, "--force")) == 0
    backup = Path(f"{command.output}.bak1")
    assert (backup / "documents" / "00001.html" if command.is_folder else backup).read_bytes() == mine
    assert output.exists()
    assert not list(Path().glob(".textlrp-*"))
    # an output of textlrp is replaced or continued, keeping its mode, also through a link
    output.chmod(0o700 if command.is_folder else 0o600)
    Path("link" + output.suffix).symlink_to(output)
    assert run(command.line(places, "link" + output.suffix)) == 0
    assert stat.S_IMODE(output.stat().st_mode) == (0o700 if command.is_folder else 0o600)
    assert Path("link" + output.suffix).is_symlink()
    assert len(list(Path().glob("*.bak*"))) == 1
    output.chmod(0o555 if command.is_folder else 0o444)
    refused(command.line(places, output), "read-only", capsys)
    output.chmod(0o700)


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.is_folder])
def test_a_file_that_was_added_to_a_folder_is_not_lost(
    name: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = COMMANDS[name]
    assert run(command.line(places, "out")) == 0
    for added in (Path("out", "documents", "mine.txt"), Path("out", "mine.txt")):
        added.parent.mkdir(exist_ok=True)
        added.write_text("mine")
        if name in ("train", "report-folder"):
            refused(command.line(places, "out"), "contains files that textlrp did not write", capsys)
        else:
            assert run(command.line(places, "out")) == 0  # the run continues and does not touch other files
        assert added.read_text() == "mine"
    for other in ("train", "report-folder", "evaluate", "explain-folder"):
        if other != name:
            refused(COMMANDS[other].line(places, "out"), "pass --force", capsys)


def test_what_is_written_into_an_evaluation_is_checked_too(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = COMMANDS["evaluate"]
    assert run(command.line(places, "out")) == 0
    for name in ("index.html", "results.json"):
        ours = Path("out", name).read_bytes()
        Path("out", name).write_text('{"model": "mine"}')
        refused(command.line(places, "out"), name, capsys)
        Path("out", name).write_bytes(ours)


# ---- inputs


@pytest.mark.parametrize("how", ["itself", "link", "hard link", "model", "folder above"])
def test_an_output_is_never_an_input(
    how: str, saved_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, command in COMMANDS.items():
        if command.words == "demo":  # it reads no file
            continue
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        places = furnished(saved_model)
        output = output_onto_an_input(how, command, places)
        before = files_in(Path())
        for more in ((), ("--force",)):
            refused(command.line(places, output, *more), "the output must not", capsys)
        assert files_in(Path()) == before


def output_onto_an_input(how: str, command: Command, places: dict[str, Path]) -> Path:
    """Return a path for the output that leads to the corpus or the model. The corpus is moved to a deeper folder."""
    suffix = Path(command.output).suffix
    table = places["CORPUS"] = Path("data", "deep", f"in{suffix if suffix == '.jsonl' else '.csv'}")
    table.parent.mkdir(parents=True)
    write_table(table)
    output = Path("output" + suffix)
    if how == "model" and "MODEL" in command.words:
        output.symlink_to(places["MODEL"] if command.is_folder else places["MODEL"] / CONFIG)
    elif command.is_folder and how == "link":
        output.symlink_to(table.parent)
    elif command.is_folder:
        return table.parent if how == "itself" else Path("data")
    elif how == "hard link":
        os.link(table, output)
    elif how == "link" or table.suffix != suffix:
        output.symlink_to(table)
    else:
        return table if how == "itself" else Path("data", "deep", "..", "deep", table.name)
    return output


def test_an_output_is_not_put_into_a_corpus(places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    places["CORPUS"] = Path("texts")
    for number, (text, label) in enumerate(TEXTS):
        Path("texts", label).mkdir(parents=True, exist_ok=True)
        Path("texts", label, f"{number}.txt").write_text(text)
    for command in COMMANDS.values():
        if command.words != "demo":
            line = command.line(places, Path("texts", command.output), "--force")
            refused(line, "the output must not be in a folder that is an input", capsys)


def test_an_evaluation_and_rationales_and_vectors_are_inputs_too(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(COMMANDS["evaluate"].line(places, "evaluation")) == 0
    before = files_in(Path())
    report = ["report", "model", "in.csv", "--evaluation", "evaluation", "--force", "-o"]
    refused([*report, "evaluation"], "the output must not contain an input", capsys)
    Path("deep").mkdir()
    Path("deep", "marked.jsonl").write_text('{"text": "a car", "words": ["car"]}\n')
    Path("deep", "vectors.txt").write_text("car 1 2\ndoctor 2 1\n")
    evaluate = ["evaluate", "model", "in.csv", "--rationales", "deep/marked.jsonl", "--force", "-o"]
    refused([*evaluate, "deep"], "the output must not contain an input", capsys)
    train = ["train", "in.csv", "--model", "boe", "--vectors", "deep/vectors.txt", "--force", "-o"]
    refused([*train, "deep"], "the output must not contain an input", capsys)
    refused([*evaluate, "other", "--against", "other"], "the output must not contain an input", capsys)
    assert before.items() <= files_in(Path()).items()


# ---- what is not a regular file


def put(kind: str, path: Path) -> None:
    """Create a pipe, a socket or a link to a device at a path."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_an_output_that_is_no_file_is_refused(
    kind: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for output in {command.output for command in COMMANDS.values()}:
        put(kind, Path(output))
    for command in COMMANDS.values():
        for more in ((), ("--force",)):
            refused(command.line(places, command.output, *more), f"a {kind}", capsys)


INPUTS = (
    "predict model AT.csv",
    "predict model AT.parquet",
    "train AT.csv --model svm -o out",
    "explain model AT.jsonl --workers 1 -o out",
    "predict AT in.csv",
    "evaluate model in.csv --against AT -o out",
    "train in.csv --model boe --vectors AT.txt -o out",
    "evaluate model in.csv --rationales AT.jsonl -o out",
    "filters model AT.csv",
)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_an_input_that_is_no_file_is_refused(
    kind: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for line in INPUTS:
        words = [word.replace("AT", "at") for word in line.split()]
        place = Path(next(word for word in words if word.startswith("at")))
        put(kind, place)
        refused(words, f"a {kind}", capsys)
        place.unlink()
    assert not Path("out").exists()


def test_a_model_folder_with_a_pipe_in_it_is_refused(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (CONFIG, TENSORS):
        shutil.rmtree("other")
        shutil.copytree("model", "other")
        Path("other", name).unlink()
        os.mkfifo(Path("other", name))
        refused(["predict", "other", "in.csv"], "a pipe", capsys)


def test_a_pipe_as_20_newsgroups_is_refused(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo("news.tar.gz")
    monkeypatch.setenv("TEXTLRP_20NEWS", "news.tar.gz")
    refused(["predict", "model", "20newsgroups"], "a pipe", capsys)
    refused(["demo", "-o", "out.html"], "a pipe", capsys)


# ---- names


@pytest.mark.parametrize("bad", ["n" * 300, "\ud800", "\0", "no/such/folder/out"])
def test_a_name_that_no_file_can_have_is_refused(
    bad: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for command in COMMANDS.values():
        if not bad.startswith("no") or command.words.split()[0] not in ("train", "evaluate", "demo"):
            refused(command.line(places, bad + Path(command.output).suffix), "", capsys)


@pytest.mark.slow
def test_an_input_by_a_name_that_no_file_can_have_is_refused(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for bad in ("n" * 300, "\ud800", "\0", "~nobody-of-that-name"):
        for line in INPUTS:
            refused([word.replace("AT", bad) for word in line.split()], "", capsys)


@pytest.mark.slow
def test_names_that_are_not_unicode_are_read_and_written(places: dict[str, Path]) -> None:
    odd = os.fsdecode(b"caf\xe9")
    write_table(Path(f"{odd}.csv"))
    places["CORPUS"] = Path(f"{odd}.csv")
    for number, command in enumerate(COMMANDS.values()):
        assert run(command.line(places, f"{odd}-{number}{Path(command.output).suffix}")) == 0
    Path("texts", odd).mkdir(parents=True)
    for number, (text, _) in enumerate(TEXTS):
        Path("texts", odd, f"{odd}-{number}").write_text(text)
    places["CORPUS"] = Path("texts")
    for number, command in enumerate(COMMANDS.values()):
        if not command.words.startswith(("train", "evaluate")):
            assert run(command.line(places, f"{number}{Path(command.output).suffix}")) == 0


# ---- functions


def test_functions_have_force_too(tmp_path: Path) -> None:
    why, page, stored = make_explanation("a car"), tmp_path / "page.html", tmp_path / "stored.jsonl"
    for path in (page, stored):
        path.write_text("mine")
    with pytest.raises(textlrp.TextlrpError, match="exists and is not a page"):
        why.to_html(page)
    with pytest.raises(textlrp.TextlrpError, match="exists and is not a file of explanations"):
        write([why], stored)
    with pytest.warns(UserWarning, match="moved .*page.html' to '.*page.html.bak1'"):
        why.to_html(page, force=True)
    with pytest.warns(UserWarning, match="stored.jsonl.bak1"):
        write([why], stored, force=True)
    why.to_html(page, fragment=True)
    textlrp.write_report([why], page)
    page.write_text("mine again")
    with pytest.warns(UserWarning, match="page.html.bak2"):
        textlrp.write_report(why, page, force=True)
    assert [path.read_text() for path in sorted(tmp_path.glob("*.bak*"))] == ["mine", "mine again", "mine"]


def test_a_file_that_appears_in_the_meantime_is_moved_to_a_backup(tmp_path: Path) -> None:
    def meanwhile() -> Iterator[textlrp.Explanation]:
        yield make_explanation("a car")
        (tmp_path / "out.jsonl").write_text("mine")

    with pytest.warns(UserWarning, match="out.jsonl.bak1"):
        write(meanwhile(), tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl.bak1").read_text() == "mine"


@pytest.mark.slow
def test_outputs_of_the_version_before_are_recognized(places: dict[str, Path]) -> None:
    """These folders have no marker file, and their pages no generator tag."""
    for name in ("report-folder", "evaluate"):
        assert run(COMMANDS[name].line(places, "out")) == 0
        Path("out", MARKER).unlink()
        for page in Path("out").rglob("*.html"):
            page.write_text(page.read_text().replace('<meta name="generator" content="textlrp">\n', ""))
        assert run(COMMANDS[name].line(places, "out")) == 0
        assert not list(Path().glob("*.bak*"))
        shutil.rmtree("out")


# ---- random arrangements


class Arrangement:
    """Random files, folders, links and pipes, and one command that writes among them."""

    def __init__(self, root: Path, draw: random.Random, saved_model: Path) -> None:
        self.root, self.draw, self.saved_model = root, draw, saved_model
        self.name = draw.choice(list(COMMANDS))
        self.command = COMMANDS[self.name]
        self.ours: set[str] = set()  # outputs of earlier commands, which textlrp may replace
        self.force = draw.random() < 0.4
        self.made: dict[str, str] = {}
        root.mkdir()
        for folder in ("data", "data/deep", "results"):
            (root / folder).mkdir()
        self.places = {"MODEL": self.model("model"), "OTHER": self.model("other"), "CORPUS": self.corpus()}
        for _ in range(draw.randrange(4)):
            self.clutter(root / draw.choice(["", "data", "data/deep", "results"]) / draw.choice(NAMES))
        self.output = self.drawn_output()

    def line(self) -> list[str]:
        line = self.command.line(self.places, self.output, *(["--force"] if self.force else []))
        if self.places["CORPUS"].name.startswith("predicted"):
            line += ["--column", "predicted"]
        if self.name == "report-html" and (self.root / "results" / "results.json").exists():
            line += ["--evaluation", str(self.root / "results")]
        return line

    def model(self, name: str) -> Path:
        place = self.root / name
        shutil.copytree(self.saved_model, place)
        if self.draw.random() < 0.15:
            link = self.root / "data" / f"link-to-{name}"
            link.symlink_to(place)
            return link
        if self.draw.random() < 0.04:
            (place / CONFIG).unlink()
            os.mkfifo(place / CONFIG)
        return place

    def corpus(self) -> Path:
        kind = self.draw.choice(["csv", "csv", "jsonl", "predicted", "explained", "parquet", "folder", "link", "odd"])
        folder = self.root / self.draw.choice(["", "data", "data/deep", "results"])
        if kind == "folder":
            for number, (text, label) in enumerate(TEXTS):
                (folder / "texts" / label).mkdir(parents=True, exist_ok=True)
                (folder / "texts" / label / f"{number}.txt").write_text(text)
            return folder / self.draw.choice(["texts", "texts", "."])
        if kind in ("explained", "parquet"):
            path = folder / ("explained.jsonl" if kind == "explained" else "in.parquet")
            write((make_explanation(text, true_label=label) for text, label in TEXTS), path)
        elif kind == "predicted":
            path = folder / "predicted.csv"
            path.write_text("id,predicted,score,probability\n1,a car,1,\n2,a doctor,1,\n")
        else:
            path = folder / ("in.jsonl" if kind == "jsonl" else "in.csv")
            write_table(path)
        if kind == "odd":
            path.unlink()
            put(self.draw.choice(["pipe", "socket", "device"]), path)
        elif kind == "link":
            link = self.root / "linked.csv"
            link.symlink_to(path)
            path = link
        if self.draw.random() < 0.3 and kind != "odd":
            path.chmod(self.draw.choice([0o600, 0o444, 0o640]))
        return path

    def clutter(self, path: Path) -> None:
        """Create a file of the user with a name that textlrp uses."""
        if os.path.lexists(path) or path.parent.is_file():
            return
        path.parent.mkdir(exist_ok=True)
        text = {".json": '{"format": 1, "kind": "svm"}', ".csv": "text,label\nmine,mine\n"}.get(path.suffix, "mine")
        path.write_text(f"{text} {self.draw.random()}")
        path.chmod(self.draw.choice([0o644, 0o644, 0o600, 0o444]))

    def drawn_output(self) -> Path:
        suffix, root, corpus_place = Path(self.command.output).suffix, self.root, self.places["CORPUS"]
        folder = root / self.draw.choice(["", "data", "data/deep", "results"])
        new = folder / f"out{suffix}"
        situation = self.draw.choice(SITUATIONS)
        if situation == "an input":
            return self.draw.choice([corpus_place, self.places["MODEL"], self.places["MODEL"] / CONFIG])
        if situation == "above":
            return self.draw.choice([root, root / "data", corpus_place.parent, self.places["MODEL"].parent])
        if situation == "in the corpus":
            return (corpus_place if corpus_place.is_dir() else corpus_place.parent) / f"out{suffix}"
        if situation == "the user's" and (
            mine := [each for each in sorted(root.rglob("*")) if each.suffix == suffix]
        ):
            return self.draw.choice(mine)
        if situation in ("link", "hard link") and not os.path.lexists(new):
            targets = [each for each in sorted(root.rglob("*")) if each.is_dir() == (suffix == "") and each.exists()]
            target = self.draw.choice([*targets, root / "nowhere"])
            if situation == "link" or not target.is_file():
                new.symlink_to(target)
            else:
                os.link(target, new)
        elif situation in ("pipe", "socket", "device") and not os.path.lexists(new):
            put(situation, new)
        elif situation in ("ours", "ours and more", "ours, of another command"):
            self.write_before(new, another=situation.endswith("command"))
            if situation == "ours and more" and new.is_dir():
                self.clutter(new / self.draw.choice(NAMES))
                self.clutter(new / "documents" / "mine.txt")
            elif new.is_file():
                new.chmod(self.draw.choice([0o644, 0o600, 0o444]))
        elif situation == "odd name":
            return folder / (
                self.draw.choice(["n" * 300, "\ud800", os.fsdecode(b"\xe9"), "a\nb", "no/such"]) + suffix
            )
        return new

    def write_before(self, new: Path, *, another: bool) -> None:
        """Write the output of an earlier command, the same one or any."""
        command = self.draw.choice(list(COMMANDS.values())) if another else self.command
        if os.path.lexists(new) or (another and command.is_folder != self.command.is_folder):
            return
        table = self.root.with_name(f"{self.root.name}-before.csv")
        write_table(table)
        written = new.with_name(f"before{Path(command.output).suffix}")
        line = command.line({"MODEL": self.saved_model, "OTHER": self.saved_model, "CORPUS": table}, written)
        assert run(line) == 0
        written.rename(new)
        inside = {each for each in new.rglob("*") if each.is_file()} if new.is_dir() else {new}
        if command.family == self.command.family:
            self.ours |= {each.relative_to(self.root).as_posix() for each in inside}

    def snapshot(self) -> tuple[dict[str, bytes], Counter[bytes], Counter[str]]:
        """Return the files by path, the number of files with each content, and the targets of links."""
        found = files_in(self.root)
        contents = Counter(hashlib.sha256(content).digest() for content in found.values())
        links = Counter(os.readlink(path) for path in self.root.rglob("*") if path.is_symlink())
        return found, contents, links


NAMES = [
    "out.csv", "out.jsonl", "out.html", "out.parquet", "out", "out/mine.txt", "out/index.html", "out/documents",
    "out/config.json", "out/model.safetensors", "out/run.json", "results.json", "index.html", "config.json",
    "out.html.bak1", "page.html", ".textlrp.json",
]  # fmt: skip

SITUATIONS = [
    "new", "an input", "above", "in the corpus", "the user's", "the user's", "link", "link", "hard link", "hard link",
    "pipe", "socket", "device", "ours", "ours", "ours and more", "ours, of another command", "odd name",
]  # fmt: skip

ODD_NAMES = ["n" * 300, "\ud800", os.fsdecode(b"\xe9"), "a\nb", "no/such"]

ARRANGEMENTS = 300


class TooLongError(BaseException):
    """An exception that no command catches."""


def too_long(signal_number: int, frame: FrameType | None) -> None:
    raise TooLongError


@pytest.mark.slow
def test_no_arrangement_of_files_loses_one(
    saved_model: Path, tiny_demo: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("textlrp.bulk.run.cores", lambda: 1)
    usual = signal.signal(signal.SIGALRM, too_long)
    found: Counter[str] = Counter()
    wrong: list[str] = []
    try:
        for number in range(ARRANGEMENTS):
            arrangement = Arrangement(tmp_path / str(number), random.Random(number), saved_model)
            failure = check_arrangement(arrangement, found)
            if failure:
                wrong.append(f"{number}: {arrangement.line()}: {failure}")
            shutil.rmtree(arrangement.root)
            capsys.readouterr()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, usual)
    with capsys.disabled():
        print(
            f"\n{ARRANGEMENTS} arrangements: {found['loss']} losses, {found['traceback']} tracebacks, "
            f"{found['hang']} hangs, {found['refused']} refused, {found['written']} written"
        )
    assert not wrong, "\n".join(wrong)
    assert found["written"] > 50
    assert found["refused"] > 100


def check_arrangement(arrangement: Arrangement, found: Counter[str]) -> str:
    """Return what went wrong with an arrangement, or an empty string."""
    files, _, links = arrangement.snapshot()
    signal.alarm(30)
    try:
        code = run(arrangement.line())
    except TooLongError:
        found["hang"] += 1
        return "the command hangs"
    except Exception as problem:  # noqa: BLE001  every exception is a failure
        found["traceback"] += 1
        return f"{type(problem).__name__}: {problem}"
    finally:
        signal.alarm(0)
    found["written" if code == 0 else "refused"] += 1
    after, contents_after, links_after = arrangement.snapshot()
    lost = [
        path
        for path, content in files.items()
        if path not in arrangement.ours and contents_after[hashlib.sha256(content).digest()] == 0
    ]
    inputs = [place for name, place in arrangement.places.items() if name in arrangement.command.words.split()]
    for path, content in files.items():
        if any((arrangement.root / path) == place or place in (arrangement.root / path).parents for place in inputs):
            lost += [] if after.get(path) == content else [f"the input {path}"]
    if links - links_after:
        lost.append(f"links to {list(links - links_after)}")
    if code != 0 and after != files:
        lost.append("an error, but files changed")
    if code not in (0, 2):
        lost.append(f"exit code {code}")
    if lost:
        found["loss"] += 1
    return ", ".join(lost)
