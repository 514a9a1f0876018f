"""Marked text and legend of the mail fragment, readable even where a mail reader drops every style.

Sanitizers, such as GitHub's, remove ``style``, ``class`` and ``id`` but keep some old elements. A strongly relevant
word therefore has elements as well as a color: ``<b><ins>`` if it supports the class, ``<i><s>`` if it opposes it.
Each line of the text is an element, and spaces that HTML would collapse become non-breaking spaces, so the text keeps
its layout without the CSS property ``white-space``. :func:`textlrp.reports.document.mail_fragment` renders them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.lines import grapheme_runs, lines_of, strength
from textlrp.reports.marks import TextRun, full_color
from textlrp.reports.palette import Shades, mixed

_COLLAPSED = re.compile("(?<= ) | $|^ |\t")  # the white space that HTML does not show as it is


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of text in an element ``outer`` and an optional ``inner`` one, each with its style; or bare text."""

    text: str
    outer: str = ""
    style: str = ""
    inner: str = ""
    inner_style: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Legend:
    """Sample marks of both signs and of ignored text; ``largest`` is the relevance that has the full color."""

    supporting: tuple[Mark, ...]
    opposing: tuple[Mark, ...]
    ignored: Mark | None
    largest: str


def marked_lines(explanation: Explanation, row: int, shades: Shades) -> list[list[Mark]]:
    """Mark the text line by line for one target. Joined, the marks contain all words and characters of the text."""
    return [[_mark(run, shades) for run in _kept_spaces(line)] for line in lines_of(grapheme_runs(explanation, row))]


def mail_legend(explanation: Explanation, row: int, shades: Shades) -> Legend:
    """Create the legend of :func:`marked_lines`."""

    def sample(text: str, share: int) -> Mark:
        return _mark(TextRun(text, Status.READ, ((0, share),), ""), shades)

    ignored = [status for status in np.unique(explanation.status).tolist() if status != Status.READ]
    return Legend(
        (sample("strongly supports", 100), sample("supports", 20)),
        (sample("opposes", -20), sample("strongly opposes", -100)),
        _mark(TextRun("ignored by the model", Status.SKIPPED, (), ""), shades) if ignored else None,
        full_color(explanation, [row]),
    )


def _mark(run: TextRun, shades: Shades) -> Mark:
    if run.status is None:
        return Mark(run.text)
    if run.status == Status.NOT_A_WORD:
        return Mark(run.text, "span", f"color:{shades.soft}")
    if run.status != Status.READ:
        return Mark(run.text, "small", f"font-size:100%;color:{shades.soft}", title=run.title)
    share = run.shares[0][1]
    background = mixed(shades.supports if share > 0 else shades.opposes, shades.paper, abs(share))
    # each mark repeats the ink color: a dark mail reader may invert the inherited text color and keep the background
    style = f"background-color:{background};color:{shades.ink}"
    step = strength(share)
    if step == 1:
        return Mark(run.text, "span", style, title=run.title)
    outer = "b" if share > 0 else "i"
    if step == 2:
        return Mark(run.text, outer, style, title=run.title)
    if share > 0:
        return Mark(run.text, outer, style, "ins", f"text-decoration:underline {shades.supports_line}", run.title)
    dashes = f"text-decoration:none;border-bottom:2px dashed {shades.opposes_line}"
    return Mark(run.text, outer, style, "s", dashes, run.title)


def _kept_spaces(line: list[TextRun]) -> list[TextRun]:
    """Replace spaces that HTML would collapse by non-breaking ones, and tabs by em spaces, one for one."""
    whole = "".join(run.text for run in line)
    kept = _COLLAPSED.sub(lambda found: "\u2003" if found[0] == "\t" else "\xa0", whole)
    ends = np.cumsum([len(run.text) for run in line]).tolist()
    return [run._replace(text=kept[end - len(run.text) : end]) for run, end in zip(line, ends, strict=True)]
