"""The passage of a long text that has the most relevance, and marked text cut to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.explanation import Explanation
from textlrp.records import Tokens
from textlrp.reports.marks import TextRun, shown_relevance


class Passage(NamedTuple):
    """Characters ``start`` to ``end`` of a text of ``length``."""

    start: int
    end: int
    length: int

    @property
    def whole(self) -> bool:
        """Whether it is all of the text."""
        return self.end - self.start == self.length


def shared_passage(explanations: Sequence[Explanation], *, longest: int, limit: int) -> Passage:
    """Where some explanations of one text have most relevance together, each counting alike.

    All of a text of at most ``longest`` characters, else a :func:`passage` of at most ``limit``.
    """
    tokens = explanations[0].tokens
    weights = np.zeros(len(tokens.text) + 1)
    for explanation in explanations:
        values = np.abs(shown_relevance(explanation, [0])[0])
        np.add.at(weights, explanation.tokens.spans[:, 0], values / (values.sum() or 1.0))
    return passage(tokens, weights[:-1], longest if len(tokens.text) <= longest else limit)


def passage(tokens: Tokens, weights: NDArray[np.float64], limit: int) -> Passage:
    """Whole lines, or whole words where lines are long, of at most ``limit`` characters and the largest weight.

    ``weights`` >= 0, one a character. All of a text that is short enough; of equal passages the first. A single word
    longer than ``limit`` is cut.
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
    """The runs of a text that stand in a passage, cut at its ends."""
    found, position = [], 0
    for run in runs:
        start, end = max(part.start, position), min(part.end, position + len(run.text))
        if start < end:
            found.append(run._replace(text=run.text[start - position : end - position]))
        position += len(run.text)
    return found
