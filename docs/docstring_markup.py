"""Markup of docstrings on the pages of the API: tables in Markdown, and references by the last name."""

from __future__ import annotations

import re
from typing import Any

from sphinx.util.nodes import make_refnode

TABLE_ROW = re.compile(r"\s*\|.*\|\s*$")


def convert_tables(app: Any, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Convert the Markdown tables of a docstring to reStructuredText (event ``autodoc-process-docstring``)."""
    converted: list[str] = []
    for number, line in enumerate(lines):
        if not TABLE_ROW.match(line):
            converted.append(line)
        elif not set(line) <= set("|- :"):  # not the line below the head
            if number == 0 or not TABLE_ROW.match(lines[number - 1]):
                converted += [".. list-table::", "   :header-rows: 1", ""]
            first, *others = [cell.strip() for cell in line.strip().strip("|").split("|")]
            converted += [f"   * - {first}", *(f"     - {cell}" for cell in others)]
    lines[:] = converted


def resolve_by_last_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Resolve a reference such as ``:class:`DataError``` by its last name (event ``missing-reference``)."""
    if node.get("refdomain") != "py" or not node.get("reftarget"):
        return None
    last = node["reftarget"].rpartition(".")[2]
    domain = env.get_domain("py")
    found = {
        (entry.docname, entry.node_id, entry.objtype): name
        for name, entry in domain.objects.items()
        if name.rpartition(".")[2] == last and entry.objtype != "method"
    }
    if len(found) != 1:
        return None
    (docname, node_id, _), name = next(iter(found.items()))
    return make_refnode(app.builder, node["refdoc"], docname, node_id, content, name)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", convert_tables)
    app.connect("missing-reference", resolve_by_last_name)
