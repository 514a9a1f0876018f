"""Arrange pairs of words as two lists with curves between them.

Positions are computed here and not in the browser, so that the page needs no script. Open this module to change what
the curves look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textlrp.similar_texts import Tie

ROW = 10.0
"""Height of a row of the two lists, in units of the drawing, which is 100 units wide."""
WIDEST, THINNEST = 9.0, 1.0
"""Widths of the curves of the largest and of the smallest relevance, in pixels."""


class ListedWord(NamedTuple):
    """A word of one of the two lists, and the numbers of its ties, from 0."""

    word: str
    ties: tuple[int, ...]


class Curve(NamedTuple):
    """A curve between two words: its path in SVG, its width in pixels, and whether its relevance is negative."""

    tie: int
    path: str
    width: float
    negative: bool


class TieDrawing(NamedTuple):
    """The words of the two texts in their order on the page, the ``rows`` of the longer list, and the curves."""

    first: tuple[ListedWord, ...]
    second: tuple[ListedWord, ...]
    rows: int
    curves: tuple[Curve, ...]

    @property
    def height(self) -> float:
        """The height of the drawing in its own units."""
        return self.rows * ROW


def drawing_of(ties: Sequence[Tie]) -> TieDrawing:
    """Arrange ties, the strongest first.

    The words of the first text are in the order of their strongest tie. Each word of the second text is as close as
    possible to its partners, so that few curves cross.
    """
    first = list(dict.fromkeys(tie.first for tie in ties))
    rank = {word: row for row, word in enumerate(first)}
    weights: dict[str, list[tuple[float, int]]] = {}
    for tie in ties:
        weights.setdefault(tie.second, []).append((abs(tie.relevance), rank[tie.first]))
    center = {word: sum(w * row for w, row in each) / sum(w for w, _ in each) for word, each in weights.items()}
    second = sorted(weights, key=center.__getitem__)
    rows = max(len(first), len(second))
    largest = max((abs(tie.relevance) for tie in ties), default=1.0)
    curves = tuple(
        Curve(
            number,
            _curve_path(
                _middle(rank[tie.first], len(first), rows), _middle(second.index(tie.second), len(second), rows)
            ),
            round(THINNEST + (WIDEST - THINNEST) * abs(tie.relevance) / largest, 2),
            tie.relevance < 0,
        )
        for number, tie in enumerate(ties)
    )
    listed = [
        tuple(ListedWord(word, tuple(n for n, tie in enumerate(ties) if tie[side] == word)) for word in words)
        for side, words in enumerate((first, second))
    ]
    return TieDrawing(listed[0], listed[1], rows, curves)


def _middle(position: int, words: int, rows: int) -> float:
    """The vertical middle of a word; the shorter list is centered."""
    return round(ROW * ((rows - words) / 2 + position + 0.5), 2)


def _curve_path(start: float, end: float) -> str:
    return f"M0 {start:g}C50 {start:g} 50 {end:g} 100 {end:g}"
