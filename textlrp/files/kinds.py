"""The kinds of files that textlrp writes, each with a function that recognizes it by its content.

Open this module to add a kind of output file. An existing output is overwritten only if it is of the same kind.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from textlrp.files.written_file import FileKind

PAGE_MARK = '<meta name="generator" content="textlrp">'
"""A tag in the head of every page that textlrp writes."""

FRAGMENT_MARK = "<!-- textlrp: a fragment for a mail or a comment -->\n"
"""The first line of every file with an HTML fragment."""

_UNMARKED_PAGE = b'<div class="textlrp page">'  # recognizes pages of version 0.1.0, which have no PAGE_MARK
_HEAD = 1 << 17  # bytes; the style sheets come first, so the mark can be far from the start
_LONGEST_LINE = 1 << 26  # bytes


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.startswith(FRAGMENT_MARK.encode()) or PAGE_MARK.encode() in head or _UNMARKED_PAGE in head


PAGE = FileKind("a page", _is_page)
PAGES = {".html": PAGE}


def first_line(path: Path) -> str:
    """Return the first line of a file as text; raises ValueError if it is too long or not UTF-8."""
    with path.open("rb") as file:
        line = file.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise ValueError("too long")
    return line.decode("utf-8")


def json_lines(name: str, fields: Collection[str], *, added: Collection[str] = ()) -> FileKind:
    """Return the kind of JSON-lines files whose first line has exactly these ``fields``.

    The ``added`` fields may be missing, because older versions did not write them.
    """
    required, optional = set(fields) - set(added), set(added)

    def recognize(path: Path) -> bool:
        row = json.loads(first_line(path))
        return isinstance(row, dict) and row.keys() - optional == required

    return FileKind(name, recognize)


def json_list(name: str, fields: Collection[str]) -> FileKind:
    """Return the kind of JSON files with a list of objects, one per line, that have exactly these ``fields``."""
    required = set(fields)

    def recognize(path: Path) -> bool:
        with path.open(encoding="utf-8") as file:
            start, line, following = file.readline(2), file.readline(_LONGEST_LINE), file.readline(2)
        if start != "[\n" or line == "\n":
            return (start, line, following) == ("[\n", "\n", "]\n")  # an empty list
        row = json.loads(line.rstrip("\n").removesuffix(","))
        return isinstance(row, dict) and row.keys() == required

    return FileKind(name, recognize)


def csv_table(name: str, columns: Sequence[str]) -> FileKind:
    """Return the kind of CSV files whose header has exactly these columns."""
    header = ",".join(columns)
    return FileKind(name, lambda path: first_line(path).rstrip("\r\n") == header)
