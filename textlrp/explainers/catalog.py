"""The rules, the composites and the methods there are, as rows of text."""

from __future__ import annotations

import dataclasses
from typing import Any

from textlrp.explainers.method_table import METHODS
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.rules import RULES
from textlrp.records import Listing


def catalog() -> tuple[Listing, ...]:
    """Three listings: rules with their formula, composites, and methods with what they sum to."""
    rules = Listing(
        "Rules of LRP",
        "One for all layers, as in --rule 'Gamma(0.5)', or --rule 'Composite({0: Flat()}, default=Zero())'.",
        ("rule", "how it shares relevance out"),
        tuple((_short(rule()), _first_sentence(rule)) for rule in RULES),
    )
    composites = Listing(
        "Composites by name",
        "For rule= and --rule; 0 is every layer that reads the words. start: what propagation starts from unless "
        "start= or --start says otherwise (in a model of one layer, the rule at 0 decides). * made for the pixels of "
        "an image: explanations carry a note.",
        ("name", "start", "what it stands for"),
        tuple(
            (name, "centered" if composite.fixed_sign([_TOP]) else "score", _printed_composite(composite))
            for name, composite in PRESETS.items()
        ),
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


def _first_sentence(rule: type) -> str:
    return " ".join((rule.__doc__ or "").split("\n\n")[0].split())


_FIRST, _TOP = Layer("", "convolution", 0, 1), Layer("", "dense", 1, 0)
"""The layers of a net that matter here: the one that reads the words and the one that writes the scores."""


def _printed_composite(composite: Composite) -> str:
    """A composite on one line, its rules as short as they can be pasted; with a star if it was made for pixels."""
    return _shortened(composite) + " *" * bool(composite.remarks_on_text([_FIRST]))


def _shortened(composite: Composite) -> str:
    layers = [f"{key}: {_short(rule)}" for key, rule in composite.layers.items()]
    return ", ".join([*layers, f"else {_short(composite.default)}"]) if layers else _short(composite.default)


def _short(rule: Any) -> str:
    """A rule with its numbers, and with what is not as usual; it can be pasted."""
    shown: list[str] = []
    for position, field in enumerate(dataclasses.fields(rule)):
        value = getattr(rule, field.name)
        if isinstance(value, float) and field.name != "stabilizer" and len(shown) == position:
            shown.append(f"{value:g}")
        elif value != field.default:
            shown.append(f"{field.name}={value!r}")
    return f"{type(rule).__name__}({', '.join(shown)})"
