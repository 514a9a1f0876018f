"""The rules, the composites and the methods there are, as rows of text."""

from __future__ import annotations

import dataclasses

from textlrp.explainers.methods import METHODS
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.rules import RULES
from textlrp.records import Listing


def catalogue() -> tuple[Listing, ...]:
    """Three listings: rules with their formula, composites, and methods with what they sum to."""
    rules = Listing(
        "Rules of LRP",
        "A rule for every layer that has weights, as in Composite({0: Flat()}, default=Epsilon()).",
        ("rule", "how it shares relevance out"),
        tuple((_call(rule), _first_sentence(rule)) for rule in RULES),
    )
    composites = Listing(
        "Composites by name",
        "For rule= and --rule. 0 is every layer that reads the words, -1 the one that writes the scores.",
        ("name", "what it stands for"),
        tuple((name, _short(composite.layers, composite.default)) for name, composite in PRESETS.items()),
    )
    methods = Listing(
        "Methods",
        "For method= and --method.",
        ("name", "what it is", "what its scores sum to"),
        (
            ("lrp", "layer-wise relevance propagation by a rule", "the score, with what the ledger absorbed"),
            *((name, entry.what, entry.sums_to) for name, entry in METHODS.items()),
        ),
    )
    return rules, composites, methods


def _call(rule: type) -> str:
    """The rule with its defaults, as Python writes it."""
    fields = ", ".join(f"{field.name}={field.default!r}" for field in dataclasses.fields(rule))
    return f"{rule.__name__}({fields})"


def _first_sentence(rule: type) -> str:
    return " ".join((rule.__doc__ or "").split("\n\n")[0].split())


def _short(layers: object, default: object) -> str:
    """A composite on one line."""
    assert isinstance(layers, dict)
    return ", ".join(
        [*(f"{key}: {rule!r}" for key, rule in layers.items()), f"else {default!r}" if layers else repr(default)]
    )
