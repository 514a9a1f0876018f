"""The formats of files with texts: each gives the rows it finds, and says of each what is wrong with it, if it is.

What is wrong with a file as a whole raises :class:`DataError`.
"""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from textlrp.errors import DataError, OptionError
from textlrp.text.opening import MAX_ROW_LENGTH, Lines, RowTooLongError, open_for_arrow, open_text, too_long
from textlrp.text.separated import (
    SAMPLE_LINES,
    CommaRows,
    TabRows,
    is_quoted,
    names_without_header,
    other_delimiter,
    sampled_rows,
)
from textlrp.text.surrogates import has_surrogate, without_surrogates

TEXT_COLUMNS = ("text", "content", "body", "message")
LABEL_COLUMNS = ("label", "category", "class", "target")
ID_COLUMNS = ("id",)

FILE_TYPES = ".csv, .tsv, .txt, .json, .jsonl (each also .gz), .parquet and folders of class folders"

_PARQUET_BATCH = 256  # rows


class Columns(NamedTuple):
    """Names of the columns to read; None stands for the default name, or for none there."""

    text: str | None = None
    label: str | None = None
    id: str | None = None


class Found(NamedTuple):
    text: str
    label: str | None
    id: str | None


class Row(NamedTuple):
    """One row as it was found; ``wrong`` says why it has no values where it has none."""

    place: str
    number: int
    text: object = None
    label: object = None
    id: object = None
    wrong: str = ""


class Layout(NamedTuple):
    """How a file is laid out: what is None is told from the file, where that is certain, and said in a warning.

    ``delimiter`` is the character between fields; ``header`` whether the first row names the columns; ``names`` are
    those of a file that has none; ``max_row_length`` the characters of the longest row that is read.
    """

    delimiter: str | None = None
    header: bool | None = None
    names: tuple[str, ...] | None = None
    max_row_length: int = MAX_ROW_LENGTH


AS_FOUND = Layout()

Rows = Callable[[Path, Columns, Layout, str, str], Iterator[Row]]
"""(path, columns, layout, encoding, what to do with bytes that it does not have) -> rows."""


