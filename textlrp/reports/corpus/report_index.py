"""The index page of a report: accuracy, confusion matrix, words of each class, document map, and the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.reports.charts.map import MIN_MAP_DOCUMENTS, document_map
from textlrp.reports.corpus.document_row import DocumentRow
from textlrp.reports.corpus.summary import Summary
from textlrp.reports.evaluation.deletion_section import deletion_section
from textlrp.reports.marks import UNSEEN_NOTE
from textlrp.reports.numbers import percentage
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import inline_script, rendered
from textlrp.reports.view import view

OVERVIEW_FIRST_FROM = 40
"""With at least this many documents, a report begins with the overview and the list of documents comes last."""


@dataclass(frozen=True, slots=True)
class ReportSections:
    """Optional sections of a report: a document map and evaluation results.

    ``map_positions`` returns the position of each document on the map (N, 2); it is called after all explanations
    were read. ``map_description`` describes how the positions were computed. ``evaluation`` has the content of
    the file ``results.json`` that ``textlrp evaluate`` writes; its deletion curves are shown.
    """

    map_positions: Callable[[], NDArray[np.floating]] | None = None
    map_description: str = ""
    evaluation: Mapping[str, Any] | None = None


def document_part(explanation: Explanation, row: DocumentRow, summary: Summary, palette: str) -> Markup:
    """Render one document of the list: its row, and its text that can be unfolded, if the summary has texts."""
    if not summary.texts:
        return bare_row(row, summary)
    uid, doc, colors = f"d{row.position + 1}", view(explanation), palette_of(palette)
    return Markup(rendered("item.html", doc=doc, uid=uid, row=row, names=summary.names, palette=colors))


def bare_row(row: DocumentRow, summary: Summary) -> Markup:
    """Render one document of a list without texts: its row."""
    return Markup(rendered("bare_row.html", uid=f"d{row.position + 1}", row=row, names=summary.names))


def index_page(
    summary: Summary, title: str, palette: str, sections: ReportSections, parts: list[Markup] | None
) -> str:
    """Render the index page. ``parts`` are the rendered documents of a list; None for a folder of pages."""
    rows = sorted(summary.rows, key=lambda row: row.sort_key) if summary.labeled else summary.rows
    first_of: dict[str, int] = {}
    for row in rows:
        if row.true_label >= 0:
            first_of.setdefault(row.cell, row.position)
    words = summary.words()
    enough = len(summary.rows) >= MIN_MAP_DOCUMENTS
    positions = sections.map_positions() if sections.map_positions and enough else None
    deletion = (sections.evaluation or {}).get("deletion")
    script, digest = inline_script("report.js")
    return rendered(
        "corpus.html",
        title=title or "Explained documents",
        summary=summary,
        rows=rows,
        parts=parts,
        folder=parts is None,
        overview_first=len(summary.rows) >= OVERVIEW_FIRST_FROM,
        first_of=first_of,
        accuracy=percentage(summary.correct / summary.labeled) if summary.labeled else "",
        confusions=summary.confusions(),
        matrix=summary.matrix(),
        counts=summary.label_counts(),
        words=words,
        unseen=UNSEEN_NOTE * any(word.in_training == 0 for each in words for word in each.words),
        map=None if positions is None else document_map(positions, summary.rows, summary.names),
        map_description=sections.map_description,
        deletion=deletion_section(deletion) if deletion else None,
        palette=palette_of(palette),
        script=script,
        hash=digest,
    )


def checked_explanations(explanations: Iterable[object]) -> Iterator[Explanation]:
    """Yield the explanations; raises :class:`DataError` for anything else."""
    for explanation in explanations:
        if not isinstance(explanation, Explanation):
            raise DataError(
                f"explanations must be Explanation objects; got {type(explanation).__name__}. Pass the results of "
                "explain()."
            )
        yield explanation
