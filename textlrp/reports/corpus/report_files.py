"""Write a report: the page of one document, a list on one page, or a folder with a page for each document."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textlrp.explanation import Explanation
from textlrp.reports.corpus.report_folder import report_folder
from textlrp.reports.corpus.report_index import Beside, checked_explanations, document_part, index_page
from textlrp.reports.corpus.summary import Summary
from textlrp.reports.document import document_page
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import write_page


def list_page(
    explanations: Iterable[Explanation],
    path: str | Path | None = None,
    *,
    title: str = "",
    palette: str = "red-blue",
    beside: Beside | None = None,
    force: bool = False,
) -> str:
    """Documents one under the other, each to be opened, with what they say together: accuracy, confusions, the words
    of each class. Some hundred documents are a good size.

    Raises :class:`DataError` if something else than explanations came or ``path`` cannot be written,
    :class:`OptionError` for an unknown palette.
    """
    palette_of(palette)
    summary, parts = Summary(), []
    for explanation in checked_explanations(explanations):
        row = summary.add(explanation)
        parts.append(document_part(explanation, row, summary, palette))
    page = index_page(summary, title, palette, beside or Beside(), parts)
    if path is not None:
        write_page(page, path, force=force)
    return page


def write_report(
    explanations: Explanation | Iterable[Explanation],
    path: str | Path,
    *,
    title: str | None = None,
    palette: str = "red-blue",
    beside: Beside | None = None,
    workers: int = 1,
    force: bool = False,
) -> Path:
    """One explanation as its page; many as a list on one page (``.html``) or as a folder (any other name).

    Written whole or not at all; gives back the path. ``beside`` is what a report of many shows besides;
    ``workers`` are the processes that make a folder's pages, see :func:`report_folder`. A former page or report at
    ``path`` is replaced; with ``force=True`` anything else there is moved to a backup name (``page.html.bak1``).
    Raises :class:`DataError` if the place cannot be written to or something else than explanations came.
    """
    if isinstance(explanations, Explanation):
        document_page(explanations, path, title=title, palette=palette, force=force)
    elif is_page(path):
        list_page(explanations, path, title=title or "", palette=palette, beside=beside, force=force)
    else:
        report_folder(
            explanations, path, title=title or "", palette=palette, beside=beside, workers=workers, force=force
        )
    return Path(path)


def is_page(path: str | Path) -> bool:
    """Whether a report of this name is one page, and not a folder."""
    return Path(path).suffix.lower() == ".html"
