"""Choose the reader of a file by its suffix. Open this module to add a file format."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from textlrp.errors import DataError, OptionError, must_be
from textlrp.text.dataset_rows import dataset_rows, is_dataset
from textlrp.text.json_rows import json_rows
from textlrp.text.line_rows import line_rows
from textlrp.text.opening import MAX_ROW_LENGTH
from textlrp.text.packed import content_suffixes
from textlrp.text.parquet_folders import is_sharded, sharded_rows
from textlrp.text.parquet_rows import parquet_rows
from textlrp.text.row_layout import AS_FOUND, FILE_TYPES, Layout, RowReader
from textlrp.text.sheet_rows import NOT_A_WORKBOOK, sheet_rows
from textlrp.text.table_rows import separated_rows

_STREAMED: dict[str, RowReader] = {
    ".csv": partial(separated_rows, ","),
    ".tsv": partial(separated_rows, "\t"),
    ".tab": partial(separated_rows, "\t"),
    ".psv": partial(separated_rows, "|"),
    ".txt": line_rows,
    "": line_rows,
    ".json": json_rows,
    ".jsonl": json_rows,
    ".ndjson": json_rows,
}
"""Readers of files that may be packed."""

_WHOLE: dict[str, RowReader] = {".parquet": parquet_rows, ".xlsx": sheet_rows, ".xlsm": sheet_rows}
"""Readers of files that must not be packed, because these formats are."""

TABLES = (_STREAMED.keys() | _WHOLE.keys()) - {".txt", ""}
"""Suffixes of files that are tables and not single texts."""


def is_table(path: Path) -> bool:
    """Whether a path is a table with rows and columns, and not a folder of class folders."""
    return not path.is_dir() or is_dataset(path) or is_sharded(path)


def rows_of(path: Path, layout: Layout = AS_FOUND) -> RowReader:
    """Return the reader for the suffix of a file.

    Raises :class:`DataError` for an unsupported suffix, and :class:`OptionError` for a sheet or split if the format
    has none.
    """
    if path.is_dir():
        if layout.sheet is not None:
            raise OptionError(must_be("sheet", "None for a folder", layout.sheet, "Leave out sheet=."))
        return sharded_rows if is_sharded(path) else dataset_rows
    kind, packing = content_suffixes(path)
    if kind in (".xls", ".ods"):
        raise DataError(f"{path}: the file type {kind} is not supported. {NOT_A_WORKBOOK}")
    readers = _STREAMED if packing else _STREAMED | _WHOLE
    if kind not in readers:
        raise DataError(f"{path}: the file type {kind + packing} is not supported. Pass one of {FILE_TYPES}.")
    reader = readers[kind]
    for option, fits in (("sheet", reader is sheet_rows), ("split", reader is json_rows)):
        value = getattr(layout, option)
        if value is not None and not fits:
            raise OptionError(must_be(option, f"None for a {kind or 'text'} file", value, f"Leave out {option}=."))
    return reader


def layout_of(
    delimiter: str | None = None,
    header: bool | None = None,
    columns: str | Sequence[str] | None = None,
    max_row_length: int | None = None,
    label_separator: str | None = None,
    *,
    sheet: str | None = None,
    split: str | None = None,
) -> Layout:
    """Return the layout for the options of :func:`textlrp.load_corpus`.

    Raises :class:`OptionError` if an option has a wrong value, or if two options contradict each other.
    """
    character = delimiter
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"'):
        character = {"tab": "\t", "\\t": "\t"}.get(delimiter) if isinstance(delimiter, str) else None
        if character is None:
            raise OptionError(must_be("delimiter", "one character or 'tab'", delimiter, "Pass delimiter=';'."))
    names = tuple(name.strip() for name in columns.split(",")) if isinstance(columns, str) else columns
    if names is not None and (not names or not all(names) or len(set(names)) < len(names)):
        hint = "Pass columns='label,text'."
        raise OptionError(must_be("columns", "different names in the order of the file", columns, hint))
    if names is not None and header:
        raise OptionError(
            "columns must be left out if the file has a header; got both columns= and header=True. Leave out one."
        )
    if max_row_length is not None and max_row_length < 1:
        raise OptionError(must_be("max_row_length", "at least 1", max_row_length, "Leave it out for the default."))
    if label_separator is not None and (not isinstance(label_separator, str) or not label_separator):
        hint = "Pass label_separator=','."
        raise OptionError(must_be("label_separator", "one or more characters", label_separator, hint))
    fields = None if names is None else tuple(names)
    return Layout(character, header, fields, max_row_length or MAX_ROW_LENGTH, label_separator, sheet, split)
