"""The building blocks of the evaluation page: sections, tables, cells and sentences as plain text, without HTML.

Open it to change how numbers, intervals and verdicts are written; the template renders the blocks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from textlrp.records import MIN_DOCUMENTS
from textlrp.reports.numbers import decimals, number, percentage

Results = Mapping[str, Any]

MISSING = "–"
"""Shown in place of a number that was not measured."""


class Cell(NamedTuple):
    """A table cell: its text, ``look`` (a CSS class), and a smaller second line."""

    text: str
    look: str = ""
    note: str = ""


class Word(NamedTuple):
    """A part of a sentence; ``strong`` is shown in bold."""

    text: str
    strong: bool = False


class Drawing(NamedTuple):
    """A figure as SVG text, and its caption."""

    svg: Markup
    caption: str = ""


Sentence = tuple[Word, ...]

VERDICTS = {
    "significantly better": "▲ better",
    "significantly worse": "▼ worse",
    "no significant difference": "≈ not significant",
}
"""Each verdict of ``results.json`` as table cells show it."""

NO_VERDICT = {
    "too few documents": "too few documents (n={})",
    "same difference in every document": "same difference in every document (n={})",
}
"""By the entry of ``results.json``: why there is no verdict."""

TEST = "paired permutation test, 5% level, Holm correction"
"""How verdicts are found, for sentences and notes."""


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads (H,), rows of H cells, of which the first is the row head, and notes below the table."""

    title: str
    heads: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a section: a title, introductory sentences, figures and a table."""

    title: str = ""
    intro: tuple[Sentence, ...] = ()
    figures: tuple[Drawing, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class ClassWordTables:
    """The most relevant words of one class: a summary line, and tables with details."""

    label: str
    documents: str
    line: str
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The section of a measure: title, description, which values are better, source, and results."""

    id: str
    title: str
    about: str
    better: str
    source: str
    blocks: tuple[Block, ...] = ()
    classes: tuple[ClassWordTables, ...] = ()


def sentence(pattern: str, *values: object) -> Sentence:
    """A sentence with each ``{}`` replaced by a value, in bold for ``*{}*``."""
    parts = re.split(r"(\*?\{\}\*?)", pattern)
    remaining = iter(values)
    words = (Word(str(next(remaining)), part[0] == "*") if "{}" in part else Word(part) for part in parts)
    return tuple(word for word in words if word.text)


def head(*names: str) -> tuple[Cell, ...]:
    """Column heads. The first column contains row heads; the others contain numbers, or text after ``text:``."""
    # a non-breaking space keeps an arrow on the line of its word
    first, *others = (re.sub(r" (?=[↑↓])", "\u00a0", name) for name in names)
    looks = (("", name.removeprefix("text:")) if name.startswith("text:") else ("num", name) for name in others)
    return (Cell(first), *(Cell(name, look) for look, name in looks))


