"""Files to records, one row at a time: CSV, TSV, JSON lines, Parquet and folders of class folders.

A reader holds one row (of Parquet one batch of rows) in memory. Texts come out as they stand in the
file: no white space is stripped and no line end translated; only the mark that some UTF-8 files
begin with (the BOM) is taken for what it is. Rows are counted from 1, the header not included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from textlrp.errors import DataError
from textlrp.files import check_regular, readable_name
from textlrp.records import Label
from textlrp.text.formats import FILE_TYPES, Columns, Row, came, is_missing, rows_of, shortened
from textlrp.text.opening import cannot_list, errors_of, known_encoding

__all__ = ["FILE_TYPES", "BadRow", "Columns", "Record", "read_files", "read_folder", "read_rows", "read_table"]


class Record(NamedTuple):
    """One row of a file: what a :class:`textlrp.records.Document` is made of."""

    id: str
    text: str
    label: Label | None


class BadRow(NamedTuple):
    """A row that cannot be a document: its number from 1, as the ids of rows without one count, and what is wrong."""

    number: int
    wrong: str


def read_table(path: Path, columns: Columns, *, encoding: str = "utf-8") -> Iterator[Record]:
    """The rows of a CSV, TSV, JSON lines or Parquet file.

    Raises :class:`DataError` naming the file, and the row or line where there is one, for an unknown
    type, a missing column, a damaged file or row, a text that is none, or several labels in a row;
    :class:`OptionError` for an unknown encoding.
    """
    for row in read_rows(path, columns, encoding=encoding, errors="strict"):
        if isinstance(row, BadRow):
            raise DataError(row.wrong)
        yield row


def read_rows(
    path: Path, columns: Columns, *, encoding: str = "utf-8", errors: str = "surrogateescape"
) -> Iterator[Record | BadRow]:
    """As :func:`read_table`, but a row that cannot be read, or holds bytes that cannot, is a :class:`BadRow`.

    What is wrong with the file as a whole still raises.
    """
    check_regular(path)
    rows = rows_of(path)
    with errors_of(path, encoding):
        for row in rows(path, columns, known_encoding(encoding), errors):
            yield _record(row, encoding)


def _record(row: Row, encoding: str) -> Record | BadRow:
    if row.wrong:
        return BadRow(row.number, row.wrong)
    if not isinstance(row.text, str):
        return BadRow(row.number, f"{row.place} has {came(row.text)} for a text; mend the row or remove it.")
    if any(isinstance(value, str) and _has_surrogate(value) for value in (row.text, row.label, row.id)):
        return BadRow(row.number, f"{row.place} holds bytes that are not {encoding.upper()}; mend or remove it.")
    try:
        label = _label(row.place, row.label)
    except DataError as wrong:
        return BadRow(row.number, str(wrong))
    return Record(str(row.number if is_missing(row.id) else row.id), row.text, label)


def _has_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def read_folder(path: Path, *, suffix: str = "", encoding: str = "utf-8") -> Iterator[Record]:
    """The files of a folder of class folders, sorted by class and name; hidden ones are passed over.

    The label is the folder's name (``a/b`` where folders are nested; None for a file in no class
    folder), the id the path below ``path`` without ``suffix``. Raises as :func:`read_table` does.
    """
    for row in read_files(path, suffix=suffix, encoding=encoding):
        if isinstance(row, BadRow):
            raise DataError(row.wrong)
        yield row


def read_files(path: Path, *, suffix: str = "", encoding: str = "utf-8") -> Iterator[Record | BadRow]:
    """As :func:`read_folder`, but a file that cannot be read is a :class:`BadRow`."""
    codec = known_encoding(encoding)
    number = 0
    for folder, below, names in os.walk(path, onerror=cannot_list):
        below[:] = sorted(name for name in below if not name.startswith("."))
        label = readable_name(Path(folder).relative_to(path).as_posix())
        for name in sorted(names):
            file = Path(folder, name)
            if name.startswith(".") or not file.is_file():
                continue
            number += 1
            try:
                with errors_of(file, encoding):
                    text = file.read_bytes().decode(codec)
            except DataError as wrong:
                yield BadRow(number, str(wrong))
                continue
            name = readable_name(name.removesuffix(suffix))
            yield Record(name, text, None) if label == "." else Record(f"{label}/{name}", text, label)


def _label(place: str, value: object) -> Label | None:
    if isinstance(value, str):
        return value or None
    if is_missing(value):
        return None
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and value.is_integer():  # whole numbers with gaps are stored as floats
        return int(value)
    if isinstance(value, (list, tuple)):
        raise DataError(f"{place} has several labels ({shortened(str(value))}); textlrp trains one label a text.")
    raise DataError(f"{place} has {came(value)} as its label; text, a whole number or true/false was wanted.")
