"""Write the rows of CSV and TSV files so that a spreadsheet program shows every text and runs none.

A spreadsheet program reads a cell that starts with ``=``, ``+``, ``-``, ``@``, a tab or a line break as a formula.
Texts, ids and labels come from strangers, so such a cell gets a leading apostrophe, as OWASP recommends under "CSV
injection". Every table that textlrp writes as text goes through :func:`table_line`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_FORMULA_START = re.compile("[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")
"""The signs of OWASP's list; the last ones are =, +, - and @ in full width, which East Asian programs read alike."""
_ONE_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|inf|nan)"
_NUMBERS = re.compile(rf"{_ONE_NUMBER}(?:[,;|/: ]{_ONE_NUMBER})*", re.IGNORECASE | re.ASCII)
"""One number, or several with a separator: the scores of a text with several labels."""


def table_line(cells: Iterable[Any], *, delimiter: str = ",", keep_formulas: bool = False) -> str:
    """Return one row of a CSV or TSV file: the :func:`table_cell` of each value, and a newline."""
    return delimiter.join(table_cell(cell, delimiter, keep_formulas=keep_formulas) for cell in cells) + "\n"


def table_cell(cell: Any, delimiter: str = ",", *, keep_formulas: bool = False) -> str:
    """Return a string, a number, or None as a cell of a CSV or TSV file; None is an empty cell.

    Strings that a spreadsheet program would run as a formula get a leading apostrophe, unless ``keep_formulas``;
    numbers in a string, such as ``-1.5``, do not. A cell that contains the delimiter, a quote or a line break is
    quoted. A carriage return counts as a line break, because many readers of CSV end a row at it.
    """
    if not isinstance(cell, str):
        return "" if cell is None else str(cell)
    text: str = cell
    if not keep_formulas and _FORMULA_START.match(text) and not _NUMBERS.fullmatch(text):
        text = f"'{text}"
    if any(mark in text for mark in (delimiter, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text
