"""Measure the architecture: module sizes, duplicate names, import cycles, public names, and heavy imports.

    python tests/house.py            print the table

Run it after you move modules, or to update the numbers in docs/explanation/architecture.md. Only lines in
``textlrp/`` count.
"""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1] / "textlrp"
PUBLISHED = (
    "", ".bulk", ".evaluation", ".explainers.phrases", ".explainers.similar.nearest_documents", ".lrp.composite",
    ".lrp.rules", ".similar_texts", ".spacy_pipe", ".store",
)  # fmt: skip
"""Modules of the API reference, relative to ``textlrp``."""
HEAVY = ("matplotlib", "spacy", "torch", "sklearn", "pandas")
LONG = 250
"""A module with more lines counts as long."""

Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Dotted name -> path of each module."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def same_file_names(found: dict[str, Path]) -> list[str]:
    """File names that occur in two or more folders."""
    counts = Counter(path.name for path in found.values() if path.name not in ("__init__.py", "__main__.py"))
    return sorted(name for name, count in counts.items() if count > 1)


def names_defined_twice(found: dict[str, Path]) -> list[str]:
    """Names of top-level functions, classes and constants that two or more modules define."""
    owners = defaultdict(set)
    for module, path in found.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                owners[node.name].add(module)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        owners[target.id].add(module)
    return sorted(name for name, where in owners.items() if len(where) > 1 and not name.startswith("__"))


def imports(found: dict[str, Path]) -> Graph:
    """The modules that each module imports, at the top or within functions; without imports for type checkers."""
    graph: Graph = {}
    for module, path in found.items():
        graph[module] = set()
        for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                graph[module] |= {name if name in found else node.module for name in names}
            elif isinstance(node, ast.Import):
                graph[module] |= {alias.name for alias in node.names}
        graph[module] = (graph[module] & found.keys()) - {module}
    return graph


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not checking:
            yield node
            yield from _executed(node)


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of modules that import each other, directly or indirectly."""
    reached = {module: _reached(graph, module) for module in graph}
    groups = {frozenset(other for other in seen if module in reached[other]) for module, seen in reached.items()}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    ahead = list(graph[start])
    while ahead:
        module = ahead.pop()
        if module not in seen:
            seen.add(module)
            ahead += graph[module]
    return seen


def public_names() -> dict[str, set[str]]:
    """The names in ``__all__`` of each published module."""
    modules = {f"textlrp{name}": importlib.import_module(f"textlrp{name}") for name in PUBLISHED}
    return {name: set(module.__all__) for name, module in modules.items()}


def heavy_imports(module: str) -> list[str]:
    """The heavy packages that are imported together with a module, measured in a new process."""
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def core() -> dict[str, int]:
    """The lines of the files that docs/explanation/architecture.md names as the core."""
    page = (ROOT.parent / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    return {name: lines(ROOT / name) for name in re.findall(r"^\| `([\w/]+\.py)` \| \d+ \|", page, re.M)}


def main() -> None:
    found = modules()
    sizes = {module: lines(path) for module, path in found.items()}
    largest = max(sizes, key=sizes.__getitem__)
    twice, doubled = same_file_names(found), names_defined_twice(found)
    found_cycles, public = cycles(imports(found)), public_names()
    cycle_names = [f"{len(cycle)} modules ({cycle[0]} ... {cycle[-1]})" for cycle in found_cycles]
    rows = [
        ("modules; lines", f"{len(found)}; {sum(sizes.values()):,}"),
        ("lines of the core, in the order of the architecture page", f"{sum(core().values()):,}: {core()}"),
        ("largest module", f"{largest}, {sizes[largest]}"),
        (f"modules over {LONG} lines", sum(size > LONG for size in sizes.values())),
        ("same file name in two folders", f"{len(twice)}: {', '.join(twice)}"),
        ("names defined in two or more modules", f"{len(doubled)}: {', '.join(doubled)}"),
        ("import cycles", "; ".join(cycle_names) or "none"),
        ("public names", f"{len(set().union(*public.values()))}, including {len(public['textlrp'])} in textlrp"),
        (
            "imported with textlrp.reports.document",
            ", ".join(heavy_imports("textlrp.reports.document")) or "none",
        ),
        ("imported with textlrp", ", ".join(heavy_imports("textlrp")) or "none"),
    ]
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
