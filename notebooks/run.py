"""Run notebooks from top to bottom and store their outputs in them, without Jupyter.

    python notebooks/run.py [NOTEBOOK ...]

The outputs of a cell are those of Jupyter: printed lines, the value of the last expression, open figures. Execution
counts, times and other data about the run are left out, so that two versions differ only if their content does.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import json
import os
import pprint
import sys
import warnings
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parent

os.environ.setdefault("MPLBACKEND", "Agg")

Output = dict[str, Any]


def run(path: Path) -> list[list[Output]]:
    """Run the code cells of a notebook in order and return the outputs of each. Warnings are raised as errors."""
    names: dict[str, Any] = {"__name__": "notebook"}
    _figures()  # close figures that were open before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [_outputs(source(cell), f"{path.name}:{cell['id']}", names) for cell in code_cells(path)]


def code_cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def source(cell: dict[str, Any]) -> str:
    """The text of a cell."""
    return "".join(cell["source"])


def kinds(outputs: list[Output]) -> list[str]:
    """The kind of each output, without its content: "stdout", "text/html + text/plain", ..."""
    return [output["name"] if "name" in output else " + ".join(sorted(output["data"])) for output in outputs]


def _outputs(code: str, name: str, names: dict[str, Any]) -> list[Output]:
    body = ast.parse(code, name).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), names)
    found: list[Output] = []
    if printed.getvalue():
        found.append({"name": "stdout", "output_type": "stream", "text": _lines(printed.getvalue())})
    found += _figures()
    if value is not None:
        data = _shown(value)
        found.append({"data": data, "execution_count": None, "metadata": {}, "output_type": "execute_result"})
    return found


def _shown(value: object) -> dict[str, Any]:
    html = getattr(value, "_repr_html_", None)
    plain = pprint.pformat(value, width=100, sort_dicts=False)
    return ({"text/html": _lines(html())} if html else {}) | {"text/plain": _lines(plain)}


def _figures() -> list[Output]:
    """Return the open figures of pyplot as PNG, and close them."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    found = []
    for number in pyplot.get_fignums():
        image, figure = io.BytesIO(), pyplot.figure(number)
        figure.savefig(image, format="png", dpi=100, bbox_inches="tight", metadata={"Software": None})
        data = {"image/png": base64.b64encode(image.getvalue()).decode(), "text/plain": [repr(figure)]}
        found.append({"data": data, "metadata": {}, "output_type": "display_data"})
    pyplot.close("all")
    return found


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def write(path: Path) -> None:
    """Run a notebook and store its outputs in its file."""
    found = run(path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell, outputs in zip(cells, found, strict=True):
        cell.update(execution_count=None, metadata={}, outputs=outputs)
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Run the notebooks given as arguments, or all notebooks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="Notebooks to run. Default: all.")
    for path in parser.parse_args().notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        write(path)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
