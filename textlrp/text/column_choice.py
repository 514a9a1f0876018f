"""Choose the columns of a table that contain text, label and id.

A requested name need not match in case, or in white space at its edges, if the match is unique. Open this module to
change which names are found without options.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from textlrp.errors import DataError, closest
from textlrp.text.invisible import without_blank_edges
from textlrp.text.row_layout import Columns, shortened

TEXT_COLUMNS = ("text", "content", "body", "message")
LABEL_COLUMNS = ("label", "category", "class", "target")
"""Usual names. If a table has several, the first one here is chosen."""

OTHER_TEXT_COLUMNS = ("review", "comment", "tweet", "sentence", "document", "description")
OTHER_LABEL_COLUMNS = ("sentiment", "topic", "intent", "tag")
"""Names that are chosen only if a table has one of them, and none of the names above."""

ID_COLUMNS = ("id",)


class FoundColumns(NamedTuple):
    """Names of the columns that a table has; ``label`` and ``id`` are None if there is no such column."""

    texts: tuple[str, ...]
    label: str | None
    id: str | None


def resolve_columns(
    columns: Sequence[tuple[str, bool]], requested: Columns, place: str, has_header: bool = False
) -> FoundColumns:
    """Choose the columns to read.

    ``columns`` are the names in the table, each with whether it contains strings. A column that was not requested
    is found by its usual names, with a warning if the name is not the first of them; the text may also be the only
    column of strings. ``place`` begins the messages. Raises :class:`DataError` if a column is missing, or if a name
    fits several columns.
    """
    names = [name for name, _ in columns]
    texts = _requested_texts(requested.text, names, place)
    label = None if requested.label is None else _named_column(requested.label, names, place)
    id = None if requested.id is None else _named_column(requested.id, names, place)
    label = label or _usual_label(names, (*texts, id), place)
    id = id or _usual(names, ID_COLUMNS, (*texts, label))
    texts = texts or (_usual_text(columns, label, id, place, has_header),)
    for name in (*texts, label, id):
        if names.count(str(name)) > 1:
            raise DataError(f"{place}: two columns are named {name!r}. Rename one of them.")
    _report_choice(texts[0] if requested.text is None else "", label if requested.label is None else None, place)
    return FoundColumns(texts, label, id)


def folded_name(name: str) -> str:
    """Return a column name without its case, white space at its edges, byte order mark and leading ``#``."""
    return without_blank_edges(without_blank_edges(name).removeprefix("#")).casefold()


def split_columns(text: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names of several text columns, given as a tuple or as one string with commas."""
    parts = text.split(",") if isinstance(text, str) else text or ()
    return tuple(name for part in parts if (name := part.strip()))


def column_list(columns: Sequence[str]) -> str:
    """Format column names for a message."""
    names = ", ".join(repr(shortened(name)) for name in columns[:20]) or "none"
    return names if len(columns) <= 20 else f"{names} and {len(columns) - 20} more"


def _requested_texts(text: str | tuple[str, ...] | None, names: Sequence[str], place: str) -> tuple[str, ...]:
    if text is None:
        return ()
    if isinstance(text, str) and ("," not in text or _matches(text, names)):
        return (_named_column(text, names, place),)
    return tuple(_named_column(name, names, place) for name in split_columns(text))


def _matches(name: str, names: Sequence[str]) -> list[str]:
    """Return the columns with this name, or else those whose names differ only in case or white space."""
    exact = [each for each in names if each == name]
    return exact[:1] or [each for each in names if folded_name(each) == folded_name(name)]


def _named_column(name: str, names: Sequence[str], place: str) -> str:
    found = _matches(name, names)
    if not found:
        hint = closest(name, names)
        raise DataError(
            f"{place}: there is no column {name!r}; the columns are {column_list(names)}.{hint} Pass one of them."
        )
    if len(found) > 1:
        raise DataError(f"{place}: {name!r} fits several columns: {column_list(found)}. Pass one of these names.")
    return found[0]


def _usual(names: Sequence[str], candidates: Sequence[str], taken: Sequence[str | None]) -> str | None:
    """Return the column with the first of the candidate names; of a nested object, also its last part."""
    for shown in (folded_name, lambda name: folded_name(name.rpartition(".")[2])):
        for candidate in candidates:
            found = [name for name in names if shown(name) == candidate and name not in taken]
            if found:
                return candidate if candidate in found else found[0]
    return None


def _several(names: Sequence[str], candidates: Sequence[str], taken: Sequence[str | None]) -> list[str]:
    """Return all columns with one of the candidate names, in the order of the table."""
    return [name for name in dict.fromkeys(names) if folded_name(name) in candidates and name not in taken]


def _usual_label(names: Sequence[str], taken: Sequence[str | None], place: str) -> str | None:
    if (found := _usual(names, LABEL_COLUMNS, taken)) is not None:
        return found
    others = _several(names, OTHER_LABEL_COLUMNS, taken)
    if len(others) > 1:
        warnings.warn(
            f"{place}: several columns may be the label: {column_list(others)}. No label is read. Pass label= with "
            "the name of one of them.",
            UserWarning,
            stacklevel=2,
        )
        return None
    return others[0] if others else None


def _usual_text(
    columns: Sequence[tuple[str, bool]], label: str | None, id: str | None, place: str, has_header: bool
) -> str:
    names = [name for name, _ in columns]
    if (found := _usual(names, TEXT_COLUMNS, (label, id))) is not None:
        return found
    others = _several(names, OTHER_TEXT_COLUMNS, (label, id))
    if len(others) == 1:
        return others[0]
    if others:
        raise DataError(
            f"{place}: several columns may be the text: {column_list(others)}. Pass text= with the name of one of "
            f"them, or text={','.join(others)!r} to join them."
        )
    strings = [name for name, is_string in columns if is_string and name not in (label, id) and name.strip()]
    if len(strings) == 1:
        return strings[0]
    or_header = " If the first row is not a header, pass columns= with names, such as label,text." * has_header
    raise DataError(
        f"{place}: there is no column 'text'; the columns are {column_list(names)}. Pass text= with the name "
        f"of the text column.{or_header}"
    )


def _report_choice(text: str, label: str | None, place: str) -> None:
    """Warn which columns were chosen without an option, unless they have the first of the usual names."""
    chosen = {
        name: column
        for name, column, usual in (("text", text, TEXT_COLUMNS[0]), ("label", label, LABEL_COLUMNS[0]))
        if column and column != usual
    }
    if chosen:
        read = " and ".join(f"the {name} is read from column {column!r}" for name, column in chosen.items())
        options = ", ".join(f"{name}={column!r}" for name, column in chosen.items())
        warnings.warn(f"{place}: {read}. Pass {options} to confirm this.", UserWarning, stacklevel=2)
