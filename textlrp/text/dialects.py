"""Detect from the first lines of a file how its fields are separated and quoted.

:mod:`textlrp.text.table_header` detects the names of the columns. Open this module to recognize another dialect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from textlrp.text.separated import Dialect, is_quoted, strict_rows, tab_fields

SAMPLE_LINES = 200
"""Number of lines from which the layout of a file is detected."""

DELIMITERS: tuple[str, ...] = (",", ";", "\t", "|")

_ESCAPED = re.compile(r"\\.")
_UNFINISHED = "unexpected end of data"
"""The csv module's error for a quoted field that does not end."""


def sampled_rows(sample: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """Return the rows in the first lines of a file, without an incomplete or invalid last row."""
    return _parsed(sample, dialect)[0]


def _parsed(sample: Sequence[str], dialect: Dialect) -> tuple[list[list[str]], str]:
    """Return the rows that :func:`sampled_rows` describes, and the error that ended them, empty if there is none."""
    if dialect.delimiter == "\t" and not (sample and is_quoted(sample[0], "\t")):
        simple = [fields for line in sample if (fields := tab_fields(line))]
        quoted, error = strict_rows(sample, dialect)
        return (simple, "") if error or _is_table(simple) or not _is_table(quoted) else (quoted, "")
    return strict_rows(sample, dialect)


def separator_line(line: str) -> str:
    """Return the delimiter that a first line ``sep=;`` declares, as spreadsheets write it; empty for another line."""
    text = line.rstrip("\r\n").strip('"')
    found = text.removeprefix("sep=")
    return found if found != text and len(found) == 1 else ""


def find_delimiter(sample: Sequence[str], usual: str) -> tuple[str | None, bool]:
    """Return the delimiter of a file if it is not ``usual``, and whether that is certain.

    Another delimiter is considered only if the first line has a single field with ``usual``. It is certain if all
    rows have the same number of fields, and at least two. A blank is a delimiter if the first line is in quotes.
    """
    if sample and " " in sample[0].strip() and is_quoted(sample[0], " "):
        return " ", True
    first = sampled_rows(sample[:1], Dialect(usual))
    if not first or len(first[0]) != 1:
        return None, False
    marks = [mark for mark in DELIMITERS if mark in sample[0]]
    for mark in marks:
        rows = sampled_rows(sample, find_dialect(sample, mark))
        if len(rows) > 1 and _is_table(rows):
            return mark, True
    return (marks[0], False) if marks else (None, False)


def find_dialect(sample: Sequence[str], delimiter: str) -> Dialect:
    """Return how fields are quoted: as in RFC 4180, unless another way fits all lines of the sample.

    The other ways: single quotes, if all names in the header have them; a backslash before quotes; a blank after a
    delimiter, if the fields do not fit without it.
    """
    plain = Dialect(delimiter)
    if sample and delimiter != "\t" and _is_single_quoted(sample[0], delimiter):
        single = Dialect(delimiter, quote="'")
        if _fits(sample, single):
            return single
    if _fits(sample, plain) and not _has_escapes(sampled_rows(sample, plain)):
        return plain
    escapes = ("\\", None) if _may_escape(sample, delimiter) else (None,)
    ways = (Dialect(delimiter, escape=escape, skip_space=skip) for skip in (False, True) for escape in escapes)
    return next((way for way in ways if _fits(sample, way)), plain)


def _may_escape(sample: Sequence[str], delimiter: str) -> bool:
    """Whether a backslash is before a quote, and no quote inside a field is doubled."""
    doubled = re.compile(rf'[^{re.escape(delimiter)}\r\n]""|""[^{re.escape(delimiter)}\r\n]')
    return any('\\"' in line for line in sample) and not any(
        doubled.search(_ESCAPED.sub("", line)) for line in sample
    )


def _has_escapes(rows: Sequence[Sequence[str]]) -> bool:
    """Whether fields contain quotes, each of them after a backslash."""
    quoted = [field for row in rows for field in row if '"' in field]
    return bool(quoted) and all('"' not in field.replace('\\"', "") for field in quoted)


def has_row_names(rows: Sequence[Sequence[str]]) -> bool:
    """Whether each row begins with its number, and the header has no name for that column, as R writes tables."""
    numbers = [row[0] for row in rows[1:]]
    if not numbers or any(len(row) != len(rows[0]) + 1 for row in rows[1:]):
        return False
    if not any(row[-1] for row in rows[1:]):  # rows that end with a delimiter
        return False
    return any(numbers == [str(first + n) for n in range(len(numbers))] for first in (0, 1))


def _fits(sample: Sequence[str], dialect: Dialect) -> bool:
    rows, error = _parsed(sample, dialect)
    cut = error == _UNFINISHED and len(sample) >= SAMPLE_LINES
    return (not error or cut) and _is_table(rows)


def _is_table(rows: Sequence[Sequence[str]]) -> bool:
    widths = {len(row) for row in rows}
    return (len(widths) == 1 and max(widths) > 1) or (len(rows) > 1 and has_row_names(rows))


def _is_single_quoted(line: str, delimiter: str) -> bool:
    fields = line.rstrip("\r\n").split(delimiter)
    return all(len(field) > 1 and field[0] == field[-1] == "'" for field in fields)
