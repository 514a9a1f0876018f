"""Read the rows of JSON and JSON lines files."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textlrp.errors import DataError
from textlrp.text.opening import Lines, open_text, too_long
from textlrp.text.row_layout import (
    Columns,
    FoundColumns,
    FoundRow,
    Layout,
    column_list,
    resolve_columns,
    row_place,
    shown_value,
)
from textlrp.text.surrogates import has_surrogate, without_surrogates


def json_rows(path: Path, requested: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """Read a file of JSON lines, or of one JSON array of objects. The first object determines the columns."""
    columns: FoundColumns | None = None
    with open_text(path, encoding, errors, newline="\n") as file:
        is_array = file.read(1 << 12).lstrip().startswith("[")
    with open_text(path, encoding, errors, newline="\n") as file:
        found = _array if is_array else _objects
        for number, (place, row) in enumerate(found(file, path, layout.max_row_length), start=1):
            if isinstance(row, DataError):
                yield FoundRow(place, number, wrong=str(row))
                continue
            if columns is None:
                columns = resolve_columns(
                    [(name, isinstance(value, str)) for name, value in row.items()], requested, place
                )
            if columns.text not in row:
                fields = column_list(list(row))
                wrong = f"{place}: {columns.text!r} is missing; the fields are {fields}. Fill it in or drop the row."
                yield FoundRow(place, number, wrong=wrong)
                continue
            yield FoundRow(
                place, number, row[columns.text], row.get(columns.label or "label"), row.get(columns.id or "id")
            )


def _objects(file: io.TextIOWrapper, path: Path, limit: int) -> Iterator[tuple[str, dict[str, Any] | DataError]]:
    """Yield the place and the object of each line, or the error if the line has no object."""
    lines = Lines(file, path, limit)
    for raw in lines:
        lines.begin_row()
        if raw.isspace():
            continue
        place = f"line {lines.number} ({path})"
        try:
            yield place, json_object(raw, place)
        except DataError as wrong:
            yield place, wrong


def _array(file: io.TextIOWrapper, path: Path, limit: int) -> Iterator[tuple[str, dict[str, Any] | DataError]]:
    """Yield the place and the object, or the error, of each element of an array, in constant memory."""
    decode = json.JSONDecoder().raw_decode
    buffer, number, opened, ended, reason = "", 0, False, False, "it ends early"
    while True:
        if buffer and not (opened and number == 0):
            buffer = buffer[1:].lstrip() if buffer[0] == ("," if opened else "[") else buffer
            opened = True
        if buffer.startswith("]"):
            return
        place, end = row_place(path, number + 1), 0
        try:
            _, end = decode(buffer)
        except (ValueError, RecursionError) as error:
            reason = str(error)
        # an element at the end of the buffer may continue in the file: 12 may be the start of 123
        if end and (end < len(buffer) or ended):
            number += 1
            try:
                yield place, json_object(buffer[:end], place)
            except DataError as wrong:
                yield place, wrong
            buffer = buffer[end:].lstrip()
            continue
        if ended:
            raise DataError(f"{place}: not valid JSON ({reason}). The file must contain one array of objects.")
        if len(buffer) > limit:
            raise DataError(too_long(place, limit))
        # double the buffer each time: a long element is decoded again after each read, and the cost stays linear
        more = file.read(max(len(buffer), 1 << 16))
        buffer, ended = (buffer + more).lstrip(), not more


def json_object(raw: str, place: str) -> dict[str, Any]:
    """Parse one JSON object. Half a surrogate pair in an escape becomes U+FFFD, with a warning.

    Raises :class:`DataError`, which begins with ``place``, if ``raw`` is not one object.
    """
    try:
        row = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not valid JSON ({error}). Each line must contain one object.") from None
    if not isinstance(row, dict):
        raise DataError(
            f'{place}: must be a JSON object; got {shown_value(row)}. Write it as {{"text": ..., "label": ...}}.'
        )
    if "\\ud" in raw.lower() and not has_surrogate(raw):
        fixed = {name: without_surrogates(value) if isinstance(value, str) else value for name, value in row.items()}
        if fixed != row:
            warnings.warn(
                f"{place}: an escape is half of a surrogate pair and not a character; it is read as U+FFFD.",
                UserWarning,
                stacklevel=2,
            )
            return fixed
    found: dict[str, Any] = row
    return found
