"""Rows of a table as documents: the text of a row is the text of its columns, each below the name of the column.

Open it for how a DataFrame becomes texts with exact offsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from textlrp.errors import DataError, must_be
from textlrp.records import Document


@dataclass(frozen=True, slots=True, eq=False)
class FrameRow(Document):
    """A row of a table. The names of its columns are skipped ranges of ``text``.

    ``values`` are the values of its columns by name. ``places`` are the (start, end) offsets of each text column in
    ``text``.
    """

    values: Mapping[Any, Any] = field(default_factory=dict)
    places: Mapping[Any, tuple[int, int]] = field(default_factory=dict)


def is_frame(texts: Any) -> bool:
    """Whether this is a DataFrame, recognized without importing pandas or polars."""
    return hasattr(texts, "columns") and hasattr(texts, "to_dict")


def as_rows(table: Any, text_columns: Sequence[Any], other_columns: Sequence[Any]) -> Any:
    """Convert a DataFrame or dictionaries to an iterator of :class:`FrameRow`, and one dictionary to one row.

    Rows that are converted already are returned as they are. Rows are named by their position, counted from 1.
    Raises :class:`DataError` for anything else, for a missing column, and for a text column whose value is no text.
    """
    if isinstance(table, FrameRow):
        return table
    if isinstance(table, Mapping):
        return _frame_row(table, 0, text_columns, other_columns)
    if is_frame(table):
        table = table.to_dict("records")
    if isinstance(table, (str, Document)) or not isinstance(table, Iterable):
        raise _no_table(table, text_columns, other_columns)
    return (
        row if isinstance(row, FrameRow) else _frame_row(row, number, text_columns, other_columns)
        for number, row in enumerate(table)
    )


def _frame_row(values: Any, number: int, text_columns: Sequence[Any], other_columns: Sequence[Any]) -> FrameRow:
    if not isinstance(values, Mapping):
        raise _no_table(values, text_columns, other_columns)
    missing = [column for column in (*text_columns, *other_columns) if column not in values]
    if missing:
        raise DataError(
            f"row {number}: the table must have the column {missing[0]!r}, which the model reads; got the columns "
            f"{', '.join(map(repr, values))}. Pass the columns that the model was fitted on."
        )
    text, places, names = "", {}, []
    for column in text_columns:
        value = values[column]
        if not isinstance(value, str):
            what = must_be(f"row {number}: column {column!r}", "a text", value, "Write '' for an empty text.")
            raise DataError(what)
        text += "\n\n" if text else ""
        if len(text_columns) > 1:
            names.append((len(text), len(text) + len(str(column))))
            text += f"{column}\n"
        places[column] = (len(text), len(text) + len(value))
        text += value
    skip = np.array(names, dtype=np.int32).reshape(-1, 2)
    return FrameRow(str(number + 1), text, skip=skip, values=dict(values), places=places)


def _no_table(value: Any, text_columns: Sequence[Any], other_columns: Sequence[Any]) -> DataError:
    names = ", ".join(map(repr, (*text_columns, *other_columns)))
    return DataError(
        f"the texts must be a DataFrame or dictionaries with the columns {names}, because this model reads a table; "
        f"got an object of type {type(value).__name__}. Pass the DataFrame to "
        "textlrp.explain; the command line does not read tables with several columns."
    )
