"""The most relevant words and phrases of an explanation as rows of a page, with the lengths of their bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.reports.numbers import decimals, is_zero, number

LISTED_WORDS = 8
"""Words listed that support a class, and that oppose it; phrases listed."""


@dataclass(frozen=True, slots=True)
class TopRow:
    """A word or phrase with its summed relevance.

    ``share`` is the length of its bar in percent; ``note`` is the number of occurrences (``×2``) or of filters.
    """

    words: str
    value: str
    share: int
    opposes: bool
    note: str


def top_phrases(explanation: Explanation, row: int) -> tuple[TopRow, ...]:
    """Return the most relevant phrases of one target, summed over the filters that match the same words."""
    seen: dict[str, tuple[float, int]] = {}
    for phrase in explanation.phrases:
        words = " ".join(explanation.text[phrase.start : phrase.end].split())
        total, filters = seen.get(words, (0.0, 0))
        seen[words] = (total + float(phrase.relevance[row]), filters + 1)
    order = sorted(seen.items(), key=lambda item: -abs(item[1][0]))[:LISTED_WORDS]
    largest = abs(order[0][1][0]) if order else 0.0
    return tuple(
        TopRow(
            words,
            number(total, decimals(largest), signed=True),
            round(100 * abs(total) / largest),
            total < 0,
            f"{filters} filters" if filters > 1 else "",
        )
        for words, (total, filters) in order
        if total
    )


def top_rows(words: Sequence[str], sums: np.ndarray, counts: np.ndarray, sign: float) -> tuple[TopRow, ...]:
    """Return the words with the largest relevance of one sign; bars are relative to the largest of both signs."""
    largest = float(np.abs(sums).max(initial=0.0))
    digits = decimals(largest)
    order = np.argsort(-sign * sums, kind="stable")[:LISTED_WORDS]
    return tuple(
        TopRow(
            words[w],
            number(float(sums[w]), digits, signed=True),
            round(100 * abs(float(sums[w])) / largest),
            sign < 0,
            f"×{counts[w]}" if counts[w] > 1 else "",
        )
        for w in order.tolist()
        if sign * sums[w] > 0.0 and not is_zero(number(float(sums[w]), digits))
    )
