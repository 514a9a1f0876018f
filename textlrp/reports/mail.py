"""What a mail-safe fragment says: marks whose sign stays where a reader of mail drops every style.

Sanitizers (GitHub's among them) drop ``style``, ``class`` and ``id`` but keep a list of old elements, so a strong
mark is an element of its own kind and a color besides: ``<b><ins>`` for, ``<i><s>`` against. A line of the text is
an element too, and spaces that HTML would fold do not break: the text keeps its shape without ``white-space``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.lines import lines_of, strength, whole_letters
from textlrp.reports.marks import TextRun, shown_relevance
from textlrp.reports.numbers import decimals, number
from textlrp.reports.palette import Shades, mixed

_FOLDED = re.compile("(?<= ) | $|^ |\t")


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of text inside ``outer``, and ``inner`` where there is one, each with its style; or bare text."""

    text: str
    outer: str = ""
    style: str = ""
    inner: str = ""
    inner_style: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """How marks look, strong ones first on either side, and what a mark of full color is worth."""

    speaks_for: tuple[Mark, ...]
    speaks_against: tuple[Mark, ...]
    ignored: Mark | None
    largest: str


def marked_lines(explanation: Explanation, row: int, shades: Shades) -> list[list[Mark]]:
    """The text, line by line, marked for one target; joined, its words and letters are the text."""
    return [[_mark(run, shades) for run in _kept_spaces(line)] for line in lines_of(whole_letters(explanation, row))]


def key(explanation: Explanation, row: int, shades: Shades) -> Key:
    """The legend of :func:`marked_lines`."""
    largest = float(np.abs(shown_relevance(explanation, [row])).max(initial=0.0))

    def sample(text: str, share: int) -> Mark:
        return _mark(TextRun(text, Status.READ, ((0, share),), ""), shades)

    ignored = [status for status in np.unique(explanation.status).tolist() if status != Status.READ]
    return Key(
        (sample("strongly for", 100), sample("for", 20)),
        (sample("against", -20), sample("strongly against", -100)),
        _mark(TextRun("not read", Status.SKIPPED, (), ""), shades) if ignored else None,
        number(largest, decimals(largest)),
    )


def _mark(run: TextRun, shades: Shades) -> Mark:
    if run.status is None:
        return Mark(run.text)
    if run.status == Status.NOT_A_WORD:
        return Mark(run.text, "span", f"color:{shades.soft}")
    if run.status != Status.READ:
        return Mark(run.text, "small", f"font-size:100%;color:{shades.soft}", title=run.title)
    share = run.shares[0][1]
    ground = mixed(shades.speaks_for if share > 0 else shades.speaks_against, shades.paper, abs(share))
    # ink beside every ground: a dark screen may turn the color that is inherited, and leave the ground
    style = f"background-color:{ground};color:{shades.ink}"
    step = strength(share)
    if step == 1:
        return Mark(run.text, "span", style, title=run.title)
    outer = "b" if share > 0 else "i"
    if step == 2:
        return Mark(run.text, outer, style, title=run.title)
    if share > 0:
        return Mark(run.text, outer, style, "ins", f"text-decoration:underline {shades.for_line}", run.title)
    dashes = f"text-decoration:none;border-bottom:2px dashed {shades.against_line}"
    return Mark(run.text, outer, style, "s", dashes, run.title)


def _kept_spaces(line: list[TextRun]) -> list[TextRun]:
    """Character for character: spaces that HTML would fold as ones that it does not, a tab as a wide space."""
    whole = "".join(run.text for run in line)
    kept = _FOLDED.sub(lambda found: "\u2003" if found[0] == "\t" else "\xa0", whole)
    ends = np.cumsum([len(run.text) for run in line]).tolist()
    return [run._replace(text=kept[end - len(run.text) : end]) for run, end in zip(line, ends, strict=True)]
