"""Parse the values of JSON and JSON lines files one at a time, each with its place for messages.

Open this module for what counts as valid JSON. :mod:`textlrp.text.json_rows` turns the values into rows.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textlrp.errors import DataError
from textlrp.text.json_shapes import rows_in
from textlrp.text.opening import Lines, too_long
from textlrp.text.row_layout import Columns, Layout, row_place
from textlrp.text.surrogates import all_without_surrogates, has_surrogate

FoundValue = tuple[str, Any]
"""The place of a value, and the value; a :class:`DataError` if it is not valid JSON."""

_BLANK = " \t\r\n\ufeff"


def is_array(file: io.TextIOWrapper) -> bool:
    """Whether a file begins with an array."""
    return file.read(1 << 12).lstrip(_BLANK).startswith("[")


def values_of_array(file: io.TextIOWrapper, path: Path, limit: int) -> Iterator[FoundValue]:
    """Yield the elements of an array, in constant memory."""
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
            value, end = decode(buffer)
        except (ValueError, RecursionError) as error:
            reason = str(error)
        # an element at the end of the buffer may continue in the file: 12 may be the start of 123
        if end and (end < len(buffer) or ended):
            number += 1
            yield place, _whole_characters(value, buffer[:end], place)
            buffer = buffer[end:].lstrip()
            continue
        if ended:
            raise DataError(f"{place}: not valid JSON ({reason}). The file must contain one array of objects.")
        if len(buffer) > limit:
            raise DataError(too_long(place, limit))
        # double the buffer each time: a long element is decoded again after each read, and the cost stays linear
        more = file.read(max(len(buffer), 1 << 16))
        buffer, ended = (buffer + more).lstrip(), not more


def values_of_objects(file: io.TextIOWrapper, path: Path, requested: Columns, layout: Layout) -> Iterator[FoundValue]:
    """Yield the object of each line, or the rows of one object, or the objects of a file with line breaks in them.

    Only JSON lines are read in constant memory; another file must have at most ``layout.max_row_length`` characters.
    """
    lines = Lines(file, path, layout.max_row_length)
    first = [line for line in lines.sample(50) if line.strip(_BLANK)][:2]
    if len(first) == 1 or (len(first) > 1 and _continues(*first)):
        text = list(lines)
        values = _values_in("".join(text))
        rows = rows_in(values[0], requested, layout.split) if len(values) == 1 else None
        if rows is None and len(first) > 1:
            rows = values
        if rows:
            yield from ((row_place(path, number), row) for number, row in enumerate(rows, start=1))
            return
        lines.put_back(text)
    for raw in lines:
        lines.begin_row()
        if raw.isspace():
            continue
        place = f"line {lines.number} ({path})"
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as error:
            yield place, DataError(f"{place}: not valid JSON ({error}). Each line must contain one object.")
            continue
        yield place, _whole_characters(value, raw, place)


def _continues(first: str, second: str) -> bool:
    """Whether the object of the first line continues in the second line."""
    if second.startswith("{"):  # another object
        return False
    try:
        json.loads(first)
    except json.JSONDecodeError as error:
        return error.pos >= len(first.rstrip())
    except (ValueError, RecursionError):
        return False
    return False


def _values_in(text: str) -> list[Any]:
    """Return the values of a text that contains one or more JSON objects; none if it does not."""
    decode, found, position = json.JSONDecoder().raw_decode, list[Any](), 0
    text = text.strip(_BLANK)
    try:
        while position < len(text):
            value, end = decode(text, position)
            if not isinstance(value, dict):
                return []
            found.append(_whole_characters(value, text[position:end], "the file"))
            position = len(text) - len(text[end:].lstrip())
    except (ValueError, RecursionError):
        return []
    return found


def _whole_characters(value: Any, raw: str, place: str) -> Any:
    """Return a value in which half a surrogate pair in an escape has become U+FFFD, with a warning."""
    if "\\ud" not in raw.lower() or has_surrogate(raw):
        return value
    fixed = all_without_surrogates(value)
    if fixed != value:
        warnings.warn(
            f"{place}: an escape is half of a surrogate pair and not a character; it is read as U+FFFD.",
            UserWarning,
            stacklevel=2,
        )
    return fixed
