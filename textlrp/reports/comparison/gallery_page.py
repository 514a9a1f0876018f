"""The gallery page: one document explained by several rules and methods, in panels side by side.

It is the text counterpart of the usual figure that shows one image with the heatmaps of many methods.
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
from textlrp.reports.view_titles import named_title, start_title

FULL_PANEL_TEXT = 1200
"""A text of at most this many characters is shown in full in every panel."""

PANEL_PASSAGE = 900
"""Maximum characters that a panel shows of a longer text; the full text is in a folded part below the panels."""

_SHARED_FACTS = ("model", "textlrp", "written")
"""Facts that all panels share. A page of one document adds ``document`` and ``true label``."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One rule or method: its name, an optional note, the marked text, and its agreement with the first panel.

    ``rule`` is the rule as Python code. ``correlation`` and ``overlap`` are None for the first panel, and ``–`` if
    they are not defined.
    """

    name: DisplayName
    note: str
    rule: str
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
    """Return a page with one panel per explanation, and write it to ``path`` if given.

    The explanations are of one document, by one model, for one target. ``notes`` maps the name of a method to a
    sentence that its panels show: ``{"grad-cam": "..."}``. Raises :class:`DataError` if the explanations are of
    different documents, models or targets, if there is none, or if ``path`` cannot be written; :class:`OptionError`
    for an unknown palette.
    """
    return galleries_page([list(explanations)], path, title=title, notes=notes, palette=palette)


def galleries_page(
    documents: Iterable[Sequence[Explanation]],
    path: str | Path | None = None,
    *,
    title: str | None = None,
    notes: Mapping[str, str] | None = None,
    palette: str = "red-blue",
    texts: bool = True,
    force: bool = False,
) -> str:
    """Return a page with one section per document, each as on a :func:`gallery_page`.

    The documents are read one at a time. Without ``texts`` the page has no text of a document. With ``force`` a file
    at ``path`` that is not a page of textlrp is moved to a backup name. Raises the errors of :func:`gallery_page`.
    """
    colors = palette_of(palette)
    parts, docs, most, terms = [], [], 0, set[str]()
    for explanations in documents:
        part = shared_passage(_comparable(explanations), full_text=FULL_PANEL_TEXT, limit=PANEL_PASSAGE)
        panels = _panels(explanations, part, notes or {}, title=None if texts else named_title(explanations[0]))
        # the number of sections is not known yet, so each has a heading, which CSS hides if it is the only one
        parts.append(
            Markup(
                rendered(
                    "gallery_section.html", doc=panels[0].doc, panels=panels, part=part, palette=colors, texts=texts
                )
            )
        )
        docs.append((panels[0].doc.title, panels[0].doc.facts))
        most = max(most, len(panels))
        terms.update(*(panel.doc.more_terms for panel in panels))
    if not docs:
        raise DataError("documents must contain at least one document; got none. Check the input.")
    shared = _SHARED_FACTS if len(docs) > 1 else ("document", "true label", *_SHARED_FACTS)
    page = rendered(
        "gallery.html",
        title=title or (docs[0][0] if len(docs) == 1 else f"{len(docs):,} documents, {most} rules and methods"),
        many=len(docs) > 1,
        parts=parts,
        more_terms=terms,
        facts=[fact for fact in docs[0][1] if fact.name in shared],
        palette=colors,
        texts=texts,
    )
    if path is not None:
        write_page(page, path, force=force)
    return page


def _comparable(explanations: Sequence[Explanation]) -> Sequence[Explanation]:
    """Return the explanations. Raises :class:`DataError` unless all are of one document, one model and one target."""
    if not explanations:
        raise DataError(
            "explanations must contain at least one Explanation per document; got none. Pass explain(model, text)."
        )
    for each in explanations:
        if not isinstance(each, Explanation):
            raise DataError(
                f"explanations must be Explanation objects; got {type(each).__name__}. Pass the results of explain() "
                "for one text."
            )
        if len(each.targets) != 1:
            raise DataError(
                f"each explanation of a gallery must have one target; got {len(each.targets)} for "
                f"{each.document_id!r} by {each.rule}. Pass a single target to explain()."
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
                    "all explanations of a gallery must have the same document, model and target; got different "
                    f"{what}: {shown[0]!r} and {shown[1]!r}. Create one gallery for each."
                )
    return explanations


def _panels(
    explanations: Sequence[Explanation], part: Passage, notes: Mapping[str, str], *, title: str | None
) -> list[Panel]:
    panels = []
    for position, explanation in enumerate(explanations):
        doc = view(explanation, title=title)
        both = aligned(explanation, explanations[0]) if position else None
        panels.append(
            Panel(
                name=name_of(explanation),
                note=notes.get(explanation.method, ""),
                rule=explanation.rule,
                start=start_title(explanation),
                doc=doc,
                shown=runs_in_passage(doc.runs, part),
                correlation=None if both is None else correlation_text(both.rank_correlation),
                overlap=None if both is None else overlap_text(both.top_overlap),
            )
        )
    return panels
