"""The work of ``textlrp similar``: compare texts, and write what was found as a page or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from textlrp.errors import DataError
from textlrp.explainers.similar.feature_relevance import as_comparable
from textlrp.explainers.similar.nearest_documents import Neighbor, nearest
from textlrp.explainers.similar.two_texts import similarity
from textlrp.files.kinds import PAGE, json_lines
from textlrp.files.written_file import atomic_file, check_output
from textlrp.records import Document
from textlrp.reports.numbers import decimals, number
from textlrp.reports.similar.similar_page import similar_page
from textlrp.reports.similar.similar_view import visible_tie
from textlrp.similar_texts import Tie

LISTED_TIES = 5
"""Pairs of words that the terminal lists for each document."""
STORED_TIES = 100
"""Pairs of words that a line of JSON has at most."""

SIMILAR_FIELDS = ("id", "position", "measure", "score", "absorbed", "ties", "embedding", "rule", "model", "version")
SIMILAR_FILES = {".html": PAGE, ".jsonl": json_lines("a file of similar documents", SIMILAR_FIELDS)}
"""The files that ``textlrp similar`` writes."""


def compare_texts(model: object, first: Document, second: Document, *, rule: str | None, normalize: bool) -> Neighbor:
    """Compare two texts; the second one is returned as the only document of a corpus."""
    found = similarity(as_comparable(model), first, second, rule=rule, normalize=normalize)
    return Neighbor(0, second, found)


def search_corpus(
    model: object, documents: Iterable[Document], text: Document, *, k: int, rule: str | None, normalize: bool
) -> list[Neighbor]:
    """Return the ``k`` nearest documents; raises :class:`DataError` for a corpus without documents."""
    found = nearest(as_comparable(model), documents, text, k=k, rule=rule, normalize=normalize)
    if not found:
        raise DataError("the corpus has no document to compare the text with. Pass a CORPUS with at least one text.")
    return found


def listed_lines(found: Sequence[Neighbor]) -> Iterator[str]:
    """Yield a line for each document: its similarity, its id, and its strongest pairs of words."""
    digits = decimals(max(abs(each.similarity.score) for each in found))
    for each in found:
        ties = each.similarity.ties(LISTED_TIES)
        shown = ", ".join(_tie_text(visible_tie(tie), digits) for tie in ties) or "no pair of words contributes"
        yield f"{number(each.similarity.score, digits)}  {each.document.id}: {shown}"


def _tie_text(tie: Tie, digits: int) -> str:
    same = tie.first == tie.second
    return f"{tie.first if same else f'{tie.first}–{tie.second}'} {number(tie.relevance, digits, signed=True)}"


def write_found(found: Sequence[Neighbor], path: Path, *, searched: bool, force: bool = False) -> None:
    """Write a page or JSON lines, by the suffix of ``path``; ``searched`` is False if two texts were compared."""
    suffix = check_output(path, SIMILAR_FILES, force=force)
    if suffix == ".html":
        pairs = [each.similarity for each in found]
        similar_page(pairs if searched else pairs[0], path, force=force)
        return
    with (
        atomic_file(path, SIMILAR_FILES[suffix], force=force) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="") as file,
    ):
        for each in found:
            file.write(json.dumps(_similar_row(each), ensure_ascii=True) + "\n")


def _similar_row(found: Neighbor) -> dict[str, Any]:
    why = found.similarity
    ties = [tie._asdict() for tie in why.ties(STORED_TIES)]
    values = (
        found.document.id, found.position, why.measure, why.score, why.absorbed, ties, why.embedding, why.rule,
        why.model, why.version,
    )  # fmt: skip
    return dict(zip(SIMILAR_FIELDS, values, strict=True))
