"""The HTML of the service: fragments of explanations, and the live page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textlrp.explanation import Explanation
from textlrp.reports.live.live_fragment import live_fragment
from textlrp.reports.live.live_page import LiveModel, LivePage, live_page
from textlrp.serve.served_models import ServedModel


def html_answer(explanations: Sequence[Explanation]) -> bytes:
    """Return the HTML that ``POST /v1/explain`` answers to a client that prefers ``text/html``."""
    return live_fragment(explanations).encode("utf-8", "replace")


def page_of_models(models: Iterable[ServedModel]) -> LivePage:
    """Return the live page for the models of a service."""
    return live_page([LiveModel(m.name, m.labels, m.rules, m.default_rule, m.multilabel) for m in models])
