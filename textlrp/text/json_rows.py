"""Rows of JSON and JSON lines."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textlrp.errors import DataError
from textlrp.text.opening import Lines, open_text, too_long
from textlrp.text.row_layout import Columns, FoundColumns, FoundRow, Layout, came, column_list, resolve_columns
from textlrp.text.surrogates import has_surrogate, without_surrogates

# ---- JSON


def json_rows(path: Path, wanted: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """JSON lines, or one array of objects."""
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
                    [(name, isinstance(value, str)) for name, value in row.items()], wanted, place
                )
            if columns.text not in row:
                lacks = f"{place} has no {columns.text!r}; it has {column_list(list(row))}."
                yield FoundRow(place, number, wrong=lacks)
                continue
            yield FoundRow(
                place, number, row[columns.text], row.get(columns.label or "label"), row.get(columns.id or "id")
            )


def _objects(file: io.TextIOWrapper, path: Path, limit: int) -> Iterator[tuple[str, dict[str, Any] | DataError]]:
    """The place and the object of each line, or what is wrong with it."""
    lines = Lines(file, path, limit)
    for raw in lines:
        lines.begin_row()
        if raw.isspace():
            continue
        place = f"{path}, line {lines.number}"
        try:
            yield place, json_object(raw, place)
        except DataError as wrong:
            yield place, wrong


def _array(file: io.TextIOWrapper, path: Path, limit: int) -> Iterator[tuple[str, dict[str, Any] | DataError]]:
    """The place and the object of each element of an array, one at a time."""
    decode = json.JSONDecoder().raw_decode
    held, number, opened, ended, reason = "", 0, False, False, "it breaks off"
    while True:
        if held and not (opened and number == 0):
            held = held[1:].lstrip() if held[0] == ("," if opened else "[") else held
            opened = True
        if held.startswith("]"):
            return
        place, end = f"{path}, row {number + 1}", 0
        try:
            _, end = decode(held)
        except (ValueError, RecursionError) as error:
            reason = str(error)
        if end and (end < len(held) or ended):
            number += 1
            try:
                yield place, json_object(held[:end], place)
            except DataError as wrong:
                yield place, wrong
            held = held[end:].lstrip()
            continue
        if ended:
            raise DataError(f"{place} is not valid JSON ({reason}); the file must hold one array of objects.")
        if len(held) > limit:
            raise DataError(too_long(place, limit))
        more = file.read(max(len(held), 1 << 16))
        held, ended = (held + more).lstrip(), not more


def json_object(raw: str, place: str) -> dict[str, Any]:
    """The object that a line of JSON holds; half a surrogate pair in an escape becomes U+FFFD, with a warning.

    Raises :class:`DataError` where it holds none.
    """
    try:
        row = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not valid JSON ({error}); each line must hold one object.") from None
    if not isinstance(row, dict):
        raise DataError(f"{place} is {came(row)}, not a JSON object such as {{'text': ..., 'label': ...}}.")
    if "\\ud" in raw.lower() and not has_surrogate(raw):
        mended = {name: without_surrogates(value) if isinstance(value, str) else value for name, value in row.items()}
        if mended != row:
            warnings.warn(
                f"{place} has half a surrogate pair in an escape, which is no character; it is read as U+FFFD.",
                UserWarning,
                stacklevel=2,
            )
            return mended
    found: dict[str, Any] = row
    return found
