"""How a page names a document, a rule, a method and the start of propagation."""

from __future__ import annotations

import numpy as np

from textlrp.explanation import Explanation


def snippet(explanation: Explanation, length: int = 110) -> str:
    """The first words of the text that was read, on one line."""
    read = np.flatnonzero(explanation.seen)
    start = int(explanation.tokens.spans[read[0], 0]) if len(read) else 0
    window = explanation.text[start : start + 4 * length]
    words = " ".join(window.split())
    return (
        words[:length].rstrip() + " …"
        if len(words) > length or start + len(window) < len(explanation.text)
        else words
    )


def method_title(explanation: Explanation) -> str:
    """The method's name for people."""
    return "layer-wise relevance propagation (lrp)" if explanation.method == "lrp" else explanation.method


def start_title(explanation: Explanation) -> str:
    """What propagation started from, for people; empty where that is the score itself."""
    return "score minus the mean over classes (centered)" if explanation.start == "centered" else ""


def rule_and_start(explanation: Explanation) -> str:
    """The rule as it can be pasted, and what propagation started from where that is not the score."""
    return explanation.rule + ", start='centered'" * (explanation.start == "centered")