def rows_of(path: Path) -> Rows:
    """What reads a file, by its suffix; raises :class:`DataError` for one that is not read."""
    readers: dict[str, Rows] = {
        ".csv": partial(_separated_rows, ","),
        ".tsv": partial(_separated_rows, "\t"),
        ".txt": _line_rows,
        ".json": _json_rows,
        ".jsonl": _json_rows,
        ".parquet": _parquet_rows,
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


def said(path: Path, what: str) -> None:
    """Warn of what was told from a file rather than given."""
    warnings.warn(f"{path}: {what}", UserWarning, stacklevel=2)


# ---- separated fields


def _separated_rows(
    usual: str, path: Path, wanted: Columns, layout: Layout, encoding: str, errors: str
) -> Iterator[Row]:
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
        header = _header(path, wanted, layout, sample, delimiter)
        names = header if header is not None else reader.next(f"{path}, line 1")
        if not names:
            return
        names = [name.strip() for name in names]
        if rows is not None:
            rows.width = len(names)
        text, label, id = (
            len(names) if name is None else names.index(name)
            for name in _resolve([(name, True) for name in names], wanted, f"{path}", header is None)
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
                yield Row(place, number, wrong=str(wrong))
                continue
            if fields is None:
                return
            if not fields:  # an empty line
                continue
            if len(names) > 1 and header is None and [field.strip() for field in fields] == names:
                said(path, f"line {lines.number} repeats the header, as in files that were joined; it was left out.")
                continue
            number += 1
            if len(fields) != len(names):
                yield Row(place, number, wrong=f"{place} {_miscounted(len(fields), len(names), delimiter)}")
                continue
            fields.append("")  # what a column that is not there reads
            yield Row(place, number, fields[text], fields[label], fields[id])


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
    said(path, f"fields are separated by {other!r}, not {usual!r}. Pass delimiter={other!r} to say so.")
    return other


def _header(path: Path, wanted: Columns, layout: Layout, sample: list[str], delimiter: str) -> list[str] | None:
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
    said(path, f"there is no header; the columns are read as {as_option}. Pass columns={as_option!r} to say so.")
    return names


def _names_columns(first: list[str], wanted: Columns) -> bool:
    """Whether a first row has the name of a column that is wanted."""
    asked = [name for name in wanted if name is not None]
    return any(name in first for name in (asked or (*TEXT_COLUMNS, *LABEL_COLUMNS)))


# ---- lines


def _line_rows(path: Path, wanted: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[Row]:
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
                said(path, how)
            place = f"{path}, row {number} (line {lines.number})"
            if not fasttext:
                yield Row(place, number, text)
                continue
            labels = []
            while text.startswith(_FASTTEXT):
                label, _, text = text.partition(" ")
                labels.append(label.removeprefix(_FASTTEXT))
            yield Row(place, number, text, labels[0] if len(labels) == 1 else labels or None)


_FASTTEXT = "__label__"


# ---- JSON


def _json_rows(path: Path, wanted: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[Row]:
    """JSON lines, or one array of objects."""
    columns: Found | None = None
    with open_text(path, encoding, errors, newline="\n") as file:
        is_array = file.read(1 << 12).lstrip().startswith("[")
    with open_text(path, encoding, errors, newline="\n") as file:
        found = _array if is_array else _objects
        for number, (place, row) in enumerate(found(file, path, layout.max_row_length), start=1):
            if isinstance(row, DataError):
                yield Row(place, number, wrong=str(row))
                continue
            if columns is None:
                columns = _resolve([(name, isinstance(value, str)) for name, value in row.items()], wanted, place)
            if columns.text not in row:
                lacks = f"{place} has no {columns.text!r}; it has {listed(list(row))}."
                yield Row(place, number, wrong=lacks)
                continue
            yield Row(
                place, number, row[columns.text], row.get(columns.label or "label"), row.get(columns.id or "id")
            )


def _objects(file: io.TextIOWrapper, path: Path, limit: int) -> Iterator[tuple[str, dict[str, Any] | DataError]]:
    """The place and the object of each line, or what is wrong with it."""
    lines = Lines(file, path, limit)
    for raw in lines:
        lines.begin_row()
        if raw.isspace():
            continue
        place = f"{path}, line {lines.number}"
        try:
            yield place, json_object(raw, place)
        except DataError as wrong:
            yield place, wrong


def _array(file: io.TextIOWrapper, path: Path, limit: int) -> Iterator[tuple[str, dict[str, Any] | DataError]]:
    """The place and the object of each element of an array, one at a time."""
    decode = json.JSONDecoder().raw_decode
    held, number, opened, ended, reason = "", 0, False, False, "it breaks off"
    while True:
        if held and not (opened and number == 0):
            held = held[1:].lstrip() if held[0] == ("," if opened else "[") else held
            opened = True
        if held.startswith("]"):
            return
        place, end = f"{path}, row {number + 1}", 0
        try:
            _, end = decode(held)
        except (ValueError, RecursionError) as error:
            reason = str(error)
        if end and (end < len(held) or ended):
            number += 1
            try:
                yield place, json_object(held[:end], place)
            except DataError as wrong:
                yield place, wrong
            held = held[end:].lstrip()
            continue
        if ended:
            raise DataError(f"{place} is not valid JSON ({reason}); the file must hold one array of objects.")
        if len(held) > limit:
            raise DataError(too_long(place, limit))
        more = file.read(max(len(held), 1 << 16))
        held, ended = (held + more).lstrip(), not more


def json_object(raw: str, place: str) -> dict[str, Any]:
    """The object that a line of JSON holds; half a surrogate pair in an escape becomes U+FFFD, with a warning.

    Raises :class:`DataError` where it holds none.
    """
    try:
        row = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not valid JSON ({error}); each line must hold one object.") from None
    if not isinstance(row, dict):
        raise DataError(f"{place} is {came(row)}, not a JSON object such as {{'text': ..., 'label': ...}}.")
    if "\\ud" in raw.lower() and not has_surrogate(raw):
        mended = {name: without_surrogates(value) if isinstance(value, str) else value for name, value in row.items()}
        if mended != row:
            warnings.warn(
                f"{place} has half a surrogate pair in an escape, which is no character; it is read as U+FFFD.",
                UserWarning,
                stacklevel=2,
            )
            return mended
    found: dict[str, Any] = row
    return found


def _parquet_rows(path: Path, wanted: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def is_string(kind: Any) -> bool:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))

    number = 0
    try:
        with open_for_arrow(path) as raw, pq.ParquetFile(raw) as file:
            fields = [(field.name, is_string(field.type)) for field in file.schema_arrow]
            columns = _resolve(fields, wanted, f"{path}")
            named = [name for name in columns if name is not None]
            for batch in _batches(file, named):
                nothing = [None] * batch.num_rows
                table = (
                    nothing if name is None else _values(batch.column(name), errors != "strict") for name in columns
                )
                for text, label, id in zip(*table, strict=True):
                    number += 1
                    yield Row(f"{path}, row {number}", number, text, label, id)
    except UnicodeDecodeError:
        raise DataError(f"{path} holds a text that is not UTF-8 after row {number}; write it anew.") from None
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}.") from None


def _batches(file: Any, columns: list[str]) -> Iterator[Any]:
    """The batches of a Parquet file, row group by row group: one reader for all keeps what it has read."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=_PARQUET_BATCH, row_groups=[group], columns=columns)


def _values(column: Any, lenient: bool) -> list[object]:
    """The values of a column; with ``lenient`` those that are not UTF-8 as the bytes they are."""
    try:
        values: list[object] = column.to_pylist()
    except UnicodeDecodeError:
        if not lenient:
            raise
        values = [
            scalar.as_buffer().to_pybytes().decode(errors="surrogateescape") if scalar.is_valid else None
            for scalar in column
        ]
    return values


# ---- columns and values


def _resolve(columns: Sequence[tuple[str, bool]], wanted: Columns, place: str, has_header: bool = False) -> Found:
    """Which columns to read, out of names that say whether they hold strings."""
    names = [name for name, _ in columns]
    for name in wanted:
        if name is not None and name not in names:
            raise DataError(f"{place} has no column {name!r}; it has {listed(names)}.")

    def usual(candidates: Sequence[str], *taken: str | None) -> str | None:
        return next((name for name in candidates if name in names and name not in taken), None)

    label = wanted.label or usual(LABEL_COLUMNS, wanted.text, wanted.id)
    id = wanted.id or usual(ID_COLUMNS, wanted.text, label)
    text = wanted.text or usual(TEXT_COLUMNS, label, id)
    if text is None:
        strings = [name for name, is_string in columns if is_string and name not in (label, id)]
        if len(strings) != 1:
            or_header = (
                " If these are not names but a row, pass columns= with names, such as label,text." * has_header
            )
            raise DataError(f"{place} has no column 'text'; name one with text=, out of {listed(names)}.{or_header}")
        text = strings[0]
    for name in (text, label, id):
        if names.count(str(name)) > 1:
            raise DataError(f"{place} has two columns named {name!r}; rename one.")
    return Found(text, label, id)


def is_missing(value: object) -> bool:
    """Whether there is no value."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def came(value: object) -> str:
    """A value that was not wanted, for a message."""
    return "nothing" if is_missing(value) else f"{shortened(repr(value))} ({type(value).__name__})"


def shortened(text: str) -> str:
    """The beginning of a text that may be long."""
    return text if len(text) <= 60 else text[:57] + "..."


def listed(columns: Sequence[str]) -> str:
    """Names of columns, for a message."""
    names = ", ".join(repr(shortened(name)) for name in columns[:20]) or "none"
    return names if len(columns) <= 20 else f"{names} and {len(columns) - 20} more"
