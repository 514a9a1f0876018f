"""Parse the rows of comma- and tab-separated files.

:mod:`textlrp.text.table_rows` turns these rows into texts and labels. Open this module for the rules of quoting.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from textlrp.errors import DataError
from textlrp.text.opening import Lines

_LONGEST_FIELD = 2**31 - 1  # the largest value that fits a C long on every platform
_LONGEST_QUOTED = 1 << 20  # characters between the quotes of one field of a tab-separated file
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"')
_OPEN = re.compile(r'"(?:[^"]|"")*+\Z')


class Dialect(NamedTuple):
    """How fields are separated and quoted.

    ``escape`` is a character before a quote inside a field, where other programs double the quote. With
    ``skip_space``, a blank after a delimiter is no part of the next field.
    """

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    skip_space: bool = False


class CommaRows:
    """The rows of a file with fields quoted as in RFC 4180, or as its dialect describes."""

    def __init__(self, lines: Lines, dialect: Dialect) -> None:
        self._lines = lines
        self._reader = strict_reader(lines, dialect)

    def next(self, place: str) -> list[str] | None:
        """Return the fields of the next row: an empty list for an empty line, None at the end of the file.

        Raises :class:`DataError`, which begins with ``place``, for a row that is not valid CSV.
        """
        self._lines.begin_row()
        # the limit of the csv module is global, so the previous value is restored immediately
        usual = csv.field_size_limit(_LONGEST_FIELD)
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise DataError(
                f"{place}: not valid CSV ({error}). Put a field that contains double quotes in double quotes, "
                "and double each inner quote."
            ) from None
        finally:
            csv.field_size_limit(usual)


def strict_reader(lines: Iterable[str], dialect: Dialect) -> Iterator[list[str]]:
    """Return the rows of lines of text; raises :class:`csv.Error` for a row that does not follow the dialect."""
    return csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        skipinitialspace=dialect.skip_space,
        strict=True,
    )


def strict_rows(lines: Iterable[str], dialect: Dialect) -> tuple[list[list[str]], str]:
    """Return the rows of a few lines, without empty ones, and the error that ended them; empty if there is none."""
    found: list[list[str]] = []
    usual = csv.field_size_limit(_LONGEST_FIELD)
    try:
        found += (row for row in strict_reader(lines, dialect) if row)
    except csv.Error as error:
        return found, str(error)  # the rows before the invalid one are enough
    finally:
        csv.field_size_limit(usual)
    return found, ""


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
        fields = tab_fields(line)
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
            alone = len(tab_fields(more)) == self.width
            all_alone = all_alone and alone
            if alone and '"' not in more:
                break  # the next row begins here
        self._lines.put_back(taken)
        return None


def tab_fields(line: str) -> list[str]:
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
