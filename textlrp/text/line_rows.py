"""Read the rows of text files: one text per line, fastText's format, or a table with another suffix than .csv.

Open this module to change how a table is recognized.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from textlrp.errors import DataError
from textlrp.text.column_choice import LABEL_COLUMNS, TEXT_COLUMNS, folded_name
from textlrp.text.dialects import DELIMITERS, SAMPLE_LINES, find_dialect, sampled_rows
from textlrp.text.opening import Lines, open_text
from textlrp.text.row_layout import Columns, FoundRow, Layout, row_place, warn_of_guess
from textlrp.text.separated import is_quoted
from textlrp.text.table_header import names_without_header
from textlrp.text.table_rows import separated_rows

FASTTEXT = "__label__"
"""The beginning of a label in fastText's format."""


def line_rows(path: Path, requested: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """Read one text per line, ``__label__class text`` as in fastText, or a table if the lines are certainly one."""
    with open_text(path, encoding, errors, newline="") as file:
        lines = Lines(file, path, layout.max_row_length)
        sample = [line for line in lines.sample(SAMPLE_LINES) if line.strip()]
        if not sample:
            return
        fasttext = sample[0].lstrip("\ufeff").startswith(FASTTEXT)
        delimiter = layout.delimiter or (None if fasttext else _table_delimiter(sample))
        if delimiter is None and not fasttext and (layout.names is not None or layout.header is not None):
            delimiter = "\t"
        if delimiter is None:
            _check_no_columns(path, requested)
            yield from _lines_of_text(path, lines, fasttext)
            return
    if layout.delimiter is None:
        read = f"it is read as a table with the delimiter {delimiter!r}."
        warn_of_guess(path, f"{read} Pass delimiter={delimiter!r} to confirm this.")
    yield from separated_rows(delimiter, path, requested, layout._replace(delimiter=delimiter), encoding, errors)


def _check_no_columns(path: Path, requested: Columns) -> None:
    for name in requested:
        if name is not None:
            raise DataError(
                f"{path}: a .txt file has one text per line and no columns. Leave out text=, label= and id=, or pass "
                "delimiter= if it is a table."
            )


def _lines_of_text(path: Path, lines: Lines, fasttext: bool) -> Iterator[FoundRow]:
    number = 0
    for line in lines:
        text = line.removesuffix("\n").removesuffix("\r")
        lines.begin_row()
        if not text.strip():
            continue
        number += 1
        if number == 1:
            how = "each line is read as a class and a text, as in fastText." if fasttext else (
                "each line is read as one text. To read one text of several lines, pass it on standard input (-)."
            )  # fmt: skip
            warn_of_guess(path, how)
        place = row_place(path, number, lines.number)
        if not fasttext:
            yield FoundRow(place, number, text)
            continue
        labels = []
        while text.startswith(FASTTEXT):
            first, *rest = text.split(None, 1)
            labels.append(first.removeprefix(FASTTEXT))
            text = rest[0] if rest else ""
        yield FoundRow(place, number, text, labels[0] if len(labels) == 1 else labels or None)


def _table_delimiter(sample: Sequence[str]) -> str | None:
    """Return the delimiter if the lines are certainly a table; None if they may be texts.

    They are a table if the first line has usual names of columns; if one column certainly contains labels; or if all
    lines have the same number of tabs.
    """
    if " " in sample[0].strip() and is_quoted(sample[0], " "):
        return " "
    for delimiter in DELIMITERS:
        if delimiter not in sample[0]:
            continue
        rows = sampled_rows(sample, find_dialect(sample, delimiter))
        names = {folded_name(name) for name in rows[0]} if rows else set()
        if names & {*TEXT_COLUMNS} and names & {*LABEL_COLUMNS}:
            return delimiter
        if len(rows) < 2 or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
            continue
        if delimiter == "\t" or names_without_header(rows) is not None:
            return delimiter
    return None
