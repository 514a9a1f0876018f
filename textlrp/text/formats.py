"""The formats of files with texts: each gives the rows it finds, and says of each what is wrong with it, if it is.

What is wrong with a file as a whole raises :class:`DataError`.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.errors import DataError
from textlrp.text.opening import open_for_arrow, open_text

TEXT_COLUMNS = ("text", "content", "body", "message")
LABEL_COLUMNS = ("label", "category", "class", "target")
ID_COLUMNS = ("id",)

FILE_TYPES = ".csv, .tsv, .jsonl (each also .gz), .parquet and folders of class folders"

_LONGEST_FIELD = 2**31 - 1  # what fits a C long everywhere
_PARQUET_BATCH = 256  # rows


class Columns(NamedTuple):
    """Names of the columns to read; None stands for the default name, or for none there."""

    text: str | None = None
    label: str | None = None
    id: str | None = None


class Found(NamedTuple):
    text: str
    label: str | None
    id: str | None


class Row(NamedTuple):
    """One row as it was found; ``wrong`` says why it has no values where it has none."""

    place: str
    number: int
    text: object = None
    label: object = None
    id: object = None
    wrong: str = ""


Rows = Callable[[Path, Columns, str, str], Iterator[Row]]
"""(path, columns, encoding, what to do with bytes that it does not have) -> rows."""


def rows_of(path: Path) -> Rows:
    """What reads a file, by its suffix; raises :class:`DataError` for one that is not read."""
    readers: dict[str, Rows] = {
        ".csv": partial(_csv_rows, ","),
        ".tsv": partial(_csv_rows, "\t"),
        ".jsonl": _jsonl_rows,
        ".parquet": _parquet_rows,
    }
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"] and suffixes[-2:-1] != [".parquet"]
    kind = "".join(suffixes[-2:-1] if packed else suffixes[-1:])
    if kind not in readers:
        raise DataError(f"{path} is of a type that is not read ({kind or 'no suffix'}); these are: {FILE_TYPES}.")
    return readers[kind]


def _csv_rows(delimiter: str, path: Path, wanted: Columns, encoding: str, errors: str) -> Iterator[Row]:
    with open_text(path, encoding, errors, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = [name.strip() for name in _next_fields(reader, f"{path}, line 1") or ()]
        if not header:
            return
        _check_header(path, header, delimiter)
        columns = _resolve([(name, True) for name in header], wanted, f"{path}")
        text, label, id = (len(header) if name is None else header.index(name) for name in columns)
        number = 0
        while True:
            place = f"{path}, row {number + 1} (line {reader.line_num + 1})"
            try:
                fields = _next_fields(reader, place)
            except DataError as wrong:
                number += 1
                yield Row(place, number, wrong=str(wrong))
                continue
            if fields is None:
                return
            if not fields:  # an empty line
                continue
            number += 1
            if len(fields) != len(header):
                yield Row(
                    place,
                    number,
                    wrong=f"{place} has {len(fields)} fields where the header has {len(header)}; "
                    f"texts that hold a {delimiter!r} or a line end stand in double quotes.",
                )
                continue
            fields.append("")  # what a column that is not there reads
            yield Row(place, number, fields[text], fields[label], fields[id])


def _next_fields(reader: Any, place: str) -> list[str] | None:
    """The next row, however long its fields; None at the end of the file."""
    usual = csv.field_size_limit(_LONGEST_FIELD)  # the module's only switch is global, so it is set back at once
    try:
        fields: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise DataError(
            f"{place} is not valid CSV ({error}); a field with double quotes in it stands in double quotes itself, "
            "each inner one doubled."
        ) from None
    finally:
        csv.field_size_limit(usual)
    return fields


def _check_header(path: Path, header: list[str], delimiter: str) -> None:
    line = "".join(header)
    if "\0" in line:
        raise DataError(f"{path} begins with NUL characters; if it is UTF-16, pass encoding='utf-16'.")
    if len(header) == 1 and (other := next((mark for mark in ",;\t|" if mark in line), None)):
        raise DataError(
            f"{path} looks separated by {other!r}, not {delimiter!r}, for its first line is {shortened(line)!r}; "
            ".csv files are read with ',' and .tsv files with tabs."
        )


def _jsonl_rows(path: Path, wanted: Columns, encoding: str, errors: str) -> Iterator[Row]:
    columns: Found | None = None
    number = 0
    with open_text(path, encoding, errors, newline="\n") as file:
        for line, raw in enumerate(file, start=1):
            if raw.isspace():
                continue
            number += 1
            place = f"{path}, line {line}"
            try:
                row = _json_object(raw, place)
            except DataError as wrong:
                yield Row(place, number, wrong=str(wrong))
                continue
            if columns is None:
                columns = _resolve([(name, isinstance(value, str)) for name, value in row.items()], wanted, place)
            if columns.text not in row:
                lacks = f"{place} has no {columns.text!r}; it has {listed(list(row))}."
                yield Row(place, number, wrong=lacks)
                continue
            yield Row(
                place, number, row[columns.text], row.get(columns.label or "label"), row.get(columns.id or "id")
            )


def _json_object(raw: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(raw)
        if "\\ud" in raw.lower():  # an emoji, or half of one, which no file could hold
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not valid JSON ({error}); each line holds one object.") from None
    if not isinstance(row, dict):
        raise DataError(f"{place} is {came(row)}, not a JSON object such as {{'text': ..., 'label': ...}}.")
    return row


def _parquet_rows(path: Path, wanted: Columns, encoding: str, errors: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def is_string(kind: Any) -> bool:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))

    number = 0
    try:
        with open_for_arrow(path) as raw, pq.ParquetFile(raw) as file:
            fields = [(field.name, is_string(field.type)) for field in file.schema_arrow]
            columns = _resolve(fields, wanted, f"{path}")
            named = [name for name in columns if name is not None]
            for batch in _batches(file, named):
                nothing = [None] * batch.num_rows
                table = (
                    nothing if name is None else _values(batch.column(name), errors != "strict") for name in columns
                )
                for text, label, id in zip(*table, strict=True):
                    number += 1
                    yield Row(f"{path}, row {number}", number, text, label, id)
    except UnicodeDecodeError:
        raise DataError(f"{path} holds a text that is not UTF-8 after row {number}; write it anew.") from None
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}.") from None


def _batches(file: Any, columns: list[str]) -> Iterator[Any]:
    """The batches of a Parquet file, row group by row group: one reader for all keeps what it has read."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=_PARQUET_BATCH, row_groups=[group], columns=columns)


