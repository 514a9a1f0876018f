"""Read the rows of files with separated fields: CSV, TSV and files with other delimiters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from textlrp.errors import DataError
from textlrp.text.column_choice import FoundColumns, resolve_columns
from textlrp.text.dialects import DELIMITERS, SAMPLE_LINES, find_delimiter, find_dialect, sampled_rows, separator_line
from textlrp.text.opening import Lines, RowTooLongError, open_text
from textlrp.text.row_layout import (
    Columns,
    FoundRow,
    Layout,
    joined_text,
    row_place,
    shortened,
    warn_of_guess,
)
from textlrp.text.separated import CommaRows, Dialect, TabRows, is_quoted
from textlrp.text.table_header import MOST_ABOVE, Header, find_header, names_columns


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
        declared = separator_line(sample[0])
        if declared:
            next(lines)
            sample = lines.sample(SAMPLE_LINES)
        delimiter = layout.delimiter or declared or _delimiter(path, sample, usual, requested)
        dialect = find_dialect(_from_table(sample, delimiter), delimiter)
        tabs = TabRows(lines, None) if delimiter == "\t" and not _first_is_quoted(sample) else None
        reader = tabs or CommaRows(lines, dialect)
        header = find_header(path, requested, layout, sampled_rows(sample, dialect))
        _skip_rows(reader, header.rows, path)
        names = header.names
        if not names:
            return
        if tabs is not None:
            tabs.width = len(names)
        strings = [(name, True) for name in names]
        found = resolve_columns(strings, requested, f"{path}", has_header=header.found)
        yield from _data_rows(reader, lines, path, header, found, dialect)


def _first_is_quoted(sample: list[str]) -> bool:
    return bool(sample) and is_quoted(sample[0], "\t")


def _from_table(sample: list[str], delimiter: str) -> list[str]:
    """Return the sample from the first line that contains the delimiter: titles and comments may be above it."""
    start = next((n for n, line in enumerate(sample) if delimiter in line and not line.startswith("#")), 0)
    return sample[start:]


def _skip_rows(reader: CommaRows | TabRows, count: int, path: Path) -> None:
    """Read the header, and the rows above it, if the file has one."""
    while count > 0:
        fields = reader.next(f"line 1 ({path})")
        if fields is None:
            return
        count -= bool(fields)


def _data_rows(
    reader: CommaRows | TabRows, lines: Lines, path: Path, header: Header, found: FoundColumns, dialect: Dialect
) -> Iterator[FoundRow]:
    names = header.names
    texts = [names.index(name) for name in found.texts]
    # the index of a column that does not exist is that of an additional empty field
    label, id = (len(names) if name is None else names.index(name) for name in (found.label, found.id))
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
        if not fields or (len(fields) > 1 and not any(fields)):  # an empty line
            continue
        if len(names) > 1 and header.found and [field.strip() for field in fields] == names:
            warn_of_guess(path, f"line {lines.number} repeats the header, as in concatenated files. It was skipped.")
            continue
        number += 1
        if len(fields) != len(names):
            fields = _as_wide_as_names(fields, names)
        if len(fields) != len(names):
            wrong_count = _miscounted(len(fields), len(names), dialect.delimiter)
            yield FoundRow(place, number, wrong=f"{place}: {wrong_count}")
            continue
        fields.append("")
        text = fields[texts[0]] if len(texts) == 1 else joined_text([fields[n] for n in texts])
        yield FoundRow(place, number, text, fields[label], fields[id])


def _as_wide_as_names(fields: list[str], names: list[str]) -> list[str]:
    """Drop empty fields after the last column, and add those of columns without a name at the end of the header."""
    if len(fields) > len(names) and not any(fields[len(names) :]):
        return fields[: len(names)]
    if len(fields) < len(names) and not any(names[len(fields) :]):
        return fields + [""] * (len(names) - len(fields))
    return fields


def _miscounted(got: int, expected: int, delimiter: str) -> str:
    hint = "Put a text that contains a tab or a line end in double quotes, and double each inner quote."
    if delimiter != "\t":
        hint = f"Put a text that contains {delimiter!r} or a line end in double quotes."
    return f"the row must have {expected} fields, like the header; got {got}. {hint}"


def _delimiter(path: Path, sample: list[str], usual: str, requested: Columns) -> str:
    start = _table_start(sample, requested)
    other, certain = find_delimiter(sample[start:], usual)
    if other is None:
        return usual
    # a header with two known names is certain, even if a row below it is damaged
    if not certain and not names_columns(sample[start].split(other), requested, least=2):
        raise DataError(
            f"{path}: the fields seem to be separated by {other!r}, not {usual!r}; the first line is "
            f"{shortened(sample[0].rstrip())!r}. Pass delimiter={other!r}, or {usual!r} if there is one column."
        )
    warn_of_guess(
        path, f"fields are separated by {other!r}, not {usual!r}. Pass delimiter={other!r} to confirm this."
    )
    return other


def _table_start(sample: list[str], requested: Columns) -> int:
    """Return the index of the first line of the table: one with names of columns, or else not a comment."""
    for n, line in enumerate(sample[: MOST_ABOVE + 1]):
        if any(mark in line and names_columns(line.split(mark), requested) for mark in DELIMITERS):
            return n
    blank = " \t\r\n" + "".join(DELIMITERS)
    return next((n for n, line in enumerate(sample) if line.strip(blank) and not line.startswith("#")), 0)
