"""Count what the architecture promises: names, circles, sizes, public names, and what an import costs.

    python tests/house.py            print the table

Open it when modules are moved or docs/architecture.md is changed. Lines are those of ``textlrp/`` alone.
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
PUBLISHED = ("", ".bulk", ".evaluation", ".explainers.phrases", ".lrp.composite", ".lrp.rules", ".store")
"""Modules of the API reference."""
HEAVY = ("matplotlib", "spacy", "torch", "sklearn", "pandas")
LONG = 250
"""Lines from which a module counts as long."""

Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Each module by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def same_file_names(found: dict[str, Path]) -> list[str]:
    """File names that are there in two folders."""
    counts = Counter(path.name for path in found.values() if path.name not in ("__init__.py", "__main__.py"))
    return sorted(name for name, count in counts.items() if count > 1)


def names_defined_twice(found: dict[str, Path]) -> list[str]:
    """Top-level functions, classes and constants whose name two modules or more define."""
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
    """Which modules each one imports, at the top or late, but for type checkers alone."""
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


def circles(graph: Graph) -> list[list[str]]:
    """Groups of modules that import each other, directly or by way of others."""
    reached = {module: _reached(graph, module) for module in graph}
    groups = {frozenset(other for other in own if module in reached[other]) for module, own in reached.items()}
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
    """The names that each published module has in ``__all__``."""
    modules = {f"textlrp{name}": importlib.import_module(f"textlrp{name}") for name in PUBLISHED}
    return {name: set(module.__all__) for name, module in modules.items()}


def heavy_imports(module: str) -> list[str]:
    """The heavy packages that importing a module brings, in a process of its own."""
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def core() -> dict[str, int]:
    """The lines of the files that docs/architecture.md names as the core."""
    page = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    return {name: lines(ROOT / name) for name in re.findall(r"^\| `([\w/]+\.py)` \| \d+ \|", page, re.M)}


def main() -> None:
    found = modules()
    sizes = {module: lines(path) for module, path in found.items()}
    largest = max(sizes, key=sizes.__getitem__)
    twice, doubled = same_file_names(found), names_defined_twice(found)
    rings, public = circles(imports(found)), public_names()
    rows = [
        ("modules; lines", f"{len(found)}; {sum(sizes.values()):,}"),
        ("lines of the core, in the order of docs/architecture.md", f"{sum(core().values()):,}: {core()}"),
        ("largest module", f"{largest}, {sizes[largest]}"),
        (f"modules over {LONG} lines", sum(size > LONG for size in sizes.values())),
        ("same file name in two folders", f"{len(twice)}: {', '.join(twice)}"),
        ("names defined in two or more modules", f"{len(doubled)}: {', '.join(doubled)}"),
        ("import circles", "; ".join(f"{len(ring)} modules ({ring[0]} ... {ring[-1]})" for ring in rings) or "none"),
        ("public names", f"{len(set().union(*public.values()))}, of them {len(public['textlrp'])} in textlrp"),
        (
            "import textlrp.reports.document brings",
            ", ".join(heavy_imports("textlrp.reports.document")) or "none of them",
        ),
        ("import textlrp brings", ", ".join(heavy_imports("textlrp")) or "none of them"),
    ]
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
