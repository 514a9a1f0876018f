"""Files to records, one row at a time: CSV, TSV, JSON lines, Parquet and folders of class folders.

A reader holds one row (of Parquet one batch of rows) in memory. Texts come out as they stand in the
file: no white space is stripped and no line end translated; only the mark that some UTF-8 files
begin with (the BOM) is taken for what it is. Rows are counted from 1, the header not included.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from textlrp.errors import DataError, OptionError
from textlrp.records import Label

TEXT_COLUMNS = ("text", "content", "body", "message")
LABEL_COLUMNS = ("label", "category", "class", "target")
ID_COLUMNS = ("id",)

FILE_TYPES = ".csv, .tsv, .jsonl (each also .gz), .parquet and folders of class folders"

_LONGEST_FIELD = 2**31 - 1  # what fits a C long everywhere
_PARQUET_BATCH = 256  # rows


class Record(NamedTuple):
    """One row of a file: what a :class:`textlrp.records.Document` is made of."""

    id: str
    text: str
    label: Label | None


class BadRow(NamedTuple):
    """A row that cannot be a document: its number from 1, as the ids of rows without one count, and what is wrong."""

    number: int
    wrong: str


class Columns(NamedTuple):
    """Names of the columns to read; None stands for the default name, or for none there."""

    text: str | None = None
    label: str | None = None
    id: str | None = None


class _Found(NamedTuple):
    text: str
    label: str | None
    id: str | None


class _Row(NamedTuple):
    """One row as it was found; ``wrong`` says why it has no values where it has none."""

    place: str
    number: int
    text: object = None
    label: object = None
    id: object = None
    wrong: str = ""


_Rows = Callable[[Path, Columns, str, str], Iterator[_Row]]
"""(path, columns, encoding, what to do with bytes that it does not have) -> rows."""


def read_table(path: Path, columns: Columns, *, encoding: str = "utf-8") -> Iterator[Record]:
    """The rows of a CSV, TSV, JSON lines or Parquet file.

    Raises :class:`DataError` naming the file, and the row or line where there is one, for an unknown
    type, a missing column, a damaged file or row, a text that is none, or several labels in a row;
    :class:`OptionError` for an unknown encoding.
    """
    for row in read_rows(path, columns, encoding=encoding, errors="strict"):
        if isinstance(row, BadRow):
            raise DataError(row.wrong)
        yield row


def read_rows(
    path: Path, columns: Columns, *, encoding: str = "utf-8", errors: str = "surrogateescape"
) -> Iterator[Record | BadRow]:
    """As :func:`read_table`, but a row that cannot be read, or holds bytes that cannot, is a :class:`BadRow`.

    What is wrong with the file as a whole still raises.
    """
    rows = _rows_of(path)
    with _errors_of(path, encoding):
        for row in rows(path, columns, _known(encoding), errors):
            yield _record(row, encoding)


def _record(row: _Row, encoding: str) -> Record | BadRow:
    if row.wrong:
        return BadRow(row.number, row.wrong)
    if not isinstance(row.text, str):
        return BadRow(row.number, f"{row.place} has {_came(row.text)} for a text; mend the row or remove it.")
    if any(isinstance(value, str) and _has_surrogate(value) for value in (row.text, row.label, row.id)):
        return BadRow(row.number, f"{row.place} holds bytes that are not {encoding.upper()}; mend or remove it.")
    try:
        label = _label(row.place, row.label)
    except DataError as wrong:
        return BadRow(row.number, str(wrong))
    return Record(str(row.number if _is_missing(row.id) else row.id), row.text, label)


def _has_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def read_folder(path: Path, *, suffix: str = "", encoding: str = "utf-8") -> Iterator[Record]:
    """The files of a folder of class folders, sorted by class and name; hidden ones are passed over.

    The label is the folder's name (``a/b`` where folders are nested; None for a file in no class
    folder), the id the path below ``path`` without ``suffix``. Raises as :func:`read_table` does.
    """
    for row in read_files(path, suffix=suffix, encoding=encoding):
        if isinstance(row, BadRow):
            raise DataError(row.wrong)
        yield row


def read_files(path: Path, *, suffix: str = "", encoding: str = "utf-8") -> Iterator[Record | BadRow]:
    """As :func:`read_folder`, but a file that cannot be read is a :class:`BadRow`."""
    codec = _known(encoding)
    number = 0
    for folder, below, names in os.walk(path, onerror=_cannot_list):
        below[:] = sorted(name for name in below if not name.startswith("."))
        label = Path(folder).relative_to(path).as_posix()
        for name in sorted(names):
            file = Path(folder, name)
            if name.startswith(".") or not file.is_file():
                continue
            number += 1
            try:
                with _errors_of(file, encoding):
                    text = file.read_bytes().decode(codec)
            except DataError as wrong:
                yield BadRow(number, str(wrong))
                continue
            name = name.removesuffix(suffix)
            yield Record(name, text, None) if label == "." else Record(f"{label}/{name}", text, label)


# ---- the formats


def _rows_of(path: Path) -> _Rows:
    readers: dict[str, _Rows] = {
        ".csv": partial(_csv_rows, ","),
        ".tsv": partial(_csv_rows, "\t"),
        ".jsonl": _jsonl_rows,
        ".parquet": _parquet_rows,
    }
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"] and suffixes[-2:-1] != [".parquet"]
    kind = "".join(suffixes[-2:-1] if packed else suffixes[-1:])
    if kind not in readers:
        raise DataError(f"{path} is of a type that is not read ({kind or 'no suffix'}); these are: {FILE_TYPES}.")
    return readers[kind]


def _csv_rows(delimiter: str, path: Path, wanted: Columns, encoding: str, errors: str) -> Iterator[_Row]:
    with _open_text(path, encoding, errors, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = [name.strip() for name in _next_fields(reader, f"{path}, line 1") or ()]
        if not header:
            return
        _check_header(path, header, delimiter)
        columns = _resolve([(name, True) for name in header], wanted, f"{path}")
        text, label, id = (len(header) if name is None else header.index(name) for name in columns)
        number = 0
        while True:
            place = f"{path}, row {number + 1} (line {reader.line_num + 1})"
            try:
                fields = _next_fields(reader, place)
            except DataError as wrong:
                number += 1
                yield _Row(place, number, wrong=str(wrong))
                continue
            if fields is None:
                return
            if not fields:  # an empty line
                continue
            number += 1
            if len(fields) != len(header):
                yield _Row(
                    place,
                    number,
                    wrong=f"{place} has {len(fields)} fields where the header has {len(header)}; "
                    f"texts that hold a {delimiter!r} or a line end stand in double quotes.",
                )
                continue
            fields.append("")  # what a column that is not there reads
            yield _Row(place, number, fields[text], fields[label], fields[id])


def _next_fields(reader: Any, place: str) -> list[str] | None:
    """The next row, however long its fields; None at the end of the file."""
    usual = csv.field_size_limit(_LONGEST_FIELD)  # the module's only switch is global, so it is set back at once
    try:
        fields: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise DataError(
            f"{place} is not valid CSV ({error}); a field with double quotes in it stands in double quotes itself, "
            "each inner one doubled."
        ) from None
    finally:
        csv.field_size_limit(usual)
    return fields


def _check_header(path: Path, header: list[str], delimiter: str) -> None:
    line = "".join(header)
    if "\0" in line:
        raise DataError(f"{path} begins with NUL characters; if it is UTF-16, pass encoding='utf-16'.")
    if len(header) == 1 and (other := next((mark for mark in ",;\t|" if mark in line), None)):
        raise DataError(
            f"{path} looks separated by {other!r}, not {delimiter!r}, for its first line is {_short(line)!r}; "
            ".csv files are read with ',' and .tsv files with tabs."
        )


def _jsonl_rows(path: Path, wanted: Columns, encoding: str, errors: str) -> Iterator[_Row]:
    columns: _Found | None = None
    number = 0
    with _open_text(path, encoding, errors, newline="\n") as file:
        for line, raw in enumerate(file, start=1):
            if raw.isspace():
                continue
            number += 1
            place = f"{path}, line {line}"
            try:
                row = _json_object(raw, place)
            except DataError as wrong:
                yield _Row(place, number, wrong=str(wrong))
                continue
            if columns is None:
                columns = _resolve([(name, isinstance(value, str)) for name, value in row.items()], wanted, place)
            if columns.text not in row:
                lacks = f"{place} has no {columns.text!r}; it has {_listed(list(row))}."
                yield _Row(place, number, wrong=lacks)
                continue
            yield _Row(
                place, number, row[columns.text], row.get(columns.label or "label"), row.get(columns.id or "id")
            )


def _json_object(raw: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(raw)
        if "\\ud" in raw.lower():  # an emoji, or half of one, which no file could hold
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not valid JSON ({error}); each line holds one object.") from None
    if not isinstance(row, dict):
        raise DataError(f"{place} is {_came(row)}, not a JSON object such as {{'text': ..., 'label': ...}}.")
    return row


def _parquet_rows(path: Path, wanted: Columns, encoding: str, errors: str) -> Iterator[_Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def is_string(kind: Any) -> bool:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            fields = [(field.name, is_string(field.type)) for field in file.schema_arrow]
            columns = _resolve(fields, wanted, f"{path}")
            named = [name for name in columns if name is not None]
            for batch in file.iter_batches(batch_size=_PARQUET_BATCH, columns=named):
                nothing = [None] * batch.num_rows
                table = (
                    nothing if name is None else _values(batch.column(name), errors != "strict") for name in columns
                )
                for text, label, id in zip(*table, strict=True):
                    number += 1
                    yield _Row(f"{path}, row {number}", number, text, label, id)
    except UnicodeDecodeError:
        raise DataError(f"{path} holds a text that is not UTF-8 after row {number}; write it anew.") from None
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}.") from None


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


def _resolve(columns: Sequence[tuple[str, bool]], wanted: Columns, place: str) -> _Found:
    """Which columns to read, out of names that say whether they hold strings."""
    names = [name for name, _ in columns]
    for name in wanted:
        if name is not None and name not in names:
            raise DataError(f"{place} has no column {name!r}; it has {_listed(names)}.")

    def usual(candidates: Sequence[str], *taken: str | None) -> str | None:
        return next((name for name in candidates if name in names and name not in taken), None)

    label = wanted.label or usual(LABEL_COLUMNS, wanted.text, wanted.id)
    id = wanted.id or usual(ID_COLUMNS, wanted.text, label)
    text = wanted.text or usual(TEXT_COLUMNS, label, id)
    if text is None:
        strings = [name for name, is_string in columns if is_string and name not in (label, id)]
        if len(strings) != 1:
            raise DataError(f"{place} has no column 'text'; name one with text=, out of {_listed(names)}.")
        text = strings[0]
    for name in (text, label, id):
        if names.count(str(name)) > 1:
            raise DataError(f"{place} has two columns named {name!r}; rename one.")
    return _Found(text, label, id)


def _label(place: str, value: object) -> Label | None:
    if isinstance(value, str):
        return value or None
    if _is_missing(value):
        return None
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and value.is_integer():  # whole numbers with gaps are stored as floats
        return int(value)
    if isinstance(value, (list, tuple)):
        raise DataError(f"{place} has several labels ({_short(str(value))}); textlrp trains one label a text.")
    raise DataError(f"{place} has {_came(value)} as its label; text, a whole number or true/false was wanted.")


def _is_missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _came(value: object) -> str:
    return "nothing" if _is_missing(value) else f"{_short(repr(value))} ({type(value).__name__})"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _listed(columns: Sequence[str]) -> str:
    names = ", ".join(repr(_short(name)) for name in columns[:20]) or "none"
    return names if len(columns) <= 20 else f"{names} and {len(columns) - 20} more"


# ---- bytes


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except LookupError:
        raise OptionError(
            f"encoding={encoding!r} is not known; 'utf-8', 'latin-1', 'cp1252' and 'utf-16' are."
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


def _open_bytes(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


@contextmanager
def _open_text(path: Path, encoding: str, errors: str, newline: str) -> Iterator[io.TextIOWrapper]:
    with (
        _open_bytes(path) as raw,
        io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline=newline) as file,
    ):
        yield file


@contextmanager
def _errors_of(path: Path, encoding: str) -> Iterator[None]:
    """Errors of the system and of decoding, in our words."""
    try:
        yield
    except UnicodeError:
        raise DataError(
            f"{path}, line {_undecodable_line(path, _known(encoding))} is not {encoding.upper()}; "
            "pass the right encoding=, for example encoding='latin-1' or encoding='utf-16'."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read: {reason}.") from None


def _cannot_list(error: OSError) -> None:
    raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from None


def _undecodable_line(path: Path, encoding: str) -> int:
    """The line, from 1, of the first bytes that cannot be decoded: read again, for text files decode ahead."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with _open_bytes(path) as file:
        while True:
            chunk = file.read(1 << 16)
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].decode(encoding, "ignore").count("\n")
            except UnicodeError:
                return line
            if not chunk:
                return line
