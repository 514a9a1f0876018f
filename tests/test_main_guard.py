"""Worker processes from scripts with and without a main guard, modules, ``python -c``, standard input and cells."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from cases import every
from toys import LABELS, TEXTS, small

from textlrp import machine as processes

ROOT = Path(__file__).parents[1]
HELPERS = ROOT / "tests" / "helpers"
LINE = '`if __name__ == "__main__":`'

ASK = """
from textlrp.machine import usable_workers

def work():
    print(usable_workers(2))
"""
REPORT = """
from explanations import make_explanation
from textlrp.reports.corpus.report_files import write_report

def work():
    write_report((make_explanation("one two", seed=n) for n in range(140)), "out", workers=2)
    print(len(list(__import__("pathlib").Path("out", "documents").iterdir())))
"""
BULK = """
from pathlib import Path
from textlrp.bulk import WorkerOptions, explain_to_folder, file_source
from textlrp.text.readers import Columns

def work():
    explain_to_folder("model", file_source(Path("texts.csv"), Columns()), "out", workers=WorkerOptions(workers=2))
    print(Path("out").is_dir())
"""
CALLS = {
    "unguarded": ("work()", True),
    "in a function": ("def go():\n    for _ in range(1):\n        work()\ngo()", True),
    "unguarded thread": ("import threading\nt = threading.Thread(target=work)\nt.start()\nt.join()", True),
    "under another if": ('if __name__ != "__main__":\n    pass\nelse:\n    work()', True),
    "guarded": ('if __name__ == "__main__":\n    work()', False),
    "guarded the other way around": ('if "__main__" == __name__ and True:\n    work()', False),
    "guarded in a function": ('def go():\n    if __name__ == "__main__":\n        work()\ngo()', False),
    "guarded thread": (
        'import threading as th\nif __name__ == "__main__":\n    t = th.Thread(target=work)\n    t.start(); t.join()',
        False,
    ),
}


def ran(folder: Path, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    paths = [str(folder), str(HELPERS), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        input=given,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def check(found: subprocess.CompletedProcess[str], *, prints: object, warns: str = "") -> None:
    assert (found.returncode, found.stdout) == (0, f"{prints}\n"), found.stderr
    assert found.stderr.count(warns or "Warning") == bool(warns), found.stderr
    assert found.stderr.count("UserWarning") == bool(warns)
    assert "Traceback" not in found.stderr


@every("call, single", CALLS.values())
def test_a_script(call: str, single: bool, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(ASK + call, encoding="utf-8")
    check(ran(tmp_path, "script.py"), prints=1 if single else 2, warns=LINE if single else "")


def test_code_that_is_not_imported_needs_no_guard(tmp_path: Path) -> None:
    check(ran(tmp_path, "-c", ASK + "work()"), prints=2)
    cell = f"import __main__; exec(compile({ASK + 'work()'!r}, '<cell 1>', 'exec'), vars(__main__))"
    check(ran(tmp_path, "-c", cell), prints=2)


@pytest.mark.parametrize("call", ["unguarded", "guarded"])
def test_a_script_from_standard_input_cannot_be_imported(call: str, tmp_path: Path) -> None:
    found = ran(tmp_path, "-", given=ASK + CALLS[call][0])
    check(found, prints=1, warns="cannot import this program, because <stdin> is not a file.")


def test_a_module_needs_a_guard_and_the_main_of_a_package_does_not(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    for name in ("__init__.py", "__main__.py", "part.py"):
        (tmp_path / "package" / name).write_text("" if name == "__init__.py" else ASK + "work()", encoding="utf-8")
    check(ran(tmp_path, "-m", "package"), prints=2)
    check(ran(tmp_path, "-m", "package.part"), prints=1, warns=LINE)


def test_a_daemonic_process_continues_alone(tmp_path: Path) -> None:
    pool = """
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(work)
        pool.close()
        pool.join()  # else the process may be stopped before it prints
"""
    (tmp_path / "script.py").write_text(ASK + pool, encoding="utf-8")
    check(ran(tmp_path, "script.py"), prints=1, warns="a daemonic process cannot start worker processes.")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unguarded", "guarded"])
def test_a_script_writes_a_report(name: str, tmp_path: Path) -> None:
    call, single = CALLS[name]
    (tmp_path / "script.py").write_text(REPORT + call, encoding="utf-8")
    check(ran(tmp_path, "script.py"), prints=140, warns=LINE if single else "")


@pytest.mark.slow
def test_a_report_from_standard_input_and_from_a_command(tmp_path: Path) -> None:
    check(ran(tmp_path, "-", given=REPORT + "work()"), prints=140, warns="<stdin> is not a file")
    check(ran(tmp_path, "-c", REPORT + "work()"), prints=140)


@pytest.mark.slow
def test_an_unguarded_script_explains_in_bulk(tmp_path: Path) -> None:
    small("svm").fit(TEXTS, LABELS).save(tmp_path / "model")
    (tmp_path / "texts.csv").write_text("text\n" + "\n".join(TEXTS), encoding="utf-8")
    (tmp_path / "script.py").write_text(BULK + "work()", encoding="utf-8")
    check(ran(tmp_path, "script.py"), prints=True, warns=LINE)


def test_the_lines_below_a_guard() -> None:
    script = """
        work()
        if __name__ == "__main__":
            a()
            b(
            )
        else:
            c()
        if name == "__main__" or __name__ == "main": d()
    """
    guarded = processes._guarded_lines(ast.parse(textwrap.dedent(script).strip()))
    assert [list(lines) for lines in guarded] == [[3, 4, 5]]


def test_one_process_needs_no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_why_no_process", lambda: "no reason.")
    assert processes.usable_workers(1) == 1
    with pytest.warns(UserWarning, match="^no reason\\. Continuing in one process\\.$"):
        assert processes.usable_workers(4) == 1
    monkeypatch.undo()
    assert processes.usable_workers(2) == 2  # the main module of the tests has a guard
