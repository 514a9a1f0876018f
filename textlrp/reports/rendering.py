"""Values into templates, and pages into files.

Every value reaches a page through Jinja2's autoescape, after characters that HTML cannot carry were
made visible. Style sheets are inline; a Content-Security-Policy forbids everything else.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from textlrp.file_kinds import PAGE, PAGE_MARK
from textlrp.files import written_beside
from textlrp.reports.characters import showable
from textlrp.reports.spans import spans


def rendered(name: str, **values: Any) -> str:
    """The template of this name, filled in; a value that the template wants and nobody gave is an error."""
    return _templates().get_template(name).render(**values)


def write_page(page: str, path: str | Path, *, force: bool = False) -> None:
    """Write a page whole or not at all; raises :class:`DataError` where it cannot.

    With ``force`` a file that is not a page of textlrp is moved to a backup name, such as ``page.html.bak1``.
    """
    with written_beside(path, PAGE, force=force) as beside:
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
