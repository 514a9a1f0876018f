"""The index of a report: what the documents say together, and the list of them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.reports.charts.map import FEWEST, document_map
from textlrp.reports.corpus.summary import Row, Summary
from textlrp.reports.evaluation.deletion_section import deletion_section
from textlrp.reports.numbers import percentage
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered
from textlrp.reports.view import view

MANY = 40
"""Documents from which on a report begins with what they say together, and the list of them comes last."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What a report shows beside the explanations.

    ``places`` gives, when all explanations were read, where each document lies on a map (N, 2), and ``about`` says
    what the map is made of; ``evaluation`` holds results as ``results.json`` does.
    """

    places: Callable[[], NDArray[np.floating]] | None = None
    about: str = ""
    evaluation: Mapping[str, Any] | None = None


def document_part(explanation: Explanation, row: Row, summary: Summary, palette: str) -> Markup:
    uid, doc, colors = f"d{row.position + 1}", view(explanation), palette_of(palette)
    return Markup(rendered("item.html", doc=doc, uid=uid, row=row, names=summary.names, palette=colors))


def index_page(summary: Summary, title: str, palette: str, beside: Beside, parts: list[Markup] | None) -> str:
    rows = sorted(summary.rows, key=lambda row: (row.own < 0, row.own, row.own != row.predicted, row.predicted))
    first_of: dict[str, int] = {}
    for row in rows:
        if row.own >= 0:
            first_of.setdefault(row.cell, row.position)
    words = summary.words()
    placed = beside.places() if beside.places and len(summary.rows) >= FEWEST else None
    deletion = (beside.evaluation or {}).get("deletion")
    script, digest = _script()
    return rendered(
        "corpus.html",
        title=title or "Documents",
        summary=summary,
        rows=rows,
        parts=parts,
        folder=parts is None,
        overview_first=len(summary.rows) >= MANY,
        first_of=first_of,
        accuracy=percentage(summary.right / summary.labeled) if summary.labeled else "",
        confusions=summary.confusions(),
        matrix=summary.matrix(),
        words=words,
        unseen=any(word.in_training == 0 for each in words for word in each.words),
        map=None if placed is None else document_map(placed, summary.rows, summary.names),
        map_about=beside.about,
        deletion=deletion_section(deletion) if deletion else None,
        palette=palette_of(palette),
        script=script,
        hash=digest,
    )


@cache
def _script() -> tuple[Markup, str]:
    """The page's own script, and the digest by which its policy knows it."""
    text = files("textlrp.reports").joinpath("templates/report.js").read_text(encoding="utf-8")
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def checked_explanations(explanations: Iterable[object]) -> Iterator[Explanation]:
    for explanation in explanations:
        if not isinstance(explanation, Explanation):
            raise DataError(
                f"a report shows Explanations; got {type(explanation).__name__}. Pass what explain() gives."
            )
        yield explanation
