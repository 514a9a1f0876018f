"""Find the rows in JSON files that are not a list of objects: the shapes that libraries and annotation tools write.

:mod:`textlrp.text.json_rows` reads the files. Open this module to recognize another shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textlrp.errors import OptionError, closest, must_be
from textlrp.text.column_choice import (
    LABEL_COLUMNS,
    OTHER_LABEL_COLUMNS,
    OTHER_TEXT_COLUMNS,
    TEXT_COLUMNS,
    folded_name,
    split_columns,
)
from textlrp.text.row_layout import Columns

Row = dict[str, Any]


def rows_in(value: Mapping[str, Any], requested: Columns, split: str | None) -> list[Any] | None:
    """Return the rows that one JSON object contains, or None if the object is a single row.

    Recognized are, in this order: ``{"columns": [...], "data": [[...]]}``; an object with one list of rows, or with
    one list for each split of a dataset; lists of equal length, one per column; and objects of objects, by column or
    by row. Raises :class:`OptionError` if there are several splits, or none of the name ``split``.
    """
    if isinstance(value.get("columns"), list) and _is_list_of(value.get("data"), list):
        return [dict(zip(map(str, value["columns"]), row, strict=False)) for row in value["data"]]
    parts = {name: part for name, part in value.items() if _is_list_of(part, dict)}
    texts = {folded_name(name) for name in split_columns(requested.text) or (*TEXT_COLUMNS, *OTHER_TEXT_COLUMNS)}
    if parts and not any(isinstance(field, str) and folded_name(name) in texts for name, field in value.items()):
        return _rows_of_split(parts, split)
    columns = {name: column for name, column in value.items() if isinstance(column, list)}
    if columns and len(columns) == len(value) and len({len(column) for column in columns.values()}) == 1:
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if (len(value) > 1 or "".join(value).isdecimal()) and all(isinstance(each, dict) for each in value.values()):
        return _objects_of_objects(value, requested)
    return None


def flat_row(row: Row) -> Row:
    """Return a row with the fields of nested objects as ``outer.inner``, and the label that Label Studio nests."""
    for value in row.values():
        if isinstance(value, dict):
            break
    else:
        return row
    nested = {name: value for name, value in row.items() if isinstance(value, dict)}
    flat = dict(row)
    for outer, fields in nested.items():
        flat |= {f"{outer}.{inner}": value for inner, value in fields.items()}
    if "data" in nested and isinstance(row.get("annotations"), list) and "label" not in flat:
        flat["label"] = _chosen(row["annotations"])
    return flat


def choose_split(names: Sequence[str], split: str | None) -> str:
    """Return the requested split, or the only one; raises :class:`OptionError` if neither exists."""
    if split is None and len(names) == 1:
        return names[0]
    if split in names:
        return str(split)
    known = ", ".join(map(repr, names))
    hint = f"Pass split={names[0]!r}." if split is None else closest(split, names).strip()
    raise OptionError(must_be("split", f"one of {known}", split, hint))


def _rows_of_split(parts: Mapping[str, list[Row]], split: str | None) -> list[Row]:
    return parts[choose_split(list(parts), split if len(parts) > 1 or split in parts else None)]


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, kind) for each in value)


def _objects_of_objects(value: Mapping[str, Row], requested: Columns) -> list[Row]:
    """Return the rows of an object of objects, as :meth:`pandas.DataFrame.to_json` writes tables.

    The outer names are the columns if one of them is a requested or usual name; otherwise they name the rows.
    """
    asked = [*split_columns(requested.text), *(name for name in (requested.label, requested.id) if name)]
    usual = (*TEXT_COLUMNS, *LABEL_COLUMNS, *OTHER_TEXT_COLUMNS, *OTHER_LABEL_COLUMNS)
    names = {folded_name(name) for name in asked} or set(usual)
    if not any(folded_name(name) in names for name in value):
        return list(value.values())
    rows: dict[str, Row] = {}
    for column, values in value.items():
        for number, each in values.items():
            rows.setdefault(number, {})[column] = each
    return list(rows.values())


def _chosen(annotations: Sequence[Any]) -> list[str]:
    """Return the classes that an annotator chose in Label Studio, from the first annotation of a text."""
    first = annotations[0] if annotations and isinstance(annotations[0], dict) else {}
    found: list[str] = []
    for result in first.get("result") or ():
        value = result.get("value") if isinstance(result, dict) else None
        choices = value.get("choices") if isinstance(value, dict) else None
        found += choices if isinstance(choices, list) else []
    return found
