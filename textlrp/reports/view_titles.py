"""Short texts for pages: the first words of a document, and the names of method, rule and start of propagation."""

from __future__ import annotations

import numpy as np

from textlrp.explanation import Explanation
from textlrp.records import UNNAMED, Status
from textlrp.reports.naming import name_of


def snippet(explanation: Explanation, length: int = 110) -> str:
    """Return the beginning of the text on one line, without a skipped range such as a header."""
    read = np.flatnonzero(explanation.status != Status.SKIPPED)
    start = int(explanation.tokens.spans[read[0], 0]) if len(read) else 0
    window = explanation.text[start : start + 4 * length]
    words = " ".join(window.split())
    if len(words) <= length and start + len(window) >= len(explanation.text):
        return words
    shown = words[:length]
    if words[length : length + 1].strip():  # inside a word: end before it, in scripts that separate words
        shown = shown.rpartition(" ")[0] or shown
    return shown.rstrip() + " …"


def document_title(explanation: Explanation) -> str:
    """Return the heading of a document: its id, "Document 17" for a number, or its first words if it has no name."""
    if explanation.document_id in ("", UNNAMED) and (beginning := snippet(explanation, 60)):
        return f"“{beginning}”"
    return named_title(explanation)


def named_title(explanation: Explanation) -> str:
    """Return the heading of a document without words of it: its id, "Document 17" for a number, or "A text"."""
    name = explanation.document_id
    if name in ("", UNNAMED):
        return "A text"
    return f"Document {name}" if name.isdecimal() else name


def quantity_of(explanation: Explanation) -> str:
    """Return the noun for the explained numbers: "probability", for example, or "score" for any kind of score."""
    name = explanation.score_name
    return "score" if name.startswith("score") else name


def more_terms(explanation: Explanation) -> tuple[str, ...]:
    """Return the kinds of terms that the glossary of a document needs besides those of every document."""
    kinds = {
        "label sets": explanation.thresholds is not None,
        "transformer": explanation.pieces is not None,
        "other methods": explanation.method != "lrp",
    }
    return tuple(kind for kind, applies in kinds.items() if applies)


def method_title(explanation: Explanation) -> str:
    """Return the name of the method as pages show it."""
    return "layer-wise relevance propagation (LRP)" if explanation.method == "lrp" else explanation.method


def start_title(explanation: Explanation) -> str:
    """Describe what propagation started from; empty if that is the score itself."""
    return "score minus the mean over classes (centered)" if explanation.start == "centered" else ""


def rule_title(explanation: Explanation) -> str:
    """Return the rule as Python code, and before it the usual name if the rule is a composite that has one."""
    name = name_of(explanation).title
    named = explanation.method == "lrp" and explanation.rule.startswith("Composite(") and name != explanation.rule
    return f"{name}: {explanation.rule}" if named else explanation.rule


def rule_and_start(explanation: Explanation) -> str:
    """Return the rule as Python code, with ``start='centered'`` if propagation did not start from the score."""
    return explanation.rule + ", start='centered'" * (explanation.start == "centered")
