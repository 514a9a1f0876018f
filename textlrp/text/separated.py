"""Files of separated fields: the quoting of tab-separated ones, and what the first rows tell of a file's layout."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence

from textlrp.errors import DataError
from textlrp.text.opening import Lines

SAMPLE_LINES = 200
"""Lines from which the layout of a file is told."""

DELIMITERS = ",;\t|"

_LONGEST_FIELD = 2**31 - 1  # what fits a C long everywhere
_LONGEST_QUOTED = 1 << 20  # characters between the quotes of one field of a tab-separated file
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"')
_OPEN = re.compile(r'"(?:[^"]|"")*+\Z')


class CommaRows:
    """The rows of a file whose fields are quoted as in RFC 4180: raises :class:`DataError` for one that is not."""

    def __init__(self, lines: Lines, delimiter: str) -> None:
        self._lines = lines
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def next(self, place: str) -> list[str] | None:
        """The fields of the next row, however long; none for an empty line, None at the end."""
        self._lines.begin_row()
        usual = csv.field_size_limit(_LONGEST_FIELD)  # the module's only switch is global, so it is set back at once
        try:
            fields: list[str] | None = next(self._reader, None)
        except csv.Error as error:
            raise DataError(
                f"{place} is not valid CSV ({error}); put a field that contains double quotes into double quotes, "
                "and double each inner one."
            ) from None
        finally:
            csv.field_size_limit(usual)
        return fields


class TabRows:
    """The rows of a tab-separated file, which has no quoting by itself (IANA text/tab-separated-values).

    Quotes are characters of the text, unless they are there because a spreadsheet or a library needed them:

    1. a field that begins and ends with a quote, and whose inner quotes are doubled, is unquoted if it contains a
       tab, a line end or such a doubled quote, or nothing at all;
    2. a field reaches over tabs or line ends only if the lines do not all have as many fields as the header when
       their quotes are read as characters.

    A file with a header whose names are all quoted is quoted throughout: :class:`CommaRows` reads it.
    """

    def __init__(self, lines: Lines, width: int | None) -> None:
        self._lines = lines
        self.width = width

    def next(self, place: str) -> list[str] | None:
        """As :meth:`CommaRows.next`; every row can be read."""
        self._lines.begin_row()
        line = next(self._lines, None)
        if line is None:
            return None
        fields = _tab_fields(line)
        if '"' in line and (together := self._over_lines(line, fields)) is not None:
            return together
        return [_unquoted(field) for field in fields]

    def _over_lines(self, line: str, fields: list[str]) -> list[str] | None:
        """The fields of a row of which one reaches over tabs or line ends; None where none does."""
        alone = len(fields) == self.width
        if self.width is None or (alone and not _OPEN.match(fields[-1])):
            return None
        text, taken, all_alone = line, list[str](), alone
        while True:
            quoted = _quoted_fields(text) if not taken or '"' in taken[-1] else []
            if quoted is None:
                break  # a quote that closes nothing
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
                break  # a row of its own
        self._lines.give_back(taken)
        return None


def _tab_fields(line: str) -> list[str]:
    """The fields of one line, quotes being characters; none of an empty line."""
    body = _body(line)
    return body.split("\t") if body else []


def _body(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _quoted_fields(text: str) -> list[str] | None:
    """The fields of a row that may span lines, still quoted; empty if it goes on, None if it ends before the text."""
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


# ---- what the first rows tell


def sampled_rows(sample: Sequence[str], delimiter: str) -> list[list[str]]:
    """The rows of some first lines, without one that is cut off or cannot be read."""
    if delimiter == "\t" and not (sample and is_quoted(sample[0], delimiter)):
        return [fields for line in sample if (fields := _tab_fields(line))]
    found: list[list[str]] = []
    usual = csv.field_size_limit(_LONGEST_FIELD)
    try:
        found += (row for row in _strict(sample, delimiter) if row)
    except csv.Error:
        pass  # the rows before it are enough
    finally:
        csv.field_size_limit(usual)
    return found


def _strict(sample: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(sample, delimiter=delimiter, strict=True)


def other_delimiter(sample: Sequence[str], usual: str) -> tuple[str | None, bool]:
    """What separates the fields instead of ``usual``, and whether that is certain.

    That is only asked where the first line is one field with ``usual``; it is certain where all rows have as many
    fields as the first one, and more than one.
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
    """Names for the columns of a file without a header, or None where its first row may be one.

    The first row is none if one of its fields, and one alone, is found again below it in its column: a label. The
    text is then the column with by far the longest fields of the others.
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
