"""What displaCy needs to draw relevance: colors for ``doc.spans``, or spans that are labeled with their relevance."""

from __future__ import annotations

from typing import Any

import numpy as np
from spacy.tokens import Doc

from textlrp.reports.numbers import decimals, number
from textlrp.reports.palette import mixed
from textlrp.reports.palette import palette as palette_named
from textlrp.spacy_pipe.spacy_results import COMPONENT, relevance_of_tokens

MIN_SHARE = 0.1
"""A token is marked if its relevance is at least this share of the largest. Otherwise displaCy's labels overlap."""

SUPPORTS, OPPOSES = "supports", "opposes"
"""The labels of the spans in ``doc.spans``."""


def displacy_options(*, component: str = COMPONENT, palette: str = "red-blue") -> dict[str, Any]:
    """Return the ``options`` of ``displacy.render(doc, style="span", options=...)``: key and colors of the spans.

    Raises :class:`OptionError` for an unknown palette.
    """
    shades = palette_named(palette).light
    return {"spans_key": component, "colors": {SUPPORTS: shades.supports, OPPOSES: shades.opposes}}


def displacy_spans(
    doc: Doc,
    *,
    target: str | int | None = None,
    component: str = COMPONENT,
    min_share: float = MIN_SHARE,
    palette: str = "red-blue",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return ``data`` and ``options`` for ``displacy.render(data, style="span", manual=True, options=options)``.

    Each token with at least ``min_share`` of the largest relevance is a span. Its label is the
    relevance, and its color is the stronger the larger the relevance. Options and errors as in
    :func:`textlrp.spacy_pipe.spacy_results.relevance_of_tokens`, and :class:`OptionError` for an unknown palette.
    """
    shades = palette_named(palette).light
    relevance = relevance_of_tokens(doc, target=target, component=component)
    largest = float(np.abs(relevance).max(initial=0.0))
    spans: list[dict[str, Any]] = []
    colors: dict[str, str] = {}
    for position in relevant_positions(relevance, min_share).tolist():
        value = float(relevance[position])
        label = number(value, decimals(largest), signed=True)
        color = shades.supports if value > 0 else shades.opposes
        colors[label] = mixed(color, shades.paper, round(100 * abs(value) / largest))
        spans.append({"start_token": position, "end_token": position + 1, "label": label})
    data: dict[str, Any] = {
        "text": doc.text,
        "tokens": [token.text for token in doc],
        "spans": spans,
        "settings": {},
        "title": None,
    }
    return data, {"colors": colors}


def relevant_positions(relevance: np.ndarray[Any, Any], share: float) -> np.ndarray[Any, Any]:
    """Return the positions of the tokens whose relevance is at least ``share`` of the largest, and not zero."""
    size = np.abs(relevance)
    return np.flatnonzero((size >= share * size.max(initial=0.0)) & (size > 0))
