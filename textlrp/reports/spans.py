"""Runs of text as HTML: the one place where markup is made outside a template, for a page has hundreds of them.

Everything that comes from a document is escaped here, as the templates do elsewhere; numbers are written as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from textlrp.records import Status
from textlrp.reports.characters import showable
from textlrp.reports.marks import Run


def spans(runs: Iterable[Run]) -> Markup:
    """The runs one behind the other, without a character between them."""
    return Markup("".join(map(_span, runs)))


def _span(run: Run) -> str:
    text = escape(showable(run.text))
    if run.status is None:
        return text
    if run.status == Status.READ:
        style = ";".join(f"--{row}:{share}" for row, share in run.shares)
        value = f' data-v="{escape(run.title)}"' if run.title else ""
        known = f' data-n="{run.in_training:d}"' if run.in_training >= 0 else ""
        reached = ' tabindex="0"' if run.strong else ""
        return f'<b class="m" style="{style}"{value}{known}{reached}>{text}</b>'
    if run.status == Status.NOT_A_WORD:
        return f"<i>{text}</i>"
    unknown = ' class="unknown"' if run.status == Status.UNKNOWN else ""
    return f'<i{unknown} title="{escape(run.title)}">{text}</i>'
