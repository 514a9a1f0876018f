"""One document under several rules and methods side by side, as introductions to LRP show one picture.

What may stand on a page is said in :mod:`textlrp.reports.rendering`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.reports.comparison.agreement import aligned, correlation_text, overlap_text
from textlrp.reports.comparison.passages import Passage, runs_in_passage, shared_passage
from textlrp.reports.marks import TextRun
from textlrp.reports.naming import DisplayName, name_of
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, write_page
from textlrp.reports.view import DocumentView, view
from textlrp.reports.view_titles import start_title

SHORT = 1200
"""Characters of a text that every panel shows whole."""

PANEL_PASSAGE = 900
"""Characters that a panel shows of a longer one; the whole stands below, to be unfolded."""

_SHARED_FACTS = ("model", "textlrp", "written")
"""What is the same in every panel; ``document`` and ``own label`` too where there is one document."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One rule or method: its name, a note of the caller's, the text it marked, and how it agrees with the first.

    ``correlation`` and ``overlap`` are None for the first panel itself, and ``–`` where there is none.
    """

    name: DisplayName
    note: str
    printed: str
    start: str
    doc: DocumentView
    shown: list[TextRun]
    correlation: str | None
    overlap: str | None


def gallery_page(
    explanations: Iterable[Explanation],
    path: str | Path | None = None,
    *,
    title: str | None = None,
    notes: Mapping[str, str] | None = None,
    palette: str = "red-blue",
) -> str:
    """Explanations of one document by one model for one target, a panel each; written to ``path`` too if given.

    ``notes``: a sentence to stand in the panels of a method, by its name: ``{"grad-cam": "..."}``.
    Raises :class:`DataError` if the explanations are of different documents, models or targets, if there is none,
    or if ``path`` cannot be written; :class:`OptionError` for an unknown palette.
    """
    return galleries_page([list(explanations)], path, title=title, notes=notes, palette=palette)


def galleries_page(
    documents: Iterable[Sequence[Explanation]],
    path: str | Path | None = None,
    *,
    title: str | None = None,
    notes: Mapping[str, str] | None = None,
    palette: str = "red-blue",
    force: bool = False,
) -> str:
    """A section for each document, with its explanations as :func:`gallery_page` shows them; read one at a time."""
    colors = palette_of(palette)
    parts, docs, most = [], [], 0
    for explanations in documents:
        part = shared_passage(_comparable(explanations), longest=SHORT, limit=PANEL_PASSAGE)
        panels = _panels(explanations, part, notes or {})
        # whether a section needs a heading is known at the end, so that all have one that can be hidden
        parts.append(
            Markup(rendered("gallery_section.html", doc=panels[0].doc, panels=panels, part=part, palette=colors))
        )
        docs.append((panels[0].doc.title, panels[0].doc.facts))
        most = max(most, len(panels))
    if not docs:
        raise DataError("no document came; a gallery shows at least one.")
    shared = _SHARED_FACTS if len(docs) > 1 else ("document", "own label", *_SHARED_FACTS)
    page = rendered(
        "gallery.html",
        title=title or (docs[0][0] if len(docs) == 1 else f"{len(docs):,} documents under {most} rules and methods"),
        many=len(docs) > 1,
        parts=parts,
        facts=[fact for fact in docs[0][1] if fact.name in shared],
        palette=colors,
    )
    if path is not None:
        write_page(page, path, force=force)
    return page


def _comparable(explanations: Sequence[Explanation]) -> Sequence[Explanation]:
    """Raises :class:`DataError` unless these are of one document, one model and one target."""
    if not explanations:
        raise DataError("no explanation came; a gallery shows at least one of each document.")
    for each in explanations:
        if not isinstance(each, Explanation):
            raise DataError(
                f"a gallery shows Explanations; got {type(each).__name__}. Pass what explain() gives for one text."
            )
        if len(each.targets) != 1:
            raise DataError(
                f"the explanation of {each.document_id!r} by {each.rule} has {len(each.targets)} targets; a gallery "
                "shows one. Explain with a single target."
            )
    first = explanations[0]
    for each in explanations[1:]:
        for what, one, other in (
            ("documents", (first.document_id, first.text), (each.document_id, each.text)),
            ("models", first.model, each.model),
            ("targets", first.target_names, each.target_names),
        ):
            if one != other:
                shown = [value if isinstance(value, str) else value[0] for value in (one, other)]
                raise DataError(
                    f"a gallery shows one document, model and target under several rules; these are of different "
                    f"{what}: {shown[0]!r} and {shown[1]!r}."
                )
    return explanations


def _panels(explanations: Sequence[Explanation], part: Passage, notes: Mapping[str, str]) -> list[Panel]:
    panels = []
    for position, explanation in enumerate(explanations):
        doc = view(explanation)
        both = aligned(explanation, explanations[0]) if position else None
        panels.append(
            Panel(
                name=name_of(explanation),
                note=notes.get(explanation.method, ""),
                printed=explanation.rule,
                start=start_title(explanation),
                doc=doc,
                shown=runs_in_passage(doc.runs, part),
                correlation=None if both is None else correlation_text(both.rank_correlation),
                overlap=None if both is None else overlap_text(both.top_overlap),
            )
        )
    return panels
