"""The HTML answer of the service: the parts of the document page, without a page around them.

The live page puts these parts into itself. Another page that does so needs the style sheet of the document page.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered
from textlrp.reports.view import DocumentView, view

SWITCHED_OFF = "switched off or skipped"
"""Why the model ignores a token of a skipped range, if the request could have its own ranges."""


def live_fragment(explanations: Sequence[Explanation], *, palette: str = "red-blue") -> str:
    """Return one ``<article>`` for each explanation, in order.

    An article has the predicted class, the text, the scores of all classes, the most relevant words, the score
    breakdown and the notes. Each word of the text that can be switched off has its character offsets in ``data-s``
    and ``data-e``. With one target, each class has a radio button whose value is the position of the class. With
    several targets, the radio buttons are those of the document page and need its style sheet. All texts are escaped.
    Raises :class:`OptionError` for an unknown palette.
    """
    # random, because a page may show several answers, and their groups of radio buttons must not mix
    uid = f"live-{secrets.token_hex(4)}"
    docs = [_live_view(explanation) for explanation in explanations]
    return rendered("live_fragment.html", docs=docs, uid=uid, palette=palette_of(palette))


def _live_view(explanation: Explanation) -> DocumentView:
    doc = view(explanation, each_token=True)
    named = ((status, SWITCHED_OFF if status == Status.SKIPPED else reason) for status, reason in doc.reasons)
    return replace(doc, reasons=tuple(named), facts=tuple(fact for fact in doc.facts if fact.name in _SHOWN_FACTS))


_SHOWN_FACTS = ("method", "rule", "start", "model")
