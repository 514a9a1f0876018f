"""Render a page from its template, with every text escaped and every character showable."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from textlrp.files.kinds import PAGE, PAGE_MARK
from textlrp.files.written_file import atomic_file
from textlrp.records import Status
from textlrp.reports.marks import TextRun
from textlrp.text.invisible import control_symbol


def rendered(name: str, **values: Any) -> str:
    """The template of this name, filled in; a value that the template wants and nobody gave is an error."""
    return _templates().get_template(name).render(**values)


def write_page(page: str, path: str | Path, *, force: bool = False) -> None:
    """Write a page whole or not at all; raises :class:`DataError` where it cannot.

    With ``force`` a file that is not a page of textlrp is moved to a backup name, such as ``page.html.bak1``.
    """
    with atomic_file(path, PAGE, force=force) as beside:
        beside.write_text(page, encoding="utf-8", newline="\n")


def today() -> str:
    """The date a page is written, or the one of ``SOURCE_DATE_EPOCH`` where that is set, so that pages can repeat."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(seconds), UTC) if seconds.isdigit() else datetime.now()
    return now.date().isoformat()


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("textlrp.reports"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["spans"] = spans
    templates.globals["page_mark"] = Markup(PAGE_MARK)
    return templates


def _finalized(value: object) -> object:
    # runs before the escaping; markup was made from parts that went through here already
    return showable(value) if type(value) is str else value


# C0 and C1 controls but tab, line feed, form feed and carriage return; lone surrogates; noncharacters
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def showable(text: str) -> str:
    """Control characters as their symbols (␀), and what has none as U+FFFD."""
    return text if text.isprintable() else _UNSHOWABLE.sub(lambda match: control_symbol(match[0]), text)


def spans(runs: Iterable[TextRun]) -> Markup:
    """The runs one behind the other, without a character between them."""
    return Markup("".join(map(_run_html, runs)))


def _run_html(run: TextRun) -> str:
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