def _values(column: Any, lenient: bool) -> list[object]:
    """The values of a column; with ``lenient`` those that are not UTF-8 as the bytes they are."""
    try:
        values: list[object] = column.to_pylist()
    except UnicodeDecodeError:
        if not lenient:
            raise
        values = [
            scalar.as_buffer().to_pybytes().decode(errors="surrogateescape") if scalar.is_valid else None
            for scalar in column
        ]
    return values


# ---- columns and values


def _resolve(columns: Sequence[tuple[str, bool]], wanted: Columns, place: str) -> Found:
    """Which columns to read, out of names that say whether they hold strings."""
    names = [name for name, _ in columns]
    for name in wanted:
        if name is not None and name not in names:
            raise DataError(f"{place} has no column {name!r}; it has {listed(names)}.")

    def usual(candidates: Sequence[str], *taken: str | None) -> str | None:
        return next((name for name in candidates if name in names and name not in taken), None)

    label = wanted.label or usual(LABEL_COLUMNS, wanted.text, wanted.id)
    id = wanted.id or usual(ID_COLUMNS, wanted.text, label)
    text = wanted.text or usual(TEXT_COLUMNS, label, id)
    if text is None:
        strings = [name for name, is_string in columns if is_string and name not in (label, id)]
        if len(strings) != 1:
            raise DataError(f"{place} has no column 'text'; name one with text=, out of {listed(names)}.")
        text = strings[0]
    for name in (text, label, id):
        if names.count(str(name)) > 1:
            raise DataError(f"{place} has two columns named {name!r}; rename one.")
    return Found(text, label, id)


def is_missing(value: object) -> bool:
    """Whether there is no value."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def came(value: object) -> str:
    """A value that was not wanted, for a message."""
    return "nothing" if is_missing(value) else f"{shortened(repr(value))} ({type(value).__name__})"


def shortened(text: str) -> str:
    """The beginning of a text that may be long."""
    return text if len(text) <= 60 else text[:57] + "..."


def listed(columns: Sequence[str]) -> str:
    """Names of columns, for a message."""
    names = ", ".join(repr(shortened(name)) for name in columns[:20]) or "none"
    return names if len(columns) <= 20 else f"{names} and {len(columns) - 20} more"
