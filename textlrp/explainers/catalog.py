"""List the rules, composites and methods as rows of text, for ``textlrp rules``."""

from __future__ import annotations

import dataclasses
from typing import Any

from textlrp.explainers.method_table import METHODS
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.product_rules import PRODUCT_RULES
from textlrp.lrp.rules import RULES
from textlrp.records import Listing


def catalog() -> tuple[Listing, ...]:
    """Return three listings: rules with their formula, composites, and methods with what their relevance sums to."""
    rules = Listing(
        "Rules of LRP",
        "Pass one for all layers, such as --rule 'Gamma(0.5)', or one per layer: --rule 'Composite({0: Flat()}, "
        "default=Zero())'. SourceOnly and Halves are for products, such as attention: --rule "
        "'Composite({\"product\": Halves()}, default=Zero())'.",
        ("rule", "how it distributes relevance"),
        tuple((_short(rule()), _first_sentence(rule)) for rule in (*RULES, *PRODUCT_RULES)),
    )
    composites = Listing(
        "Composites: rules by layer",
        "Names for rule= and --rule. The number 0 is every layer that reads words. start: where propagation starts "
        "unless start= or --start is given (in a model with one layer, the rule at 0 decides). An asterisk marks "
        "composites made for the pixels of images; their explanations carry a note.",
        ("name", "start", "rules"),
        tuple(
            (name, "centered" if composite.fixed_sign([_TOP]) else "score", _printed_composite(composite))
            for name, composite in PRESETS.items()
        ),
    )
    methods = Listing(
        "Methods",
        "Names for method= and --method.",
        ("name", "description", "what its relevance sums to"),
        (
            (
                "lrp",
                "layer-wise relevance propagation by a rule",
                "the score minus what is absorbed (see the score breakdown)",
            ),
            *((name, entry.description, entry.sums_to) for name, entry in METHODS.items()),
        ),
    )
    return rules, composites, methods


def _first_sentence(rule: type) -> str:
    return " ".join((rule.__doc__ or "").split("\n\n")[0].split())


_FIRST, _TOP = Layer("", "convolution", 0, 1), Layer("", "dense", 1, 0)
"""Two layers represent every net here: the one that reads the words and the one that computes the scores."""


def _printed_composite(composite: Composite) -> str:
    """Format a composite on one line, with an asterisk if it was made for pixels."""
    return _short_form(composite) + " *" * bool(composite.remarks_on_text([_FIRST]))


def _short_form(composite: Composite) -> str:
    layers = [f"{key}: {_short(rule)}" for key, rule in composite.layers.items()]
    return ", ".join([*layers, f"else {_short(composite.default)}"]) if layers else _short(composite.default)


def _short(rule: Any) -> str:
    """Format a rule with its numbers and with every option that is not at its default; the result can be pasted."""
    shown: list[str] = []
    for position, field in enumerate(dataclasses.fields(rule)):
        value = getattr(rule, field.name)
        if isinstance(value, float) and field.name != "stabilizer" and len(shown) == position:
            shown.append(f"{value:g}")
        elif value != field.default:
            shown.append(f"{field.name}={value!r}")
    return f"{type(rule).__name__}({', '.join(shown)})"
