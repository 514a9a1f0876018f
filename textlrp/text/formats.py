"""Choose the reader of a file by its suffix. Open it to add a file format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from textlrp.errors import DataError, OptionError
from textlrp.text.json_rows import json_rows
from textlrp.text.opening import MAX_ROW_LENGTH, Lines, open_text
from textlrp.text.parquet_rows import parquet_rows
from textlrp.text.row_layout import FILE_TYPES, Columns, FoundRow, Layout, RowReader, warn_of_guess
from textlrp.text.table_rows import separated_rows


def rows_of(path: Path) -> RowReader:
    """What reads a file, by its suffix; raises :class:`DataError` for one that is not read."""
    readers: dict[str, RowReader] = {
        ".csv": partial(separated_rows, ","),
        ".tsv": partial(separated_rows, "\t"),
        ".txt": _line_rows,
        ".json": json_rows,
        ".jsonl": json_rows,
        ".parquet": parquet_rows,
    }
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"] and suffixes[-2:-1] != [".parquet"]
    kind = "".join(suffixes[-2:-1] if packed else suffixes[-1:])
    if kind not in readers:
        raise DataError(f"{path} is of a type that is not read ({kind or 'no suffix'}); these are: {FILE_TYPES}.")
    return readers[kind]


def layout_of(
    delimiter: str | None = None,
    header: bool | None = None,
    columns: str | Sequence[str] | None = None,
    max_row_length: int | None = None,
) -> Layout:
    """The layout that the options of :func:`textlrp.load_corpus` ask for; raises :class:`OptionError`."""
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"'):
        delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter) if isinstance(delimiter, str) else None
        if delimiter is None:
            raise OptionError("delimiter must be one character, such as ';', or 'tab'.")
    names = tuple(name.strip() for name in columns.split(",")) if isinstance(columns, str) else columns
    if names is not None and (not names or not all(names) or len(set(names)) < len(names)):
        raise OptionError(f"columns must be different names in the order of the file; got {columns!r}.")
    if names is not None and header:
        raise OptionError("columns= names the columns of a file without a header; leave it out, or header=True.")
    if max_row_length is not None and max_row_length < 1:
        raise OptionError(f"max_row_length must be at least 1; got {max_row_length!r}.")
    return Layout(delimiter, header, None if names is None else tuple(names), max_row_length or MAX_ROW_LENGTH)


# ---- lines


def _line_rows(path: Path, wanted: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """One text a line, or ``__label__class text`` as fastText has it."""
    for name in wanted:
        if name is not None:
            raise DataError(f"{path} has one text a line and no columns; leave out text=, label= and id=.")
    number, fasttext = 0, False
    with open_text(path, encoding, errors, newline="") as file:
        lines = Lines(file, path, layout.max_row_length)
        for line in lines:
            text = line.removesuffix("\n").removesuffix("\r")
            lines.begin_row()
            if not text.strip():
                continue
            number += 1
            if number == 1:
                fasttext = text.startswith(_FASTTEXT)
                how = "each line is read as a class and a text, as in fastText." if fasttext else (
                    "each line is read as one text; for one text of several lines, pass it on standard input (-)."
                )  # fmt: skip
                warn_of_guess(path, how)
            place = f"{path}, row {number} (line {lines.number})"
            if not fasttext:
                yield FoundRow(place, number, text)
                continue
            labels = []
            while text.startswith(_FASTTEXT):
                label, _, text = text.partition(" ")
                labels.append(label.removeprefix(_FASTTEXT))
            yield FoundRow(place, number, text, labels[0] if len(labels) == 1 else labels or None)


_FASTTEXT = "__label__"
