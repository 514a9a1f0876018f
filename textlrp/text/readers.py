"""Read files into records, one row at a time: tables of all formats, lines of text, and folders of class folders.

Memory use is constant: one row, or one batch of rows of a Parquet file or a dataset. Texts are unchanged: white
space is not stripped and line ends are not translated; only a byte order mark at the start is removed. Rows are
counted from 1, without the header. Open this module to see which rows are accepted, and the messages for those that
are not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from textlrp.errors import DataError
from textlrp.files.input_paths import check_regular, readable_name
from textlrp.records import Label, Labels
from textlrp.text.formats import TABLES, rows_of
from textlrp.text.opening import MAX_ROW_LENGTH, cannot_list, errors_of, known_encoding, read_text
from textlrp.text.row_labels import CORRECT, RowWarnings, label_of, labels_of
from textlrp.text.row_layout import (
    AS_FOUND,
    FILE_TYPES,
    Columns,
    FoundRow,
    Layout,
    is_missing,
    shown_value,
)
from textlrp.text.surrogates import has_surrogate

__all__ = [
    "FILE_TYPES",
    "BadRow",
    "Columns",
    "Layout",
    "Record",
    "read_files",
    "read_folder",
    "read_rows",
    "read_table",
    "readable_rows",
]

_TO_SKIP = " To skip such rows, pass skip_bad=True."


class Record(NamedTuple):
    """One row of a file, from which a :class:`textlrp.records.Document` is made."""

    id: str
    text: str
    label: Label | Labels | None


class BadRow(NamedTuple):
    """A row that cannot be a document: its number from 1, and ``wrong``, the reason as a message.

    The number is the id that the row would get if the file has no ids.
    """

    number: int
    wrong: str


def read_table(
    path: Path, columns: Columns, *, layout: Layout = AS_FOUND, encoding: str = "utf-8"
) -> Iterator[Record]:
    """Read the rows of a table: a file of any format, a folder of Parquet files, or that of a Hugging Face dataset.

    Raises :class:`DataError`, with the file and the row or line, for an unknown file type, a missing column, a
    damaged file or row, or a text that is not a string. Raises :class:`OptionError` for an
    unknown encoding.
    """
    for row in read_rows(path, columns, layout=layout, encoding=encoding, errors="strict"):
        if isinstance(row, BadRow):
            raise _bad(row)
        yield row


def _bad(row: BadRow) -> DataError:
    return DataError(f"{row.wrong}{_TO_SKIP}")


def read_rows(
    path: Path,
    columns: Columns,
    *,
    layout: Layout = AS_FOUND,
    encoding: str = "utf-8",
    errors: str = "surrogateescape",
) -> Iterator[Record | BadRow]:
    """Read rows as :func:`read_table` does, but yield a :class:`BadRow` for each row that cannot be read.

    Errors of the whole file, such as a missing column, still raise.
    """
    check_regular(path)
    warned = RowWarnings(known_encoding(encoding))
    with errors_of(path, encoding, _TO_SKIP if errors == "strict" else ""):
        for row in rows_of(path, layout)(path, columns, layout, known_encoding(encoding), errors):
            record = _record(row, encoding, warned, layout.label_separator)
            if isinstance(record, Record):
                warned.of_controls(row.place, record.text)
            yield record


def _record(row: FoundRow, encoding: str, warned: RowWarnings, separator: str | None) -> Record | BadRow:
    if row.wrong:
        return BadRow(row.number, row.wrong)
    if not isinstance(row.text, str):
        if is_missing(row.text):
            return BadRow(row.number, f"{row.place}: text is missing. Fill it in or drop the row.")
        return BadRow(row.number, f"{row.place}: text must be a string; got {shown_value(row.text)}. {CORRECT}")
    labels = row.label if isinstance(row.label, (list, tuple)) else (row.label,)
    if any(isinstance(value, str) and has_surrogate(value) for value in (row.text, row.id, *labels)):
        return BadRow(row.number, f"{row.place}: contains bytes that are not {encoding.upper()}. {CORRECT}")
    try:
        label = labels_of(row.place, row.label, warned, separator)
    except DataError as wrong:
        return BadRow(row.number, str(wrong))
    return Record(str(row.number if is_missing(row.id) else row.id), row.text, label)


def read_folder(
    path: Path, *, suffix: str = "", encoding: str = "utf-8", max_length: int = MAX_ROW_LENGTH
) -> Iterator[Record]:
    """Read the files in a folder of class folders, sorted by class and name; hidden files are skipped.

    The label is the folder's name (``a/b`` for nested folders, None for a file directly in ``path``). The id is the
    path relative to ``path``, without ``suffix``. Raises :class:`DataError` and :class:`OptionError` as
    :func:`read_table` does.
    """
    for row in read_files(path, suffix=suffix, encoding=encoding, max_length=max_length):
        if isinstance(row, BadRow):
            raise _bad(row)
        yield row


def readable_rows(
    rows: Iterable[Record | BadRow], rejected: dict[int, str], *, needs_label: bool = False
) -> Iterator[Record]:
    """Skip the rows that cannot be read, those without text and, with ``needs_label``, those without a label.

    Their numbers from 1 and the reasons are added to ``rejected``.
    """
    for number, row in enumerate(rows, start=1):
        if isinstance(row, BadRow):
            rejected[number] = row.wrong
        elif not row.text.strip():
            rejected[number] = f"row {number}: text is missing."
        elif needs_label and row.label is None:
            rejected[number] = f"row {number}: label is missing."
        else:
            yield row


def read_files(
    path: Path, *, suffix: str = "", encoding: str = "utf-8", max_length: int = MAX_ROW_LENGTH
) -> Iterator[Record | BadRow]:
    """Read files as :func:`read_folder` does, but yield a :class:`BadRow` for a file that cannot be read."""
    codec = known_encoding(encoding)
    warned = RowWarnings(codec)
    number = 0
    for folder, below, names in os.walk(path, onerror=cannot_list):
        below[:] = sorted(name for name in below if not name.startswith("."))
        label = readable_name(Path(folder).relative_to(path).as_posix())
        for name in sorted(names):
            file = Path(folder, name)
            if name.startswith(".") or not file.is_file():
                continue
            number += 1
            if file.suffix.lower() in TABLES:
                yield BadRow(number, f"{file}: is a table, not a text. Pass its path instead of its folder.")
                continue
            try:
                with errors_of(file, encoding), file.open("rb") as raw:
                    text = read_text(raw, codec, f"{file}", max_length)
            except DataError as wrong:
                yield BadRow(number, str(wrong))
                continue
            warned.of_controls(f"{file}", text)
            name = readable_name(name.removesuffix(suffix))
            stripped = label_of(f"{file}", label, warned)
            yield Record(name, text, None) if label == "." else Record(f"{label}/{name}", text, stripped)
