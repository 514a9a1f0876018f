"""The pieces that a page of results is made of, in words and rounded numbers: no HTML in here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from textlrp.reports.numbers import decimals, number, percentage

Results = Mapping[str, Any]

MISSING = "–"
"""Stands where a number was not measured."""


class Cell(NamedTuple):
    """A field of a table: its text, its look (a class of the style sheet), and a lesser second line."""

    text: str
    look: str = ""
    note: str = ""


class Word(NamedTuple):
    """A piece of a sentence, ``strong`` where it carries the sentence's point."""

    text: str
    strong: bool = False


class Drawing(NamedTuple):
    """A figure as SVG text, and what stands under it."""

    svg: Markup
    caption: str = ""


Sentence = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Heads (H,), rows of H cells, the first of which names its row, and notes below."""

    title: str
    heads: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a section: what it shows, figures and a table."""

    title: str = ""
    intro: tuple[Sentence, ...] = ()
    figures: tuple[Drawing, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class ClassWordTables:
    """The words of one class: a line that names them, and tables with all about them."""

    label: str
    documents: str
    line: str
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A measure: its name, what it asks in plain words, which way is better, its source, and what came out."""

    id: str
    title: str
    about: str
    better: str
    source: str
    blocks: tuple[Block, ...] = ()
    classes: tuple[ClassWordTables, ...] = ()


def said(pattern: str, *values: object) -> Sentence:
    """A sentence with values put in at ``{}``, and strong at ``*{}*``."""
    pieces = re.split(r"(\*?\{\}\*?)", pattern)
    given = iter(values)
    words = (Word(str(next(given)), piece[0] == "*") if "{}" in piece else Word(piece) for piece in pieces)
    return tuple(word for word in words if word.text)


def head(*names: str) -> tuple[Cell, ...]:
    """Heads of columns: the first above names, ``text:`` before one that is no number."""
    # an arrow or a percent sign stays beside its word
    first, *others = (re.sub(r" (?=[↑↓%])", "\u00a0", name) for name in names)
    looks = (("", name.removeprefix("text:")) if name.startswith("text:") else ("num", name) for name in others)
    return (Cell(first), *(Cell(name, look) for look, name in looks))


def real(value: float | None) -> float | None:
    """The number if there is one."""
    return None if value is None or not math.isfinite(value) else float(value)


def figure_cell(value: float | None, digits: int | None = None, *, signed: bool = False, look: str = "") -> Cell:
    """A number, three figures of it unless ``digits`` are named."""
    found = real(value)
    if found is None:
        return Cell(MISSING, "num soft")
    shown = number(found, decimals(found if abs(found) >= 1e-3 else 0.1) if digits is None else digits, signed=signed)
    return Cell(shown, f"num {look}".strip())


def share_cell(value: float | None, interval: Sequence[float | None] | None = None) -> Cell:
    """A share of the whole in percent, its interval on the second line."""
    found = real(value)
    if found is None:
        return Cell(MISSING, "num soft")
    return Cell(share_text(found), "num", interval_text(interval, percent=True))


def interval_cell(interval: Sequence[float | None] | None, digits: int = 3, *, signed: bool = False) -> Cell:
    """Both ends of an interval."""
    return Cell(interval_text(interval, digits, signed=signed) or MISSING, "num soft")


def difference_cells(difference: Results | None) -> tuple[Cell, Cell, Cell]:
    """A paired difference, its interval and its verdict, as ``results.json`` has them."""
    if difference is None:
        return Cell("", "num"), Cell("", "num"), Cell("")
    found = difference.get("verdict")
    name = {"better": "▲ better", "worse": "▼ worse", "not significant": "≈"}.get(str(found), MISSING)
    if found == "too few documents":
        name = too_few(difference)
    return (
        figure_cell(difference.get("difference"), 3, signed=True),
        interval_cell(difference.get("interval"), signed=True),
        Cell(name, f"verdict {'strong' if found in ('better', 'worse') else 'soft'}"),
    )


def too_few(difference: Results) -> str:
    """In place of a verdict."""
    return f"too few documents (n={count(difference.get('documents'))})"


def verdicts_note(against: str) -> str:
    """What stands below a table with :func:`difference_cells`."""
    return (
        f"▲ better, ▼ worse than {against}: the interval of the paired difference excludes 0; ≈ it does not. "
        "From too few documents no verdict is given."
    )


def interval_text(
    interval: Sequence[float | None] | None, digits: int = 3, *, signed: bool = False, percent: bool = False
) -> str:
    """Both ends, ``0.602 to 0.620``; nothing where there is no interval."""
    ends = [real(end) for end in interval or ()]
    if len(ends) != 2 or None in ends:
        return ""
    low, high = (end or 0.0 for end in ends)
    if percent:
        return f"{share_text(low).removesuffix('%').rstrip()} to {share_text(high)}"
    return f"{number(low, digits, signed=signed)} to {number(high, digits, signed=signed)}"


def share_text(value: float) -> str:
    """A share in percent, which may be negative or above one; no line ends before its sign."""
    text = percentage(value) if 0.0 <= value <= 1.0 else f"{number(100.0 * value, 1)} %"
    return text.replace(" ", "\u00a0")


def count(value: float | None) -> str:
    """A whole number with commas."""
    return MISSING if value is None else f"{int(value):,}"


def documents(value: float | None) -> str:
    """So many documents."""
    return f"{count(value)} document{'' if value == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """A time for people, two figures of it: ``0.41 ms``, ``3.2 s``."""
    found = real(seconds)
    if found is None:
        return MISSING
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if found >= size or unit == "µs":
            value = found / size
            return f"{number(value, 0 if value >= 10 else 1)} {unit}"
    return MISSING
