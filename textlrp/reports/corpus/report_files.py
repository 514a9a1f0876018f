"""Write a report: one document as a page, many documents on one page or in a folder. The public functions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.files.kinds import PAGES
from textlrp.files.written_file import check_output
from textlrp.files.written_folder import check_folder
from textlrp.reports.corpus.report_folder import REPORT, report_folder
from textlrp.reports.corpus.report_index import ReportSections, checked_explanations, document_part, index_page
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
    sections: ReportSections | None = None,
    texts: bool = True,
    force: bool = False,
) -> str:
    """Return a report on one page, and write it to ``path`` if given. It suits up to a few hundred documents.

    The page has the accuracy, the confusion matrix, the most relevant words of each class, and a list of all
    documents, each of which can be unfolded unless ``texts`` is False. Raises :class:`DataError` if an item is not an
    Explanation or ``path`` cannot be written, :class:`OptionError` for an unknown palette.
    """
    palette_of(palette)
    summary, parts = Summary(texts=texts), []
    for explanation in checked_explanations(explanations):
        row = summary.add(explanation)
        parts.append(document_part(explanation, row, summary, palette))
    page = index_page(summary, title, palette, sections or ReportSections(), parts)
    if path is not None:
        write_page(page, path, force=force)
    return page


def write_report(
    explanations: Explanation | Iterable[Explanation],
    path: str | Path,
    *,
    title: str | None = None,
    palette: str = "red-blue",
    sections: ReportSections | None = None,
    workers: int = 1,
    texts: bool = True,
    force: bool = False,
) -> Path:
    """Write one explanation as a page, or many as a report on one page (``.html``) or in a folder (any other name).

    ``sections`` adds a document map and evaluation results to a report of many. ``workers`` is the number of
    processes that create the pages of a folder, see :func:`report_folder`. ``texts=False`` leaves out the texts, for
    a report that may be shared though its texts may not: it has the ids of the documents, their predictions, and the
    words of each class, but no page of a document, and no more than three words of a text in a row. The report is
    written completely or not at all. A page or report that is already at ``path`` is replaced; anything else there is
    an error, or with ``force=True`` is moved to a backup name (``page.html.bak1``). Returns ``path``. Raises
    :class:`DataError` if ``path`` cannot be written or an item is not an Explanation, :class:`OptionError` for an
    unknown palette.
    """
    single = isinstance(explanations, Explanation) and texts
    if not (single or is_page(path) or force) and Path(path).is_file():
        raise DataError(
            f"path must be a folder, or end in .html for one page; got {str(path)!r}: it is a file. Choose "
            "another name."
        )
    if isinstance(explanations, Explanation) and not texts:
        explanations = [explanations]
    if isinstance(explanations, Explanation):
        document_page(explanations, path, title=title, palette=palette, force=force)
    elif is_page(path):
        list_page(explanations, path, title=title or "", palette=palette, sections=sections, texts=texts, force=force)
    else:
        report_folder(
            explanations, path, title=title or "", palette=palette, sections=sections, workers=workers, texts=texts,
            force=force,
        )  # fmt: skip
    return Path(path)


def is_page(path: str | Path) -> bool:
    """Whether a report with this name is one page (``.html``) rather than a folder."""
    return Path(path).suffix.lower() == ".html"


def check_report(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> bool:
    """Check that a report can be written at ``path``; return True for one page, False for a folder of pages.

    Raises :class:`DataError` for any other suffix, if the parent folder does not exist, and for a folder with files
    that textlrp did not write.
    """
    if is_page(path):
        check_output(path, PAGES, inputs=inputs, force=force)
        return True
    if Path(path).suffix:
        raise DataError(
            f"cannot tell the format of {str(path)!r}; end the name in .html for one page, or name a folder."
        )
    check_folder(path, REPORT, inputs=inputs, force=force)
    return False
