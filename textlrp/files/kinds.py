"""The kinds of files that textlrp writes, and how each is recognized by its content."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from textlrp.files.written_file import FileKind

PAGE_MARK = '<meta name="generator" content="textlrp">'
"""In the head of every page that textlrp writes."""

FRAGMENT_MARK = "<!-- textlrp: a fragment for a mail or a comment -->\n"
"""The first line of a file with a fragment."""

_UNMARKED_PAGE = b'<div class="textlrp page">'  # in pages of version 0.1.0, which have no mark
_HEAD = 1 << 17  # bytes; a page's style sheets come first
_LONGEST_LINE = 1 << 26  # bytes


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.startswith(FRAGMENT_MARK.encode()) or PAGE_MARK.encode() in head or _UNMARKED_PAGE in head


PAGE = FileKind("a page", _is_page)
PAGES = {".html": PAGE}


def first_line(path: Path) -> str:
    """The first line of a file as text; raises ValueError where it is too long or not UTF-8."""
    with path.open("rb") as file:
        line = file.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise ValueError("too long")
    return line.decode("utf-8")


def json_lines(name: str, fields: Collection[str], *, added: Collection[str] = ()) -> FileKind:
    """Files of JSON lines whose first line has exactly these fields; those ``added`` are missing in older files."""
    wanted, newer = set(fields) - set(added), set(added)

    def recognize(path: Path) -> bool:
        row = json.loads(first_line(path))
        return isinstance(row, dict) and row.keys() - newer == wanted

    return FileKind(name, recognize)


def csv_table(name: str, columns: Sequence[str]) -> FileKind:
    """CSV files whose first line has exactly these columns."""
    header = ",".join(columns)
    return FileKind(name, lambda path: first_line(path).rstrip("\r\n") == header)
