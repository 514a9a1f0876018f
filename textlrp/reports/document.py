"""One explanation as HTML: a page of its own, a notebook cell, or a fragment for a mail.

None of them needs a script or the network, and no text of the user can inject HTML: see
:mod:`textlrp.reports.rendering`.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple

import numpy as np

from textlrp.explanation import Explanation
from textlrp.files.kinds import FRAGMENT_MARK
from textlrp.reports.mail import mail_legend, marked_lines
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, write_page
from textlrp.reports.view import view


class PageLinks(NamedTuple):
    """Links of a page in a report folder: to the index, and to the previous and the next document, if any."""

    all_documents: str
    previous: str | None
    next: str | None


def document_page(
    explanation: Explanation,
    path: str | Path | None = None,
    *,
    title: str | None = None,
    palette: str = "red-blue",
    links: PageLinks | None = None,
    force: bool = False,
) -> str:
    """Return one document as a self-contained page with its text marked by relevance, and write it to ``path``.

    With several targets the page has a switch between them and one copy of the text. Without ``path`` nothing is
    written. ``links`` are links to other pages of a report folder. If ``path`` is a file that is not a page of
    textlrp, ``force`` moves it to a backup name. Raises :class:`DataError` if ``path`` cannot be written,
    :class:`OptionError` for an unknown palette.
    """
    doc = view(explanation, title=title, sentences=True)
    page = rendered("document.html", doc=doc, links=links, palette=palette_of(palette))
    if path is not None:
        write_page(page, path, force=force)
    return page


def notebook_fragment(explanation: Explanation, *, palette: str = "red-blue") -> str:
    """Return the explanation for a notebook cell. Its styles are under one class name and change no other cell."""
    # a random name, because two cells may show the same explanation and must not share a group of radio buttons
    uid = f"textlrp-{secrets.token_hex(4)}"
    return rendered("fragment.html", doc=view(explanation), uid=uid, palette=palette_of(palette))


def mail_fragment(
    explanation: Explanation, path: str | Path | None = None, *, palette: str = "red-blue", force: bool = False
) -> str:
    """Return the explanation for a mail or a comment, with inline styles only; write it to ``path`` if given.

    It has no style sheet, class, id or script, and stays readable where styles are removed: words that strongly
    support the class are bold and underlined, words that strongly oppose it are italic and struck through. With
    several targets the text is marked for :meth:`Explanation.row`, and a table lists the others. The file is ASCII
    with character references, so that it can be read in any encoding. Raises the errors of :func:`document_page`.
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
        legend=mail_legend(explanation, row, shades),
        shades=shades,
        palette=colors,
    )
    # in Markdown an empty line ends a block of HTML
    fragment = "\n".join(line for line in fragment.splitlines() if line.strip()) + "\n"
    if path is not None:
        text = FRAGMENT_MARK + fragment.encode("ascii", "xmlcharrefreplace").decode("ascii")
        write_page(text, path, force=force)
    return fragment
