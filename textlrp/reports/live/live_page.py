"""The live page of ``textlrp serve``: type a text, and its explanation follows. No torch is needed.

The page has no text and no explanation. Its script, ``templates/live.js``, asks the service for each text and shows
the answers, which :func:`textlrp.reports.live.live_fragment.live_fragment` renders.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from textlrp.errors import OptionError, must_be
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import inline_script, rendered

EXAMPLE_TEXTS = (
    "The shuttle reached its orbit on Monday, and the crew repaired the telescope.",
    "My doctor prescribed a new medicine against the pain, but the symptoms returned after a week.",
    "For sale: an old motorcycle with a new engine and good tires. I also offer a helmet; please send an email.",
)
"""Texts that an empty page offers."""

_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A model that the page offers.

    ``labels`` are its class labels as text, in the model's order. ``rules`` are the names of the rules that apply to
    it, and ``default_rule`` is the one used if none is chosen.
    """

    name: str
    labels: tuple[str, ...]
    rules: tuple[str, ...]
    default_rule: str
    multilabel: bool


@dataclass(frozen=True, slots=True)
class LivePage:
    """The page, and its policy as the value of the header ``Content-Security-Policy``.

    The policy allows one script, known by its hash, and requests to the service itself; nothing else is loaded.
    """

    html: str
    content_security_policy: str


def live_page(models: Sequence[LiveModel], *, palette: str = "red-blue") -> LivePage:
    """Return the page for these models; the first is chosen at the start.

    The page sends ``POST v1/explain`` relative to its own address. Raises :class:`OptionError` if there is no model
    or for an unknown palette.
    """
    if not models:
        raise OptionError(
            must_be("models", "at least one LiveModel", list(models), "Pass the models of the service.")
        )
    script, digest = inline_script("live.js")
    page = rendered(
        "live.html",
        # ASCII only, so that control characters in labels are JSON escapes and reach the script unchanged
        models=json.dumps([asdict(model) for model in models]),
        names=[model.name for model in models],
        label_sets=any(model.multilabel for model in models),
        examples=EXAMPLE_TEXTS,
        palette=palette_of(palette),
        script=script,
        hash=digest,
    )
    found = _POLICY.search(page)
    assert found is not None, "base.html has a policy"
    # browsers ignore frame-ancestors in a page and read it in the header
    return LivePage(page, html.unescape(found[1]) + "; frame-ancestors 'none'")
