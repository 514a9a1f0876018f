"""Parse the rows of comma- and tab-separated files, and detect delimiter and header from their first rows.

:mod:`textlrp.text.table_rows` turns these rows into texts and labels. Open this module for the rules of quoting.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence

from textlrp.errors import DataError
from textlrp.text.opening import Lines

SAMPLE_LINES = 200
"""Number of lines from which the layout of a file is detected."""

DELIMITERS = ",;\t|"

_LONGEST_FIELD = 2**31 - 1  # the largest value that fits a C long on every platform
_LONGEST_QUOTED = 1 << 20  # characters between the quotes of one field of a tab-separated file
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"')
_OPEN = re.compile(r'"(?:[^"]|"")*+\Z')


class CommaRows:
    """The rows of a file with fields quoted as in RFC 4180."""

    def __init__(self, lines: Lines, delimiter: str) -> None:
        self._lines = lines
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def next(self, place: str) -> list[str] | None:
        """Return the fields of the next row: an empty list for an empty line, None at the end of the file.

        Raises :class:`DataError`, which begins with ``place``, for a row that is not valid CSV.
        """
        self._lines.begin_row()
        # the csv module has only a global limit, so the previous value is restored immediately
        usual = csv.field_size_limit(_LONGEST_FIELD)
        try:
            fields: list[str] | None = next(self._reader, None)
        except csv.Error as error:
            raise DataError(
                f"{place}: not valid CSV ({error}). Put a field that contains double quotes in double quotes, "
                "and double each inner quote."
            ) from None
        finally:
            csv.field_size_limit(usual)
        return fields


class TabRows:
    """The rows of a tab-separated file. The format itself has no quoting (IANA text/tab-separated-values).

    Quotes are characters of the text, except where a spreadsheet or a library needed to add them:

    1. A field that begins and ends with a quote, and whose inner quotes are doubled, is unquoted if it is empty or
       contains a tab, a line end or a doubled quote.
    2. A field extends over tabs or line ends only if some of its lines do not have as many fields as the header when
       quotes are read as characters.

    If all names in the header are quoted, the whole file is quoted, and :class:`CommaRows` reads it instead.
    ``width`` is the number of columns; while it is None, no field extends over several lines.
    """

    def __init__(self, lines: Lines, width: int | None) -> None:
        self._lines = lines
        self.width = width

    def next(self, place: str) -> list[str] | None:
        """Return the fields of the next row as :meth:`CommaRows.next` does; no row is invalid."""
        self._lines.begin_row()
        line = next(self._lines, None)
        if line is None:
            return None
        fields = _tab_fields(line)
        if '"' in line and (together := self._over_lines(line, fields)) is not None:
            return together
        return [_unquoted(field) for field in fields]

    def _over_lines(self, line: str, fields: list[str]) -> list[str] | None:
        """Return the fields of a row with a field that extends over tabs or line ends; None for any other row."""
        alone = len(fields) == self.width
        if self.width is None or (alone and not _OPEN.match(fields[-1])):
            return None
        text, taken, all_alone = line, list[str](), alone
        while True:
            quoted = _quoted_fields(text) if not taken or '"' in taken[-1] else []
            if quoted is None:
                break  # a quote inside the text
            if quoted:
                if len(quoted) == self.width and not all_alone:
                    return [_unquoted(field) for field in quoted]
                break
            more = None if len(text) > _LONGEST_QUOTED else next(self._lines, None)
            if more is None:
                break
            taken.append(more)
            text += more
            alone = len(_tab_fields(more)) == self.width
            all_alone = all_alone and alone
            if alone and '"' not in more:
                break  # the next row begins here
        self._lines.put_back(taken)
        return None


def _tab_fields(line: str) -> list[str]:
    """Split one line at tabs, with quotes read as characters; an empty line has no fields."""
    body = _body(line)
    return body.split("\t") if body else []


def _body(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _quoted_fields(text: str) -> list[str] | None:
    """Split a row that may span several lines; the fields keep their quotes.

    Empty if the last field needs more lines; None if the row ends before the end of ``text``.
    """
    body, fields, start = _body(text), list[str](), 0
    while True:
        match = _QUOTED.match(body, start)
        if match is None and _OPEN.match(body, start):
            return []
        if match is not None and (match.end() == len(body) or body[match.end()] == "\t"):
            end = match.end()
        else:
            end = body.find("\t", start)
            end = len(body) if end < 0 else end
            if "\n" in body[start:end] or "\r" in body[start:end]:
                return None
        fields.append(body[start:end])
        if end == len(body):
            return fields
        start = end + 1


def _unquoted(field: str) -> str:
    match = _QUOTED.fullmatch(field)
    if match is None:
        return field
    inner = match[1]
    needed = not inner or any(mark in inner for mark in ('"', "\t", "\n", "\r"))
    return inner.replace('""', '"') if needed else field


def is_quoted(line: str, delimiter: str) -> bool:
    """Whether all fields of a line are in double quotes."""
    fields = _body(line).split(delimiter)
    return all(len(field) > 1 and _QUOTED.fullmatch(field) for field in fields)


# ---- detecting the layout from the first rows


def sampled_rows(sample: Sequence[str], delimiter: str) -> list[list[str]]:
    """Return the rows in the first lines of a file, without an incomplete or invalid last row."""
    if delimiter == "\t" and not (sample and is_quoted(sample[0], delimiter)):
        return [fields for line in sample if (fields := _tab_fields(line))]
    found: list[list[str]] = []
    usual = csv.field_size_limit(_LONGEST_FIELD)
    try:
        found += (row for row in _strict(sample, delimiter) if row)
    except csv.Error:
        pass  # the rows before the invalid one are enough
    finally:
        csv.field_size_limit(usual)
    return found


def _strict(sample: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(sample, delimiter=delimiter, strict=True)


def other_delimiter(sample: Sequence[str], usual: str) -> tuple[str | None, bool]:
    """Return the delimiter of a file if it is not ``usual``, and whether that is certain.

    Another delimiter is considered only if the first line has a single field with ``usual``. It is certain if all
    rows have the same number of fields, and at least two.
    """
    first = sampled_rows(sample[:1], usual)
    if not first or len(first[0]) != 1:
        return None, False
    marks = [mark for mark in DELIMITERS if mark in sample[0]]
    for mark in marks:
        rows = sampled_rows(sample, mark)
        if len(rows) > 1 and len({len(row) for row in rows}) == 1 and len(rows[0]) > 1:
            return mark, True
    return (marks[0], False) if marks else (None, False)


def names_without_header(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Return names for the columns of a file without a header, or None if its first row may be a header.

    The first row is certainly not a header if exactly one of its fields occurs again in the same column: that column
    contains the labels. The text is the column whose fields are on average at least twice as long as those of every
    other column.
    """
    rows = [row for row in rows if len(row) == len(rows[0])]
    if len(rows) < 2 or len(rows[0]) < 2:
        return None
    columns = list(zip(*rows, strict=True))
    again = [n for n, column in enumerate(columns) if column[0] and column[0] in column[1:]]
    others = [n for n in range(len(columns)) if n not in again]
    if len(again) != 1:
        return None
    lengths = {n: sum(map(len, column)) / len(column) for n, column in enumerate(columns)}
    text = max(others, key=lengths.__getitem__)
    if any(lengths[text] < 2 * lengths[n] for n in range(len(columns)) if n != text):
        return None
    names = [f"column {n}" for n in range(1, len(columns) + 1)]
    names[again[0]], names[text] = "label", "text"
    return names
