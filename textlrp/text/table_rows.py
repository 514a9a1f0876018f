"""Read the rows of files with separated fields: CSV, TSV and files with other delimiters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from textlrp.errors import DataError
from textlrp.text.opening import Lines, RowTooLongError, open_text
from textlrp.text.row_layout import (
    LABEL_COLUMNS,
    TEXT_COLUMNS,
    Columns,
    FoundRow,
    Layout,
    resolve_columns,
    row_place,
    shortened,
    warn_of_guess,
)
from textlrp.text.separated import (
    SAMPLE_LINES,
    CommaRows,
    TabRows,
    is_quoted,
    names_without_header,
    other_delimiter,
    sampled_rows,
)


def separated_rows(
    usual: str, path: Path, requested: Columns, layout: Layout, encoding: str, errors: str
) -> Iterator[FoundRow]:
    """Read a file of separated fields. ``usual`` is the delimiter that the file's suffix promises."""
    with open_text(path, encoding, errors, newline="") as file:
        lines = Lines(file, path, layout.max_row_length)
        sample = lines.sample(SAMPLE_LINES)
        if not sample:
            return
        if len(sample[0]) > layout.max_row_length:
            next(lines)  # raises RowTooLongError
        if "\0" in sample[0]:
            raise DataError(f"{path}: begins with NUL characters. If the file is UTF-16, pass encoding='utf-16'.")
        delimiter = layout.delimiter or _delimiter(path, sample, usual)
        rows = TabRows(lines, None) if delimiter == "\t" and not is_quoted(sample[0], delimiter) else None
        reader = rows or CommaRows(lines, delimiter)
        header = _column_names(path, requested, layout, sample, delimiter)
        names = header if header is not None else reader.next(f"line 1 ({path})")
        if not names:
            return
        names = [name.strip() for name in names]
        if rows is not None:
            rows.width = len(names)
        text, label, id = (
            len(names) if name is None else names.index(name)
            for name in resolve_columns([(name, True) for name in names], requested, f"{path}", header is None)
        )
        number = 0
        while True:
            place = row_place(path, number + 1, lines.number + 1)
            try:
                fields = reader.next(place)
            except RowTooLongError:
                raise
            except DataError as wrong:
                number += 1
                yield FoundRow(place, number, wrong=str(wrong))
                continue
            if fields is None:
                return
            if not fields:  # an empty line
                continue
            if len(names) > 1 and header is None and [field.strip() for field in fields] == names:
                warn_of_guess(
                    path, f"line {lines.number} repeats the header, as in concatenated files. It was skipped."
                )
                continue
            number += 1
            if len(fields) != len(names):
                yield FoundRow(place, number, wrong=f"{place}: {_miscounted(len(fields), len(names), delimiter)}")
                continue
            fields.append("")  # the value of a column that does not exist: its index is len(names)
            yield FoundRow(place, number, fields[text], fields[label], fields[id])


def _miscounted(got: int, expected: int, delimiter: str) -> str:
    hint = "Put a text that contains a tab or a line end in double quotes, and double each inner quote."
    if delimiter != "\t":
        hint = f"Put a text that contains {delimiter!r} or a line end in double quotes."
    return f"the row must have {expected} fields, like the header; got {got}. {hint}"


def _delimiter(path: Path, sample: list[str], usual: str) -> str:
    other, certain = other_delimiter(sample, usual)
    if other is None:
        return usual
    if not certain:
        raise DataError(
            f"{path}: the fields seem to be separated by {other!r}, not {usual!r}; the first line is "
            f"{shortened(sample[0].rstrip())!r}. Pass delimiter={other!r}, or {usual!r} if there is one column."
        )
    warn_of_guess(
        path, f"fields are separated by {other!r}, not {usual!r}. Pass delimiter={other!r} to confirm this."
    )
    return other


def _column_names(
    path: Path, requested: Columns, layout: Layout, sample: list[str], delimiter: str
) -> list[str] | None:
    """Return names for the columns of a file without a header; None if the first row is a header."""
    rows = sampled_rows(sample, delimiter)
    first = [name.strip() for name in rows[0]] if rows else []
    if layout.names is not None:
        if len(layout.names) != len(first):
            raise DataError(
                f"{path}: columns must have one name for each of the {len(first)} columns of the file; got "
                f"{len(layout.names)}. Name each column once."
            )
        return list(layout.names)
    if layout.header or (layout.header is None and _names_columns(first, requested)):
        return None
    names = names_without_header(rows)
    if names is None and layout.header is None:
        return None
    if names is None:
        if len(first) == 1:
            return ["text"]
        raise DataError(
            f"{path}: the file has {len(first)} columns and no header. Name them in order with columns=, such as "
            "label,text."
        )
    as_option = ",".join(names)
    warn_of_guess(
        path, f"there is no header; the columns are read as {as_option}. Pass columns={as_option!r} to confirm this."
    )
    return names


def _names_columns(first: list[str], requested: Columns) -> bool:
    """Whether the first row contains a requested column name, or a usual one if none was requested."""
    names = [name for name in requested if name is not None]
    return any(name in first for name in (names or (*TEXT_COLUMNS, *LABEL_COLUMNS)))
