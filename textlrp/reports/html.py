"""Explanations as HTML that needs no script, no network and no trust in the text.

How a value reaches a page, and what a page may do, is said in :mod:`textlrp.reports.rendering`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from textlrp.errors import DataError
from textlrp.records import Explanation
from textlrp.reports.marks import percentage
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, write_page
from textlrp.reports.view import view


def document_page(
    explanation: Explanation, path: str | Path | None = None, *, title: str | None = None, palette: str = "red-blue"
) -> str:
    """One document as a self-contained page: its own text, marked; written to ``path`` too where one is given.

    With several targets the page has a class switch, and still one copy of the text.
    Raises :class:`DataError` if ``path`` cannot be written, :class:`OptionError` for an unknown palette.
    """
    page = rendered("document.html", doc=view(explanation, title=title, sentences=True), palette=palette_of(palette))
    if path is not None:
        write_page(page, path)
    return page


def list_page(
    explanations: Iterable[Explanation], path: str | Path | None = None, *, title: str = "", palette: str = "red-blue"
) -> str:
    """Documents one under the other, each to be opened; read from ``explanations`` one at a time.

    Raises as :func:`document_page` does.
    """
    colours = palette_of(palette)
    parts, total, labelled, right, targets = [], 0, 0, 0, 1
    for position, explanation in enumerate(explanations):
        doc = view(_checked(explanation))
        # the heading needs the totals, so the finished parts wait as text; the explanations do not
        parts.append(Markup(rendered("item.html", doc=doc, uid=f"d{position + 1}", first=position == 0)))
        total, targets = total + 1, max(targets, len(doc.targets))
        labelled, right = labelled + (doc.right is not None), right + (doc.right is True)
    page = rendered(
        "list.html",
        title=title or "Documents",
        parts=parts,
        total=total,
        labelled=labelled,
        right=right,
        accuracy=percentage(right / labelled) if labelled else "",
        targets=targets,
        palette=colours,
    )
    if path is not None:
        write_page(page, path)
    return page


def write_report(
    explanations: Explanation | Iterable[Explanation],
    path: str | Path,
    *,
    title: str | None = None,
    palette: str = "red-blue",
) -> Path:
    """One explanation as its page, or many as a list, written whole or not at all; gives back the path.

    Raises :class:`DataError` if the folder is missing or something else than explanations came.
    """
    if isinstance(explanations, Explanation):
        document_page(explanations, path, title=title, palette=palette)
    else:
        list_page(explanations, path, title=title or "", palette=palette)
    return Path(path)


def notebook_fragment(explanation: Explanation, *, palette: str = "red-blue") -> str:
    """The explanation for a notebook cell: its own styles, all under one class name, and no other effect."""
    # two cells may show the same explanation: their radio buttons need different names
    uid = f"textlrp-{secrets.token_hex(4)}"
    return rendered("fragment.html", doc=view(explanation), uid=uid, palette=palette_of(palette))


def _checked(explanation: object) -> Explanation:
    if not isinstance(explanation, Explanation):
        raise DataError(f"a report shows Explanations; got {type(explanation).__name__}. Pass what explain() gives.")
    return explanation
