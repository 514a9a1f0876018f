"""The layout of a table and the values of one row: types that the readers of all file formats share.

:mod:`textlrp.text.column_choice` decides which columns contain text, label and id. Open this module to change how
rows are named in messages.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from textlrp.text.opening import MAX_ROW_LENGTH

FILE_TYPES = (
    ".csv, .tsv, .txt, .json, .jsonl (each also .gz, .bz2, .xz, .zst or .zip), .xlsx, .parquet, or a folder of class "
    "folders, of Parquet files or of a Hugging Face dataset"
)
"""The supported corpora, for messages."""

BETWEEN_COLUMNS = "\n\n"
"""What separates the texts of several columns."""


class Columns(NamedTuple):
    """Names of the columns to read. None selects the default name, or no column if the table has none.

    ``text`` may be the names of several columns, whose texts are joined: a tuple, or one string with commas.
    """

    text: str | tuple[str, ...] | None = None
    label: str | None = None
    id: str | None = None


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
    characters. ``label_separator`` separates the labels of a text; None reads one label. ``sheet`` is the name of a
    sheet of a workbook, ``split`` that of a part of a dataset.
    """

    delimiter: str | None = None
    header: bool | None = None
    names: tuple[str, ...] | None = None
    max_row_length: int = MAX_ROW_LENGTH
    label_separator: str | None = None
    sheet: str | None = None
    split: str | None = None


AS_FOUND = Layout()

RowReader = Callable[[Path, Columns, Layout, str, str], Iterator[FoundRow]]
"""(path, columns, layout, encoding, error handler for bytes that cannot be decoded) -> rows."""


def warn_of_guess(path: Path, what: str) -> None:
    """Warn that part of a file's layout was detected rather than passed as an option."""
    warnings.warn(f"{path}: {what}", UserWarning, stacklevel=2)


def row_place(path: Path, number: int, line: int | None = None) -> str:
    """Name a row in a message, such as ``row 17 (tickets.csv, line 20)``; both numbers count from 1."""
    return f"row {number} ({path})" if line is None else f"row {number} ({path}, line {line})"


# ---- values


def is_missing(value: object) -> bool:
    """Whether a field is empty: None, an empty string, NaN, or the mark ``\\N`` of database exports."""
    return value is None or value in ("", r"\N") or (isinstance(value, float) and math.isnan(value))


def joined_text(values: list[object]) -> object:
    """Join the texts of several columns, separated by a blank line. Missing and blank ones are left out.

    A value that is not a string is returned unchanged, so that its check can name it.
    """
    if len(values) == 1:
        return values[0]
    present = [value for value in values if not is_missing(value)]
    strange = [value for value in present if not isinstance(value, str)]
    if strange or not present:
        return strange[0] if strange else None
    return BETWEEN_COLUMNS.join(str(value) for value in present if str(value).strip())


def shown_value(value: object) -> str:
    """Format a value with its type for a message."""
    return "nothing" if is_missing(value) else f"{shortened(repr(value))} ({type(value).__name__})"


def shortened(text: str) -> str:
    """Shorten a text to 60 characters for a message."""
    return text if len(text) <= 60 else text[:57] + "..."
