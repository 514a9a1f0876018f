"""``textlrp render``: pages of stored explanations are those that the explanations themselves give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cases import every
from test_cli import Run, refused, run  # noqa: F401  fixture
from toys import LABELS, TEXTS, fitted

import textlrp
from textlrp import store
from textlrp.explanation import Explanation
from textlrp.records import TEXTS_LEFT_OUT


@pytest.fixture(scope="module")
def whys() -> list[Explanation]:
    documents = [
        textlrp.Document(f"d{n}", text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))
    ]
    return list(textlrp.explain(fitted("boe"), documents[:3]))


@pytest.fixture(autouse=True)
def _in_a_folder_with_stored_explanations(
    whys: list[Explanation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store.write(whys, "whys.parquet")
    store.write(whys, "whys.jsonl")
    store.write(whys[:1], "one.jsonl")


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@every("stored", ["whys.parquet", "whys.jsonl"])
def test_a_page_and_a_folder_are_those_of_the_explanations(stored: str, whys: list[Explanation], run: Run) -> None:  # noqa: F811
    assert run("render", stored, "-o", "page.html").out == "wrote page.html\n"
    textlrp.write_report(whys, "expected.html", title=stored)
    assert Path("page.html").read_bytes() == Path("expected.html").read_bytes()
    assert run("render", stored, "-o", "pages").out == "wrote pages/index.html\n"
    textlrp.write_report(whys, "expected", title=stored)
    assert files_of(Path("pages")) == files_of(Path("expected"))
    assert "documents/00003.html" in files_of(Path("pages"))


def test_a_single_explanation_becomes_the_page_of_its_document(whys: list[Explanation], run: Run) -> None:  # noqa: F811
    assert run("render", "one.jsonl", "-o", "one.html", "--palette", "orange-purple").code == 0
    textlrp.write_report(whys[0], "expected.html", palette="orange-purple")
    assert Path("one.html").read_bytes() == Path("expected.html").read_bytes()


def test_the_limit_is_stated_if_there_is_more(whys: list[Explanation], run: Run) -> None:  # noqa: F811
    outcome = run("render", "whys.jsonl", "-o", "page.html", "--limit", "2")
    assert outcome.out == "wrote page.html: the first 2 of the stored explanations (raise --limit for more)\n"
    textlrp.write_report(whys[:2], "expected.html", title="whys.jsonl")
    assert Path("page.html").read_bytes() == Path("expected.html").read_bytes()
    assert run("render", "whys.jsonl", "-o", "page.html", "--limit", "3").out == "wrote page.html\n"
    run("render", "whys.jsonl", "-o", "pages", "--limit", "2")
    assert len(list(Path("pages/documents").iterdir())) == 2


def test_the_texts_are_left_out(whys: list[Explanation], run: Run) -> None:  # noqa: F811
    assert run("render", "whys.jsonl", "-o", "page.html", "--no-texts").code == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.count(TEXTS_LEFT_OUT) == 1
    textlrp.write_report(whys, "expected.html", title="whys.jsonl", texts=False)
    assert page == Path("expected.html").read_text(encoding="utf-8")


def test_bad_input_is_refused_and_nothing_is_written(run: Run) -> None:  # noqa: F811
    Path("empty.jsonl").touch()
    Path("other.jsonl").write_text("{}\n")
    Path("damaged.parquet").write_bytes(Path("whys.parquet").read_bytes()[:1000])
    Path("mine.html").write_text("mine")
    Path("bulk").mkdir()
    Path("bulk/part-00000.parquet").write_bytes(Path("whys.parquet").read_bytes())
    before = files_of(Path())
    for output in ("page.html", "pages"):
        refused(run("render", "missing.jsonl", "-o", output), "no explanations found")
        refused(run("render", "mine.html", "-o", output), ".jsonl or .parquet")
        refused(run("render", "empty.jsonl", "-o", output), "has no explanations")
        refused(run("render", "other.jsonl", "-o", output), "'other.jsonl', line 1")
        refused(run("render", "damaged.parquet", "-o", output), "damaged")
        refused(run("render", "whys.jsonl", "-o", output, "--palette", "pink"), "--palette must be one of")
        refused(run("render", "bulk", "-o", f"bulk/{output}"), "must not be in a folder that is an input")
    refused(run("render", "whys.jsonl", "-o", "mine.html"), "mine.html")
    refused(run("render", "whys.jsonl", "-o", "page.txt"), "end the name in .html")
    assert files_of(Path()) == before


def test_the_command_needs_no_torch() -> None:
    code = (
        "import sys; from textlrp.cli import main; assert main(['render', 'whys.parquet', '-o', 'page.html']) == 0; "
        "assert not {'torch', 'sklearn', 'scipy'} & sys.modules.keys(), sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
