"""Render templates into pages, and write pages to files.

This module decides how values reach a page: Jinja escapes every value, and characters that a browser cannot show are
replaced by symbols. What a page may do is decided by the Content-Security-Policy in ``templates/base.html``: no
network and no script, except one script known by its hash on lists and on the live page. Open this module before you
add a template.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from textlrp.files.kinds import PAGE, PAGE_MARK
from textlrp.files.written_file import atomic_file
from textlrp.records import TEXTS_LEFT_OUT, Status
from textlrp.reports.glossary import glossary_of
from textlrp.reports.marks import TextRun
from textlrp.reports.numbers import percentage
from textlrp.reports.palette import Palette
from textlrp.text.invisible import control_symbol


def rendered(name: str, **values: Any) -> str:
    """Fill in the template with this name. A value that the template uses and that is missing is an error."""
    return _templates().get_template(name).render(**values)


@cache
def inline_script(name: str) -> tuple[Markup, str]:
    """Return a script of the folder ``templates``, and its SHA-256 for the Content-Security-Policy of its page."""
    text = files("textlrp.reports").joinpath("templates", name).read_text(encoding="utf-8")
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def write_page(page: str, path: str | Path, *, force: bool = False) -> None:
    """Write a page completely or not at all. Raises :class:`DataError` if ``path`` cannot be written.

    If ``path`` is a file that is not a page of textlrp, ``force`` moves it to a backup name, such as
    ``page.html.bak1``; without ``force`` it is an error.
    """
    with atomic_file(path, PAGE, force=force) as unfinished:
        unfinished.write_text(page, encoding="utf-8", newline="\n")


def today() -> str:
    """Return today's date, or that of ``SOURCE_DATE_EPOCH`` if it is set, so that pages are reproducible."""
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
    templates.filters["in_colors"] = in_colors
    templates.filters["percent"] = percentage
    templates.globals["page_mark"] = Markup(PAGE_MARK)
    templates.globals["glossary_of"] = glossary_of
    templates.globals["left_out"] = TEXTS_LEFT_OUT
    return templates


def _finalized(value: object) -> object:
    # Jinja calls this before it escapes; Markup is left alone because its parts have been through here already
    return showable(value) if type(value) is str else value


# C0 and C1 controls except tab, line feed, form feed and carriage return; lone surrogates; noncharacters
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def showable(text: str) -> str:
    """Replace control characters by their symbols (␀), and other characters that cannot be shown by U+FFFD."""
    return text if text.isprintable() else _UNSHOWABLE.sub(lambda match: control_symbol(match[0]), text)


def spans(runs: Iterable[TextRun]) -> Markup:
    """Render the runs of a text without a character between them: inside ``.text`` white space is shown."""
    return Markup("".join(map(_run_html, runs)))


def in_colors(note: str, colors: Palette) -> str:
    """Name the colors of this palette in a note that is written for red and blue."""
    names = dict(zip(("red", "blue"), colors.words, strict=True))
    return re.sub(r"\b(?:red|blue)\b(?= \()", lambda found: names[found[0]], note)


def _run_html(run: TextRun) -> str:
    text = escape(showable(run.text))
    word = "" if run.word is None else f' data-s="{run.word[0]}" data-e="{run.word[1]}"'
    if run.status is None:
        return text
    if run.status == Status.READ:
        style = ";".join(f"--{row}:{share}" for row, share in run.shares)
        names = " ".join(["m"] * bool(style) + [escape(run.classes)] * bool(run.classes))
        mark = (f' class="{names}"' if names else "") + word + (f' style="{style}"' if style else "")
        value = f' data-v="{escape(run.title)}"' if run.title else ""
        known = f' data-n="{run.in_training:d}"' if run.in_training >= 0 else ""
        # on the live page a script makes all words reachable by the arrow keys
        reached = ' tabindex="0"' if run.strong and not word else ""
        return f"<b{mark}{value}{known}{reached}>{text}</b>"
    if run.status == Status.NOT_A_WORD:
        return f"<i>{text}</i>"
    unknown = ' class="unknown"' if run.status == Status.UNKNOWN else ""
    return f'<i{unknown}{word} title="{escape(run.title)}">{text}</i>'
