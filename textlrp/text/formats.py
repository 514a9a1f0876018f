"""Choose the reader of a file by its suffix. Open this module to add a file format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from textlrp.errors import DataError, OptionError, must_be
from textlrp.text.json_rows import json_rows
from textlrp.text.opening import MAX_ROW_LENGTH, Lines, open_text
from textlrp.text.parquet_rows import parquet_rows
from textlrp.text.row_layout import FILE_TYPES, Columns, FoundRow, Layout, RowReader, row_place, warn_of_guess
from textlrp.text.table_rows import separated_rows


def rows_of(path: Path) -> RowReader:
    """Return the reader for the suffix of a file; raises :class:`DataError` for an unsupported suffix."""
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
        what = f"the file type {kind} is not supported" if kind else "the file name has no suffix"
        raise DataError(f"{path}: {what}. Pass one of {FILE_TYPES}.")
    return readers[kind]


def layout_of(
    delimiter: str | None = None,
    header: bool | None = None,
    columns: str | Sequence[str] | None = None,
    max_row_length: int | None = None,
    label_separator: str | None = None,
) -> Layout:
    """Return the layout for the options of :func:`textlrp.load_corpus`.

    Raises :class:`OptionError` if an option has a wrong value, or if two options contradict each other.
    """
    character = delimiter
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"'):
        character = {"tab": "\t", "\\t": "\t"}.get(delimiter) if isinstance(delimiter, str) else None
        if character is None:
            raise OptionError(must_be("delimiter", "one character or 'tab'", delimiter, "Pass delimiter=';'."))
    names = tuple(name.strip() for name in columns.split(",")) if isinstance(columns, str) else columns
    if names is not None and (not names or not all(names) or len(set(names)) < len(names)):
        hint = "Pass columns='label,text'."
        raise OptionError(must_be("columns", "different names in the order of the file", columns, hint))
    if names is not None and header:
        raise OptionError(
            "columns must be left out if the file has a header; got both columns= and header=True. Leave out one."
        )
    if max_row_length is not None and max_row_length < 1:
        raise OptionError(must_be("max_row_length", "at least 1", max_row_length, "Leave it out for the default."))
    if label_separator is not None and (not isinstance(label_separator, str) or not label_separator):
        hint = "Pass label_separator=','."
        raise OptionError(must_be("label_separator", "one or more characters", label_separator, hint))
    fields = None if names is None else tuple(names)
    return Layout(character, header, fields, max_row_length or MAX_ROW_LENGTH, label_separator)


# ---- lines


def _line_rows(path: Path, requested: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """Read one text per line, or ``__label__class text`` as in fastText."""
    for name in requested:
        if name is not None:
            raise DataError(
                f"{path}: a .txt file has one text per line and no columns. Leave out text=, label= and id=."
            )
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
                    "each line is read as one text. To read one text of several lines, pass it on standard input (-)."
                )  # fmt: skip
                warn_of_guess(path, how)
            place = row_place(path, number, lines.number)
            if not fasttext:
                yield FoundRow(place, number, text)
                continue
            labels = []
            while text.startswith(_FASTTEXT):
                label, _, text = text.partition(" ")
                labels.append(label.removeprefix(_FASTTEXT))
            yield FoundRow(place, number, text, labels[0] if len(labels) == 1 else labels or None)


_FASTTEXT = "__label__"
