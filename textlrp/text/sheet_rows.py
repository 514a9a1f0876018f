"""Read the rows of a sheet of a workbook (.xlsx), with openpyxl from the extra ``xlsx``.

Rows are read one at a time. A cell is what a spreadsheet program saved last: no formula is computed. Open this module
to change how the value of a cell becomes text.
"""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from textlrp.errors import DataError, OptionError, closest, missing_extra, must_be
from textlrp.text.column_choice import resolve_columns
from textlrp.text.dialects import SAMPLE_LINES
from textlrp.text.row_layout import Columns, FoundRow, Layout, joined_text, row_place, warn_of_guess
from textlrp.text.table_header import find_header

NOT_A_WORKBOOK = "Open it in a spreadsheet program, and save it without a password as .xlsx or as CSV UTF-8."
"""What to do with a workbook that cannot be read."""

_OLD_FILE = b"\xd0\xcf\x11\xe0"  # the first bytes of .xls files, and of workbooks with a password
_LARGEST, _LARGEST_RATIO = 1 << 29, 100
"""A workbook that unpacks to more bytes, and to more times its size, is refused: it would fill the memory."""

_MOST_ROWS = 1 << 20  # the limit of the format; a damaged file may declare more
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
_LONGEST_RANGE = 60  # bytes that such an element has at most
_MIDNIGHT = " 00:00:00"


def sheet_rows(path: Path, requested: Columns, layout: Layout, encoding: str, errors: str) -> Iterator[FoundRow]:
    """Read a sheet of a workbook. Empty cells, and cells with an error, are missing; other values become text."""
    with _workbook(path) as book:
        sheet = _sheet(book, layout.sheet, path)
        found = _filled_rows(sheet, _merged_down(sheet, path))
        first = list(islice(found, SAMPLE_LINES))
        width = max((len(row) for _, row in first), default=0)
        shown = [[cell or "" for cell in row] + [""] * (width - len(row)) for _, row in first]
        header = find_header(path, requested, layout, shown)
        names = header.names
        if not names:
            return
        columns = resolve_columns([(name, True) for name in names], requested, f"{path}", has_header=header.found)
        texts = [names.index(name) for name in columns.texts]
        # the index of a column that does not exist is that of an additional empty cell
        label, id = (len(names) if name is None else names.index(name) for name in (columns.label, columns.id))
        for number, (line, row) in enumerate(islice(chain(first, found), header.rows, None), start=1):
            cells = [*(row + [None] * len(names))[: len(names)], None]
            text = joined_text([cells[n] for n in texts])
            yield FoundRow(row_place(path, number, line), number, text, cells[label], cells[id])


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    """Open a workbook; raises :class:`DataError` if it is not one, and :class:`MissingExtraError`."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise missing_extra(str(path), "openpyxl", "xlsx") from error
    with path.open("rb") as raw:
        if raw.read(4) == _OLD_FILE:
            raise DataError(f"{path}: is protected by a password, or in the old .xls format. {NOT_A_WORKBOOK}")
        try:
            _check_unpacked_size(path)
            book = load_workbook(raw, read_only=True, data_only=True)
            try:
                yield book
            finally:
                book.close()
        except (zipfile.BadZipFile, ParseError, KeyError) as error:
            reason = str(error).strip("'\"").rstrip(".")
            raise DataError(f"{path}: not a readable .xlsx workbook ({reason}). {NOT_A_WORKBOOK}") from None


def _check_unpacked_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    ratio = size / max(1, path.stat().st_size)
    if size > _LARGEST and ratio > _LARGEST_RATIO:
        raise DataError(
            f"{path}: unpacks to {size / 1e9:,.1f} GB, {ratio:,.0f} times its size, so it is probably not a table. "
            "Save it as CSV UTF-8."
        )


def _sheet(book: Any, name: str | None, path: Path) -> Any:
    """Return the sheet with a name, or the first visible one that is not empty."""
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if name is not None:
        if name not in sheets:
            known = ", ".join(map(repr, sheets))
            raise OptionError(must_be("sheet", f"one of {known}", name, closest(name, sheets).strip()))
        return sheets[name]
    visible = [sheet for sheet in sheets.values() if sheet.sheet_state == "visible"] or list(sheets.values())
    filled = [sheet for sheet in visible if next(_filled_rows(sheet), None) is not None]
    if len(filled) > 1:
        warn_of_guess(
            path,
            f"the sheet {filled[0].title!r} is read, the first of {len(filled)}. Pass sheet={filled[0].title!r} to "
            "confirm this.",
        )
    if not filled:
        raise DataError(f"{path}: contains no texts. Pass a workbook with a sheet that is not empty.")
    return filled[0]


def _merged_down(sheet: Any, path: Path) -> dict[tuple[int, int], int]:
    """Return the cells that are merged with those below: row and column, from 1, with the last row.

    A file contains them after the rows, and openpyxl leaves them out if it reads one row at a time.
    """
    from openpyxl.utils import range_boundaries

    found, text = dict[tuple[int, int], int](), b""
    with zipfile.ZipFile(path) as archive, archive.open(sheet._worksheet_path) as part:
        while chunk := part.read(1 << 20):
            text = text[-_LONGEST_RANGE:] + chunk
            for match in _MERGED.finditer(text):
                first_column, first_row, _, last_row = range_boundaries(match[1].decode())
                if last_row > first_row:
                    found[first_row, first_column] = last_row
    return found


def _filled_rows(
    sheet: Any, merged: Mapping[tuple[int, int], int] | None = None
) -> Iterator[tuple[int, list[str | None]]]:
    """Yield the number, from 1, and the cells of each row that is not empty. Merged cells have the same value."""
    sheet.reset_dimensions()  # the size that a file declares may be wrong
    above: dict[int, tuple[str, int]] = {}
    width = max((column for _, column in merged or ()), default=0)
    for number, row in enumerate(islice(sheet.iter_rows(), _MOST_ROWS), start=1):
        cells = [_cell_text(cell) for cell in row] + [None] * (width - len(row))
        for column, cell in enumerate(cells, start=1) if merged else ():
            if cell is not None:
                above[column] = cell, (merged or {}).get((number, column), 0)
        if any(cells):
            yield (
                number,
                [
                    cell if cell is not None or above.get(column, ("", 0))[1] < number else above[column][0]
                    for column, cell in enumerate(cells, start=1)
                ],
            )


def _cell_text(cell: Any) -> str | None:
    """Return the value of a cell as a spreadsheet program writes it to CSV; None if it is empty or an error."""
    value = cell.value
    if value is None or cell.data_type == "e":
        return None
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return str(value).removesuffix(_MIDNIGHT)
    if isinstance(value, str) and "_x" in value:
        from openpyxl.utils.escape import unescape

        return str(unescape(value))  # a control character in the file is written as _x000D_
    return str(value)
