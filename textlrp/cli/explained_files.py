"""Files of explanations: a page, JSON lines or Parquet, as the name ends."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

from textlrp.explanation import Explanation
from textlrp.files.kinds import PAGES
from textlrp.files.written_file import check_output
from textlrp.reports.corpus.report_files import write_report
from textlrp.store.explanations import FORMATS, write

EXPLANATION_FILES = PAGES | {suffix: stored.kind for suffix, stored in FORMATS.items()}


def write_explanations(
    explanations: Iterable[Explanation], path: str | Path, *, title: str | None = None, force: bool = False
) -> Path:
    """Write to ``.html``, ``.jsonl`` or ``.parquet``: the page of one document, or a list of several.

    Raises :class:`DataError` for any other name, and where the place cannot be written to.
    """
    if check_output(path, EXPLANATION_FILES, force=force) != ".html":
        return write(explanations, path, force=force)
    rest = iter(explanations)
    first = list(islice(rest, 2))
    return write_report(first[0] if len(first) == 1 else chain(first, rest), path, title=title, force=force)
