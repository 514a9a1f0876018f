"""Print a :class:`Listing`: the tables of ``textlrp words``, ``filters`` and ``rules``, fitted to the terminal.

Open it to change the layout of these tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from textlrp.cli.terminal import NARROW, printable
from textlrp.records import Listing

GAP, INDENT = 3, 2
"""Spaces between columns, and before a cell that has its own line in a narrow terminal."""


def print_listing(listing: Listing, console: Console) -> None:
    """Print a table below its title and note. In a narrow terminal, cells that do not fit get their own line."""
    console.print(Text(listing.title, style="bold"))
    if listing.note:
        console.print(Text(listing.note, style="dim"))
    rows = [tuple(map(printable, row)) for row in listing.rows]
    if rows and console.width < NARROW:
        _print_narrow(listing.headings, rows, console)
    elif rows:
        _print_table(listing.headings, rows, console)
    console.print()


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Print one line per row; cells are wrapped, except in the first column."""
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="dim")
    for position, heading in enumerate(headings):
        table.add_column(heading, no_wrap=position == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_narrow(headings: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Print the first columns that fit side by side, and each cell of the others on an indented line."""
    widths = [max(map(cell_len, column)) + GAP for column in zip(headings, *rows, strict=True)]
    fitting = 1
    while fitting < len(widths) and sum(widths[: fitting + 1]) - GAP <= console.width:
        fitting += 1
    for row, style in ((headings, "dim"), *((row, "") for row in rows)):
        beginning = "".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row[:fitting], widths[:fitting], strict=True)
        )
        console.print(Text(beginning.rstrip(), style=style, overflow="fold"))
        for cell in filter(None, row[fitting:]):
            console.print(Padding(Text(cell, style=style, overflow="fold"), (0, 0, 0, INDENT)))
