"""Write explanations to one file: an HTML page, a stored format, or a file for another program."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

from textlrp.cli.export_options import ExportOptions
from textlrp.explanation import Explanation
from textlrp.files.kinds import PAGES
from textlrp.files.written_file import check_output
from textlrp.reports.corpus.report_files import write_report
from textlrp.store.annotations import check_annotations, write_annotations
from textlrp.store.explanations import write
from textlrp.store.file_formats import FORMATS, format_of

EXPLANATION_FILES = PAGES | {suffix: format_of(f"x{suffix}").kind for suffix in FORMATS}


def check_explained(
    path: str | Path, exported: ExportOptions | None = None, *, inputs: Iterable[str | Path] = (), force: bool = False
) -> None:
    """Check the output of :func:`write_explanations` before the model is loaded; raises :class:`DataError`."""
    if exported is None:
        check_output(path, EXPLANATION_FILES, inputs=inputs, force=force)
    else:
        check_annotations(path, **exported._asdict(), inputs=inputs, force=force)


def write_explanations(
    explanations: Iterable[Explanation],
    path: str | Path,
    *,
    exported: ExportOptions | None = None,
    title: str | None = None,
    force: bool = False,
) -> Path:
    """Write a page (``.html``: one document, or a report of several) or a stored file (a suffix of :data:`FORMATS`).

    With ``exported``, write a file for another program instead. Raises :class:`DataError` for any other suffix, and
    if the file cannot be written.
    """
    if exported is not None:
        return write_annotations(explanations, path, **exported._asdict(), force=force)
    if check_output(path, EXPLANATION_FILES, force=force) != ".html":
        return write(explanations, path, force=force)
    rest = iter(explanations)
    first = list(islice(rest, 2))
    return write_report(first[0] if len(first) == 1 else chain(first, rest), path, title=title, force=force)
