"""Find the names of the columns from the first rows of a table: a header, or names for a table without one.

Tables in text files and in workbooks share these rules. Open this module to change how a header is recognized.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from textlrp.errors import DataError
from textlrp.text.column_choice import (
    LABEL_COLUMNS,
    OTHER_LABEL_COLUMNS,
    OTHER_TEXT_COLUMNS,
    TEXT_COLUMNS,
    folded_name,
    split_columns,
)
from textlrp.text.dialects import has_row_names
from textlrp.text.row_layout import Columns, Layout, warn_of_guess

MOST_ABOVE = 20
"""Maximum number of rows above a header."""
_SENTENCE = 8
"""A field with this many words is not a name of a column."""


class Header(NamedTuple):
    """The names of the columns, and the number of rows before the first row of data, without empty rows."""

    names: list[str]
    rows: int
    found: bool
    """Whether the names are in the file."""


def find_header(path: Path, requested: Columns, layout: Layout, rows: Sequence[Sequence[str]]) -> Header:
    """Find the names of the columns from the first rows, which have at least one field each.

    Raises :class:`DataError` if ``layout`` does not fit the rows.
    """
    blank = next((n for n, row in enumerate(rows) if _count_filled(row)), 0)
    above = blank + (_rows_above(requested, rows[blank:]) if layout.header is None and layout.names is None else 0)
    if above > blank:
        first = "the first row was" if above == 1 else f"the first {above} rows were"
        warn_of_guess(path, f"{first} skipped, because the names of the columns are below.")
    rows = rows[above:]
    names = _names_of_no_header(path, requested, layout, rows)
    if names is not None:
        return Header(names, 0, found=False)
    header = [name.strip() for name in rows[0]] if rows else []
    if rows and has_row_names(rows):
        header = ["", *header]
    return Header(header, above + 1, found=True)


def _rows_above(requested: Columns, rows: Sequence[Sequence[str]]) -> int:
    """Return the number of rows above the header: titles, which have only a first field, and comments."""
    for n, row in enumerate(rows[: MOST_ABOVE + 1]):
        if names_columns(row, requested):
            titles = [before for before in rows[:n] if not before[0].startswith("#")]
            return n if _count_filled(row) > 1 and not any(_count_filled(title[1:]) for title in titles) else 0
    return 0


def _count_filled(row: Sequence[str]) -> int:
    return sum(bool(field.strip()) for field in row)


def _names_of_no_header(
    path: Path, requested: Columns, layout: Layout, rows: Sequence[Sequence[str]]
) -> list[str] | None:
    """Return names for the columns of a table without a header; None if the first row is a header."""
    first = rows[0] if rows else []
    if layout.names is not None:
        if len(layout.names) != len(first):
            raise DataError(
                f"{path}: columns must have one name for each of the {len(first)} columns of the file; got "
                f"{len(layout.names)}. Name each column once."
            )
        return list(layout.names)
    if layout.header or (layout.header is None and names_columns(first, requested)):
        return None
    names = names_without_header(rows)
    if names is None and layout.header is None:
        return None
    if names is None:
        if len(first) == 1:
            return ["text"]
        raise DataError(
            f"{path}: the file has {len(first)} columns and no header. Name them in order with columns=, such as "
            "label,text."
        )
    as_option = ",".join(names)
    warn_of_guess(
        path, f"there is no header; the columns are read as {as_option}. Pass columns={as_option!r} to confirm this."
    )
    return names


def names_columns(row: Sequence[str], requested: Columns, least: int = 1) -> bool:
    """Whether a row contains at least ``least`` requested column names, or usual ones if none was requested."""
    asked = [name for name in (*split_columns(requested.text), requested.label, requested.id) if name is not None]
    usual = (*TEXT_COLUMNS, *LABEL_COLUMNS, *OTHER_TEXT_COLUMNS, *OTHER_LABEL_COLUMNS)
    names = {folded_name(name) for name in row}
    whole = requested.text if isinstance(requested.text, str) else ""
    found = {folded_name(name) for name in ((whole, *asked) if asked else usual) if name} & names
    return len(found) >= least


def names_without_header(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Return names for the columns of a file without a header, or None if its first row may be a header.

    The first row is certainly not a header if exactly one of its fields occurs again in the same column, which then
    contains the labels; or, with two columns, if one of its fields has as many words as a sentence. The text is the
    column whose fields are on average at least twice as long as those of every other column.
    """
    rows = [row for row in rows if len(row) == len(rows[0])]
    if len(rows) < 2 or len(rows[0]) < 2:
        return None
    columns = list(zip(*rows, strict=True))
    labels = [n for n, column in enumerate(columns) if column[0] and column[0] in column[1:]]
    if not labels and len(columns) == 2:
        sentences = [len(column[0].split()) >= _SENTENCE for column in columns]
        labels = [n for n in (0, 1) if sum(sentences) == 1 and not sentences[n]]
    others = [n for n in range(len(columns)) if n not in labels]
    if len(labels) != 1:
        return None
    lengths = {n: sum(map(len, column)) / len(column) for n, column in enumerate(columns)}
    text = max(others, key=lengths.__getitem__)
    if any(lengths[text] < 2 * lengths[n] for n in range(len(columns)) if n != text):
        return None
    names = [f"column {n}" for n in range(1, len(columns) + 1)]
    names[labels[0]], names[text] = "label", "text"
    return names
