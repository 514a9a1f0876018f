"""Find the passage of a long text with the most relevance, and cut the marked text to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.explanation import Explanation
from textlrp.records import Tokens
from textlrp.reports.marks import TextRun, shown_relevance


class Passage(NamedTuple):
    """Characters ``start`` to ``end`` of a text of ``length`` characters."""

    start: int
    end: int
    length: int

    @property
    def whole(self) -> bool:
        """Whether the passage is the whole text."""
        return self.end - self.start == self.length


def shared_passage(explanations: Sequence[Explanation], *, full_text: int, limit: int) -> Passage:
    """Find the passage with the most relevance over several explanations of one text, all with equal weight.

    A text of at most ``full_text`` characters is one passage; of a longer one, the passage has at most ``limit``.
    """
    tokens = explanations[0].tokens
    weights = np.zeros(len(tokens.text) + 1)
    for explanation in explanations:
        values = np.abs(shown_relevance(explanation, [0])[0])
        np.add.at(weights, explanation.tokens.spans[:, 0], values / (values.sum() or 1.0))
    return passage(tokens, weights[:-1], full_text if len(tokens.text) <= full_text else limit)


def passage(tokens: Tokens, weights: NDArray[np.float64], limit: int) -> Passage:
    """Find the passage of at most ``limit`` characters with the largest weight; ties go to the first.

    ``weights`` has one value >= 0 per character. The passage consists of whole lines, or of whole words if lines are
    long. A text that is short enough is returned whole. A single word longer than ``limit`` is cut.
    """
    text, length = tokens.text, len(tokens.text)
    if length <= limit:
        return Passage(0, length, length)
    lines = np.array([0, *(n + 1 for n, letter in enumerate(text) if letter == "\n"), length])
    by_line = len(lines) > 2 and np.diff(lines).max() <= limit // 3
    spans = tokens.spans.astype(np.int64)
    starts, stops = (lines[:-1], lines[1:]) if by_line else (spans[:, 0], spans[:, 1])
    if not len(starts):
        return Passage(0, limit, length)
    last = np.searchsorted(stops, starts + limit, side="right") - 1
    ends = np.where(last >= np.arange(len(starts)), stops[last], np.minimum(starts + limit, length))
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    best = int(np.argmax(sums[ends] - sums[starts]))
    return Passage(int(starts[best]), int(ends[best]), length)


def runs_in_passage(runs: Sequence[TextRun], part: Passage) -> list[TextRun]:
    """Cut the runs of a text to a passage."""
    found, position = [], 0
    for run in runs:
        start, end = max(part.start, position), min(part.end, position + len(run.text))
        if start < end:
            found.append(run._replace(text=run.text[start - position : end - position]))
        position += len(run.text)
    return found