def finite(value: float | None) -> float | None:
    """The number, or None if it is missing or not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def figure_cell(value: float | None, digits: int | None = None, *, signed: bool = False, look: str = "") -> Cell:
    """A number with about three significant digits, or with ``digits`` decimals."""
    found = finite(value)
    if found is None:
        return Cell(MISSING, "num soft")
    shown = number(found, decimals(found if abs(found) >= 1e-3 else 0.1) if digits is None else digits, signed=signed)
    return Cell(shown, f"num {look}".strip())


def share_cell(value: float | None, interval: Sequence[float | None] | None = None) -> Cell:
    """A share in percent, with its interval on the second line."""
    found = finite(value)
    if found is None:
        return Cell(MISSING, "num soft")
    return Cell(share_text(found), "num", interval_text(interval, percent=True))


def interval_cell(
    interval: Sequence[float | None] | None,
    digits: int = 3,
    *,
    signed: bool = False,
    percent: bool = False,
    n_documents: float | None = None,
) -> Cell:
    """A confidence interval; a missing one is a dash, or with ``n_documents`` tells the reason."""
    found = interval_text(interval, digits, signed=signed, percent=percent)
    if not found and n_documents is not None:
        found = f"{'too few' if n_documents < MIN_DOCUMENTS else 'all equal'} (n={count(n_documents)})"
    return Cell(found or MISSING, "num soft")


def difference_cells(difference: Results | None) -> tuple[Cell, Cell, Cell]:
    """A paired difference, its interval, and its verdict above the p-value and the effect size; see results.json."""
    if difference is None:
        return Cell("", "num"), Cell("", "num"), Cell("")
    verdict = str(difference.get("verdict"))
    text = no_verdict(difference) if verdict in NO_VERDICT else VERDICTS.get(verdict, MISSING)
    p_value, size = finite(difference.get("p_corrected")), finite(difference.get("effect_size"))
    parts = [f"p = {p_text(p_value)}"] if p_value is not None else []
    parts += [f"d = {number(size, 2, signed=True)}"] if size is not None else []
    return (
        figure_cell(difference.get("difference"), 3, signed=True),
        interval_cell(difference.get("interval"), signed=True),
        Cell(text, f"verdict {'strong' if text[0] in '▲▼' else 'soft'}", ", ".join(parts)),
    )


def no_verdict(difference: Results) -> str:
    """What replaces a verdict: why there is none."""
    return NO_VERDICT[str(difference.get("verdict"))].format(count(difference.get("documents")))


def p_text(value: float) -> str:
    """A p-value with two significant digits, at least 0.0001."""
    return "0.0001" if value <= 0.0001 else number(value, 2 if value >= 0.095 else 3 if value >= 0.0095 else 4)


def verdict_heads(against: str, measure: str = "") -> tuple[str, str, str]:
    """The heads of :func:`difference_cells`; ``measure`` is what differs, if the table has several measures."""
    return f"{measure}difference from {against}", "95% interval", "text:verdict"


def verdicts_note(against: str) -> str:
    """The note below a table with :func:`difference_cells`."""
    return (
        f"▲ significantly better or ▼ significantly worse than {against}, ≈ no significant difference: {TEST} "
        "for all rows of a table. p is the corrected p-value; the intervals are not corrected. d is the standardized "
        "difference (Cohen’s d_z): the mean difference divided by its standard deviation over documents; 0.2 is "
        f"small, 0.8 is large. Fewer than {MIN_DOCUMENTS} documents get no verdict and no interval."
    )


def interval_text(
    interval: Sequence[float | None] | None, digits: int = 3, *, signed: bool = False, percent: bool = False
) -> str:
    """The bounds, ``0.602 to 0.620``, or an empty string if the interval is missing."""
    ends = [finite(end) for end in interval or ()]
    if len(ends) != 2 or None in ends:
        return ""
    low, high = (end or 0.0 for end in ends)
    if percent:
        return f"{share_text(low).removesuffix('%')} to {share_text(high)}"
    return f"{number(low, digits, signed=signed)} to {number(high, digits, signed=signed)}"


def share_text(value: float) -> str:
    """A share in percent, ``98.8%``; it may be negative or above 100%. It contains no line break."""
    text = percentage(value) if 0.0 <= value <= 1.0 else f"{number(100.0 * value, 1)}%"
    return text.replace(" ", "\u00a0")


def count(value: float | None) -> str:
    """A whole number with thousands separators, or a dash."""
    return MISSING if value is None else f"{int(value):,}"


def documents(value: float | None) -> str:
    """``1 document``, ``3 documents``."""
    return f"{count(value)} document{'' if value == 1 else 's'}"


def too_few(value: float | None) -> str:
    """What follows a mean over so few documents that there is no verdict; empty for enough documents."""
    return " (too few documents)" if value is not None and value < MIN_DOCUMENTS else ""


def duration(seconds: float | None) -> str:
    """A time with a suitable unit and about two significant digits: ``410 µs``, ``3.2 s``."""
    found = finite(seconds)
    if found is None:
        return MISSING
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if found >= size or unit == "µs":
            value = found / size
            return f"{number(value, 0 if value >= 10 else 1)} {unit}"
    return MISSING
