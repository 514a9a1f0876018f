"""Read files into records, one row at a time: CSV, TSV, lines of text, JSON, Parquet and folders of class folders.

Memory use is constant: one row, or one batch of rows of a Parquet file. Texts are unchanged: white space is not
stripped and line ends are not translated; only a byte order mark at the start is removed. Rows are counted from 1,
without the header. Open this module to see which rows are accepted, and the messages for those that are not.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from textlrp.errors import DataError
from textlrp.files.input_paths import check_regular, readable_name
from textlrp.records import Label, Labels
from textlrp.text.formats import rows_of
from textlrp.text.invisible import without_blank_edges
from textlrp.text.opening import MAX_ROW_LENGTH, cannot_list, errors_of, known_encoding, read_text
from textlrp.text.row_layout import (
    AS_FOUND,
    FILE_TYPES,
    Columns,
    FoundRow,
    Layout,
    is_missing,
    shortened,
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
]

_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
"""The control characters that Windows-1252 punctuation becomes if it is decoded as Latin-1."""
_CORRECT = "Correct it or drop the row."


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
    """Read the rows of a CSV, TSV, text, JSON, JSON lines or Parquet file.

    Raises :class:`DataError`, with the file and the row or line, for an unknown file type, a missing column, a
    damaged file or row, or a text that is not a string. Raises :class:`OptionError` for an
    unknown encoding.
    """
    for row in read_rows(path, columns, layout=layout, encoding=encoding, errors="strict"):
        if isinstance(row, BadRow):
            raise DataError(row.wrong)
        yield row


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
    rows = rows_of(path)
    warned = _Warned(known_encoding(encoding))
    with errors_of(path, encoding):
        for row in rows(path, columns, layout, known_encoding(encoding), errors):
            record = _record(row, encoding, warned, layout.label_separator)
            if isinstance(record, Record):
                warned.of_controls(row.place, record.text)
            yield record


class _Warned:
    """Issues each warning only once for all rows of a file or folder."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._controls = self._edges = False

    def of_controls(self, place: str, text: str) -> None:
        if self._controls or text.isascii() or (found := _CONTROLS.search(text)) is None:
            return
        self._controls = True
        remedy = "Pass encoding='cp1252'."
        if self._codec != "iso8859-1":
            remedy = "If you have the original file, read it with encoding='cp1252'."
        warnings.warn(
            f"{place}: contains the control character U+{ord(found[0]):04X}, so this is probably Windows-1252 text "
            f"that was decoded as Latin-1. The model ignores such characters. {remedy}",
            UserWarning,
            stacklevel=2,
        )

    def of_edges(self, place: str, label: str) -> None:
        if self._edges:
            return
        self._edges = True
        warnings.warn(
            f"{place}: the label {label!a} begins or ends with white space, which is removed here and in other rows.",
            UserWarning,
            stacklevel=2,
        )


def _record(row: FoundRow, encoding: str, warned: _Warned, separator: str | None) -> Record | BadRow:
    if row.wrong:
        return BadRow(row.number, row.wrong)
    if not isinstance(row.text, str):
        if is_missing(row.text):
            return BadRow(row.number, f"{row.place}: text is missing. Fill it in or drop the row.")
        return BadRow(row.number, f"{row.place}: text must be a string; got {shown_value(row.text)}. {_CORRECT}")
    labels = row.label if isinstance(row.label, (list, tuple)) else (row.label,)
    if any(isinstance(value, str) and has_surrogate(value) for value in (row.text, row.id, *labels)):
        return BadRow(row.number, f"{row.place}: contains bytes that are not {encoding.upper()}. {_CORRECT}")
    try:
        label = _labels_of_row(row.place, row.label, warned, separator)
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
            raise DataError(row.wrong)
        yield row


def read_files(
    path: Path, *, suffix: str = "", encoding: str = "utf-8", max_length: int = MAX_ROW_LENGTH
) -> Iterator[Record | BadRow]:
    """Read files as :func:`read_folder` does, but yield a :class:`BadRow` for a file that cannot be read."""
    codec = known_encoding(encoding)
    warned = _Warned(codec)
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
                with errors_of(file, encoding), file.open("rb") as raw:
                    text = read_text(raw, codec, f"{file}", max_length)
            except DataError as wrong:
                yield BadRow(number, str(wrong))
                continue
            warned.of_controls(f"{file}", text)
            name = readable_name(name.removesuffix(suffix))
            stripped = _label(f"{file}", label, warned)
            yield Record(name, text, None) if label == "." else Record(f"{label}/{name}", text, stripped)


def _labels_of_row(place: str, value: object, warned: _Warned, separator: str | None) -> Label | Labels | None:
    """The label of a row or, for a list and for text with a ``separator``, all its labels, each once."""
    if separator is not None and isinstance(value, str):
        value = [part for part in value.split(separator) if without_blank_edges(part)]
        several = [_label(place, without_blank_edges(part), warned) for part in value]
    elif isinstance(value, (list, tuple)):
        several = [_label(place, part, warned) for part in value]
    elif separator is None or is_missing(value):
        return _label(place, value, warned)
    else:
        several = [_label(place, value, warned)]
    if None in several:
        raise DataError(f"{place}: label is missing in the list {shortened(str(value))}. Fill it in or drop it.")
    return tuple(dict.fromkeys(label for label in several if label is not None))


def _label(place: str, value: object, warned: _Warned) -> Label | None:
    if isinstance(value, str):
        stripped = without_blank_edges(value)
        if stripped != value:
            warned.of_edges(place, value)
        return stripped or None
    if is_missing(value):
        return None
    # a column of whole numbers with missing values is stored as floats
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (bool, int)):
        if not -(2**63) <= value < 2**63:
            raise DataError(f"{place}: label must be below 2**63; got {shortened(str(value))}. Store it as text.")
        return value
    raise DataError(
        f"{place}: label must be text, a whole number or true/false; got {shown_value(value)}. {_CORRECT}"
    )
