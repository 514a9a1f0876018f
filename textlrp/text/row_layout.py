"""How a table is laid out: which columns hold text, label and id, and how a row of it is passed on."""

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

FILE_TYPES = ".csv, .tsv, .txt, .json, .jsonl (each also .gz), .parquet and folders of class folders"


class Columns(NamedTuple):
    """Names of the columns to read; None stands for the default name, or for none there."""

    text: str | None = None
    label: str | None = None
    id: str | None = None


class FoundColumns(NamedTuple):
    text: str
    label: str | None
    id: str | None


class FoundRow(NamedTuple):
    """One row as it was found; ``wrong`` says why it has no values where it has none."""

    place: str
    number: int
    text: object = None
    label: object = None
    id: object = None
    wrong: str = ""


class Layout(NamedTuple):
    """How a file is laid out: what is None is told from the file, where that is certain, and said in a warning.

    ``delimiter`` is the character between fields; ``header`` whether the first row names the columns; ``names`` are
    those of a file that has none; ``max_row_length`` the characters of the longest row that is read.
    """

    delimiter: str | None = None
    header: bool | None = None
    names: tuple[str, ...] | None = None
    max_row_length: int = MAX_ROW_LENGTH


AS_FOUND = Layout()

RowReader = Callable[[Path, Columns, Layout, str, str], Iterator[FoundRow]]
"""(path, columns, layout, encoding, what to do with bytes that it does not have) -> rows."""


def warn_of_guess(path: Path, what: str) -> None:
    """Warn of what was told from a file rather than given."""
    warnings.warn(f"{path}: {what}", UserWarning, stacklevel=2)


# ---- columns and values


def resolve_columns(
    columns: Sequence[tuple[str, bool]], wanted: Columns, place: str, has_header: bool = False
) -> FoundColumns:
    """Which columns to read, out of names that say whether they hold strings."""
    names = [name for name, _ in columns]
    for name in wanted:
        if name is not None and name not in names:
            raise DataError(f"{place} has no column {name!r}; it has {column_list(names)}.")

    def usual(candidates: Sequence[str], *taken: str | None) -> str | None:
        return next((name for name in candidates if name in names and name not in taken), None)

    label = wanted.label or usual(LABEL_COLUMNS, wanted.text, wanted.id)
    id = wanted.id or usual(ID_COLUMNS, wanted.text, label)
    text = wanted.text or usual(TEXT_COLUMNS, label, id)
    if text is None:
        strings = [name for name, is_string in columns if is_string and name not in (label, id)]
        if len(strings) != 1:
            or_header = (
                " If these are not names but a row, pass columns= with names, such as label,text." * has_header
            )
            raise DataError(
                f"{place} has no column 'text'; name one with text=, out of {column_list(names)}.{or_header}"
            )
        text = strings[0]
    for name in (text, label, id):
        if names.count(str(name)) > 1:
            raise DataError(f"{place} has two columns named {name!r}; rename one.")
    return FoundColumns(text, label, id)


def is_missing(value: object) -> bool:
    """Whether there is no value."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def came(value: object) -> str:
    """A value that was not wanted, for a message."""
    return "nothing" if is_missing(value) else f"{shortened(repr(value))} ({type(value).__name__})"


def shortened(text: str) -> str:
    """The beginning of a text that may be long."""
    return text if len(text) <= 60 else text[:57] + "..."


def column_list(columns: Sequence[str]) -> str:
    """Names of columns, for a message."""
    names = ", ".join(repr(shortened(name)) for name in columns[:20]) or "none"
    return names if len(columns) <= 20 else f"{names} and {len(columns) - 20} more"
