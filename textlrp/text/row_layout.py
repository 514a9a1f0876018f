"""The layout of a table: which columns contain text, label and id, and the values of one row.

All file formats share these types. Open this module to change how columns are found or how rows are named in
messages.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from textlrp.errors import DataError
from textlrp.text.opening import MAX_ROW_LENGTH

TEXT_COLUMNS = ("text", "content", "body", "message")
LABEL_COLUMNS = ("label", "category", "class", "target")
ID_COLUMNS = ("id",)

FILE_TYPES = ".csv, .tsv, .txt, .json, .jsonl (each also .gz), .parquet, or a folder of class folders"
"""The supported corpora, for messages."""


class Columns(NamedTuple):
    """Names of the columns to read. None selects the default name, or no column if the table has none."""

    text: str | None = None
    label: str | None = None
    id: str | None = None


class FoundColumns(NamedTuple):
    """Names of the columns that a table has; ``label`` and ``id`` are None if there is no such column."""

    text: str
    label: str | None
    id: str | None


class FoundRow(NamedTuple):
    """The values of one row, not yet checked.

    ``place`` names the row in messages (:func:`row_place`); ``number`` counts rows from 1. If the row could not be
    read, ``wrong`` is the reason and the values are None.
    """

    place: str
    number: int
    text: object = None
    label: object = None
    id: object = None
    wrong: str = ""


class Layout(NamedTuple):
    """The layout of a file. What is None is detected from the file if that is certain, with a warning.

    ``delimiter`` is the character between fields. ``header`` is whether the first row contains the column names.
    ``names`` are the column names of a file without a header. ``max_row_length`` is the maximum length of a row in
    characters. ``label_separator`` separates the labels of a text; None reads one label.
    """

    delimiter: str | None = None
    header: bool | None = None
    names: tuple[str, ...] | None = None
    max_row_length: int = MAX_ROW_LENGTH
    label_separator: str | None = None


AS_FOUND = Layout()

RowReader = Callable[[Path, Columns, Layout, str, str], Iterator[FoundRow]]
"""(path, columns, layout, encoding, error handler for bytes that cannot be decoded) -> rows."""


def warn_of_guess(path: Path, what: str) -> None:
    """Warn that part of a file's layout was detected rather than passed as an option."""
    warnings.warn(f"{path}: {what}", UserWarning, stacklevel=2)


def row_place(path: Path, number: int, line: int | None = None) -> str:
    """Name a row in a message, such as ``row 17 (tickets.csv, line 20)``; both numbers count from 1."""
    return f"row {number} ({path})" if line is None else f"row {number} ({path}, line {line})"


# ---- columns and values


def resolve_columns(
    columns: Sequence[tuple[str, bool]], requested: Columns, place: str, has_header: bool = False
) -> FoundColumns:
    """Choose the columns to read.

    ``columns`` are the names in the table, each with whether it contains strings. A column that was not requested
    is found by its usual names; the text may also be the only column of strings. ``place`` begins the messages.
    Raises :class:`DataError` if a column is missing or a name occurs twice.
    """
    names = [name for name, _ in columns]
    for name in requested:
        if name is not None and name not in names:
            raise DataError(
                f"{place}: there is no column {name!r}; the columns are {column_list(names)}. Pass one of them."
            )

    def usual(candidates: Sequence[str], *taken: str | None) -> str | None:
        return next((name for name in candidates if name in names and name not in taken), None)

    label = requested.label or usual(LABEL_COLUMNS, requested.text, requested.id)
    id = requested.id or usual(ID_COLUMNS, requested.text, label)
    text = requested.text or usual(TEXT_COLUMNS, label, id)
    if text is None:
        strings = [name for name, is_string in columns if is_string and name not in (label, id)]
        if len(strings) != 1:
            or_header = (
                " If the first row is not a header, pass columns= with names, such as label,text." * has_header
            )
            raise DataError(
                f"{place}: there is no column 'text'; the columns are {column_list(names)}. Pass text= with the name "
                f"of the text column.{or_header}"
            )
        text = strings[0]
    for name in (text, label, id):
        if names.count(str(name)) > 1:
            raise DataError(f"{place}: two columns are named {name!r}. Rename one of them.")
    return FoundColumns(text, label, id)


def is_missing(value: object) -> bool:
    """Whether a field is empty: None, an empty string or NaN."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def shown_value(value: object) -> str:
    """Format a value with its type for a message."""
    return "nothing" if is_missing(value) else f"{shortened(repr(value))} ({type(value).__name__})"


def shortened(text: str) -> str:
    """Shorten a text to 60 characters for a message."""
    return text if len(text) <= 60 else text[:57] + "..."


def column_list(columns: Sequence[str]) -> str:
    """Format column names for a message."""
    names = ", ".join(repr(shortened(name)) for name in columns[:20]) or "none"
    return names if len(columns) <= 20 else f"{names} and {len(columns) - 20} more"
