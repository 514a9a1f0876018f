"""The table of ``textlrp filters``: the n-grams that activate each filter of a CNN most."""

from __future__ import annotations

from collections.abc import Iterable

from textlrp.explainers.phrases import filter_phrases
from textlrp.models.classifier import Classifier
from textlrp.records import Document, Listing
from textlrp.reports.numbers import number


def most_active_filters(
    model: Classifier, documents: Iterable[Document], *, top: int = 5, max_filters: int = 20
) -> Listing:
    """List the ``max_filters`` filters of a CNN with the largest activation in a corpus.

    A row has the filter, its class with the output weight, and the ``top`` phrases with their activation. Raises
    :class:`ModelError` for a model without winning windows; see :func:`filter_phrases`.
    """
    filters = [found for found in filter_phrases(model, documents, top=top) if found.phrases]
    filters.sort(key=lambda found: -found.phrases[0].activation)
    rows = tuple(
        (
            f"{found.step} {found.number}",
            f"{found.classes[0][0]} {number(found.classes[0][1], 2, signed=True)}",
            ", ".join(f"{phrase.words} {phrase.activation:.2f}" for phrase in found.phrases),
        )
        for found in filters[:max_filters]
    )
    note = (
        "Each row shows a filter, the class that it supports most (output weight), and the n-grams that activate it "
        "most (activation)."
    )
    if not rows:
        note = "No text contains a word that the model reads."
    headings = ("filter", "class (weight)", "n-grams (activation)")
    return Listing(f"{len(rows)} of {len(filters)} filters", note, headings, rows)
