"""Explanations as HTML that needs no script, no network and no trust in the text.

How a value reaches a page, and what a page may do, is said in :mod:`textlrp.reports.rendering`.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple

import numpy as np

from textlrp.explanation import Explanation
from textlrp.files.kinds import FRAGMENT_MARK
from textlrp.reports.mail import key, marked_lines
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, write_page
from textlrp.reports.view import view


class Steps(NamedTuple):
    """Where a page of a folder leads: the list of all, and the documents before and behind it, if any."""

    home: str
    previous: str | None
    following: str | None


def document_page(
    explanation: Explanation,
    path: str | Path | None = None,
    *,
    title: str | None = None,
    palette: str = "red-blue",
    steps: Steps | None = None,
    force: bool = False,
) -> str:
    """One document as a self-contained page: its own text, marked; written to ``path`` too where one is given.

    With several targets the page has a class switch, and still one copy of the text. ``steps`` leads to other pages.
    Raises :class:`DataError` if ``path`` cannot be written, :class:`OptionError` for an unknown palette. With
    ``force`` a file at ``path`` that is not a page of textlrp is moved to a backup name instead of refused.
    """
    doc = view(explanation, title=title, sentences=True)
    page = rendered("document.html", doc=doc, steps=steps, palette=palette_of(palette))
    if path is not None:
        write_page(page, path, force=force)
    return page


def notebook_fragment(explanation: Explanation, *, palette: str = "red-blue") -> str:
    """The explanation for a notebook cell: its own styles, all under one class name, and no other effect."""
    # two cells may show the same explanation: their radio buttons need different names
    uid = f"textlrp-{secrets.token_hex(4)}"
    return rendered("fragment.html", doc=view(explanation), uid=uid, palette=palette_of(palette))


def mail_fragment(
    explanation: Explanation, path: str | Path | None = None, *, palette: str = "red-blue", force: bool = False
) -> str:
    """The explanation for a mail or a comment: its styles are inline, and it can be read where they are dropped.

    No style sheet, class, id or script; strong words are bold and underlined (for) or in struck italics (against).
    With several targets the text is marked for :meth:`Explanation.row`, and the others follow as a table. A file is
    written in ASCII, with character references, so that it can be read in any encoding. Raises as
    :func:`document_page` does.
    """
    colors = palette_of(palette)
    doc, shades, row = view(explanation), colors.light, explanation.row()
    highest_first = np.argsort(-explanation.target_scores, kind="stable").tolist()
    fragment = rendered(
        "mail.html",
        doc=doc,
        target=doc.targets[row],
        others=[doc.targets[other] for other in highest_first if other != row],
        lines=marked_lines(explanation, row, shades),
        key=key(explanation, row, shades),
        shades=shades,
        against=colors.words[1],
    )
    # Markdown takes an empty line for the end of HTML
    fragment = "\n".join(line for line in fragment.splitlines() if line.strip()) + "\n"
    if path is not None:
        text = FRAGMENT_MARK + fragment.encode("ascii", "xmlcharrefreplace").decode("ascii")
        write_page(text, path, force=force)
    return fragment
