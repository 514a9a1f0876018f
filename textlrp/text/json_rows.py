"""Read the rows of JSON and JSON lines files.

:mod:`textlrp.text.json_values` parses the files. Open this module to change which values are rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from textlrp.errors import DataError
from textlrp.text.column_choice import FoundColumns, column_list, resolve_columns
from textlrp.text.json_shapes import Row, flat_row
from textlrp.text.json_values import FoundValue, is_array, values_of_array, values_of_objects
from textlrp.text.opening import open_text
from textlrp.text.row_layout import Columns, FoundRow, Layout, joined_text, shown_value
from textlrp.text.table_header import find_header

_SAMPLE_ROWS, _SAMPLE_CHARACTERS = 100, 1 << 20
"""Rows whose fields are the columns of the file, and the number of characters after which no further row is added."""


def json_rows(path: Path, requested: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """Read a file of JSON lines, of one JSON array, or of one JSON object that contains rows.

    A row is an object, or in an array also a string or an array of fields. The fields of the first rows are the
    columns.
    """
    with open_text(path, encoding, errors, newline="\n") as file:
        array = is_array(file)
    with open_text(path, encoding, errors, newline="\n") as file:
        if array:
            found = values_of_array(file, path, layout.max_row_length)
        else:
            found = values_of_objects(file, path, requested, layout)
        first = _first_values(found)
        names, skipped = _names_of_fields(path, requested, layout, first) if array else (None, 0)
        sample = [(place, _row_of_value(value, names, place, array)) for place, value in first[skipped:]]
        rest = ((place, _row_of_value(value, names, place, array)) for place, value in found)
        columns: FoundColumns | None = None
        for number, (place, row) in enumerate(chain(sample, rest), start=1):
            if isinstance(row, DataError):
                yield FoundRow(place, number, wrong=str(row))
                continue
            if columns is None:
                columns = resolve_columns(_fields([row for _, row in sample]), requested, place)
            yield _found_row(row, columns, place, number)


def _first_values(found: Iterator[FoundValue]) -> list[FoundValue]:
    first, characters = list[FoundValue](), 0
    for place, value in found:
        first.append((place, value))
        fields = value.values() if isinstance(value, dict) else ()
        characters += sum(len(each) for each in fields if isinstance(each, str))
        if len(first) >= _SAMPLE_ROWS or characters > _SAMPLE_CHARACTERS:
            break
    return first


def _names_of_fields(
    path: Path, requested: Columns, layout: Layout, first: Sequence[FoundValue]
) -> tuple[list[str] | None, int]:
    """Return the names of the fields of an array of arrays, and the number of its rows above the data."""
    rows = [["" if field is None else str(field) for field in value] for _, value in first if isinstance(value, list)]
    if not rows or len(rows) < len(first) or not all(rows):
        return None, 0
    header = find_header(path, requested, layout, rows)
    return header.names, header.rows


def _row_of_value(value: object, names: Sequence[str] | None, place: str, array: bool) -> Row | DataError:
    """Return a value as the fields of a row, or the error if it has none."""
    if isinstance(value, DataError):
        return value
    if isinstance(value, dict):
        return flat_row(value)
    if array and isinstance(value, str):
        return {"text": value}
    if names is not None and isinstance(value, list) and len(value) == len(names):
        return dict(zip(names, value, strict=True))
    return DataError(
        f'{place}: must be a JSON object; got {shown_value(value)}. Write it as {{"text": ..., "label": ...}}.'
    )


def _fields(rows: Sequence[Row | DataError]) -> list[tuple[str, bool]]:
    """Return the names of the fields of the rows, each with whether it contains a string."""
    fields: dict[str, bool] = {}
    for row in rows:
        for name, value in row.items() if isinstance(row, dict) else ():
            fields[name] = fields.get(name, False) or isinstance(value, str)
    return list(fields.items())


def _found_row(row: Row, columns: FoundColumns, place: str, number: int) -> FoundRow:
    first = columns.texts[0]
    if len(columns.texts) == 1 and first in row:
        text = row[first]
    elif any(name in row for name in columns.texts):
        text = joined_text([row.get(name) for name in columns.texts])
    else:
        names = " and ".join(map(repr, columns.texts))
        wrong = f"{place}: {names} is missing; the fields are {column_list(list(row))}. Fill it in or drop the row."
        return FoundRow(place, number, wrong=wrong)
    return FoundRow(place, number, text, row.get(columns.label or "label"), row.get(columns.id or "id"))
