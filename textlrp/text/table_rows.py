"""Rows of files with separated fields: CSV, TSV and their relatives."""

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

# ---- separated fields


def separated_rows(
    usual: str, path: Path, wanted: Columns, layout: Layout, encoding: str, errors: str
) -> Iterator[FoundRow]:
    with open_text(path, encoding, errors, newline="") as file:
        lines = Lines(file, path, layout.max_row_length)
        sample = lines.sample(SAMPLE_LINES)
        if not sample:
            return
        if len(sample[0]) > layout.max_row_length:
            next(lines)  # raises
        if "\0" in sample[0]:
            raise DataError(f"{path} begins with NUL characters; if it is UTF-16, pass encoding='utf-16'.")
        delimiter = layout.delimiter or _delimiter(path, sample, usual)
        rows = TabRows(lines, None) if delimiter == "\t" and not is_quoted(sample[0], delimiter) else None
        reader = rows or CommaRows(lines, delimiter)
        header = _column_names(path, wanted, layout, sample, delimiter)
        names = header if header is not None else reader.next(f"{path}, line 1")
        if not names:
            return
        names = [name.strip() for name in names]
        if rows is not None:
            rows.width = len(names)
        text, label, id = (
            len(names) if name is None else names.index(name)
            for name in resolve_columns([(name, True) for name in names], wanted, f"{path}", header is None)
        )
        number = 0
        while True:
            place = f"{path}, row {number + 1} (line {lines.number + 1})"
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
                    path, f"line {lines.number} repeats the header, as in files that were joined; it was left out."
                )
                continue
            number += 1
            if len(fields) != len(names):
                yield FoundRow(place, number, wrong=f"{place} {_miscounted(len(fields), len(names), delimiter)}")
                continue
            fields.append("")  # what a column that is not there reads
            yield FoundRow(place, number, fields[text], fields[label], fields[id])


def _miscounted(came: int, wanted: int, delimiter: str) -> str:
    end = "a text with a tab or a line end in it must be in double quotes, each inner one doubled."
    if delimiter != "\t":
        end = f"a text with a {delimiter!r} or a line end in it must be in double quotes."
    return f"has {came} fields where the header has {wanted}; {end}"


def _delimiter(path: Path, sample: list[str], usual: str) -> str:
    other, certain = other_delimiter(sample, usual)
    if other is None:
        return usual
    if not certain:
        raise DataError(
            f"{path} looks separated by {other!r}, not {usual!r}, for its first line is "
            f"{shortened(sample[0].rstrip())!r}; pass delimiter={other!r}, or {usual!r} if it has one column."
        )
    warn_of_guess(path, f"fields are separated by {other!r}, not {usual!r}. Pass delimiter={other!r} to say so.")
    return other


def _column_names(path: Path, wanted: Columns, layout: Layout, sample: list[str], delimiter: str) -> list[str] | None:
    """Names for the columns of a file without a header; None where the first row names them."""
    rows = sampled_rows(sample, delimiter)
    first = [name.strip() for name in rows[0]] if rows else []
    if layout.names is not None:
        if len(layout.names) != len(first):
            raise DataError(
                f"{path} has {len(first)} columns and columns= names {len(layout.names)}; name each of them once."
            )
        return list(layout.names)
    if layout.header or (layout.header is None and _names_columns(first, wanted)):
        return None
    names = names_without_header(rows)
    if names is None and layout.header is None:
        return None
    if names is None:
        if len(first) == 1:
            return ["text"]
        raise DataError(
            f"{path} has {len(first)} columns and no header; name them in order with columns=, such as label,text."
        )
    as_option = ",".join(names)
    warn_of_guess(
        path, f"there is no header; the columns are read as {as_option}. Pass columns={as_option!r} to say so."
    )
    return names


def _names_columns(first: list[str], wanted: Columns) -> bool:
    """Whether a first row has the name of a column that is wanted."""
    asked = [name for name in wanted if name is not None]
    return any(name in first for name in (asked or (*TEXT_COLUMNS, *LABEL_COLUMNS)))
