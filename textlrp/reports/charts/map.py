"""Documents as points on a plane, with the names of their classes: where everything stands, in pixels.

N documents, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.reports.corpus.summary import Row

WIDTH, HEIGHT, MARGIN = 960, 560, 26

MOST_POINTS = 2_000
"""Points that a map shows at most; of more documents an evenly spaced part."""

FEWEST = 3
"""Documents below which there is no map."""

LINE = 15
"""Pixels from one name to the next below it."""


class Point(NamedTuple):
    """A document on the map."""

    x: float
    y: float
    row: Row


class Name(NamedTuple):
    """The name of a class, in the middle of its documents or near it."""

    x: float
    y: float
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class DocumentMap:
    """What a template draws; ``documents`` of which the points are all or a part."""

    points: tuple[Point, ...]
    names: tuple[Name, ...]
    documents: int
    width: int = WIDTH
    height: int = HEIGHT


def document_map(places: NDArray[np.floating], rows: Sequence[Row], classes: Sequence[str]) -> DocumentMap | None:
    """The rows at their places (N, 2), in the window that holds all but the outermost; None where there is nothing
    to see, as of one document or of places that are all the same."""
    finite = np.flatnonzero(np.isfinite(places).all(axis=1))
    if len(finite) < FEWEST or places.shape[1] < 2:
        return None
    ends = np.quantile(places[finite], (0.005, 0.995), axis=0)
    if np.ptp(ends, axis=0).max() <= 0:
        return None
    x, y = fitted(places, ends, (MARGIN, MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN))
    x, y = np.clip(x, 6, WIDTH - 6), np.clip(y, 6, HEIGHT - 6)
    shown = evenly(finite, MOST_POINTS)
    points = tuple(Point(round(float(x[n]), 1), round(float(y[n]), 1), rows[n]) for n in shown.tolist())
    of_class = np.array([row.predicted for row in rows])
    names = [
        Name(float(np.median(x[own])), float(np.median(y[own])), k, name)
        for k, name in enumerate(classes)
        if len(own := finite[of_class[finite] == k])
    ]
    return DocumentMap(points, tuple(_apart(names)), len(rows))


def fitted(places: NDArray[np.floating], ends: NDArray[np.floating], room: Sequence[float]) -> NDArray[np.floating]:
    """The places (N, 2) as pixels (2, N) at one scale across and up: the ends, low and high (2, 2), are in the middle
    of the room (left, top, right, bottom) and fill it in one direction."""
    left, top, right, bottom = room
    scale = (np.array([right - left, bottom - top]) / np.maximum(ends[1] - ends[0], 1e-12)).min()
    across, up = ((places - ends.mean(axis=0)) * scale).T
    return np.array([(left + right) / 2 + across, (top + bottom) / 2 - up])


def evenly(positions: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """The positions, or ``most`` of them, evenly spaced."""
    return np.take(positions, np.linspace(0, len(positions) - 1, min(len(positions), most)).round().astype(np.intp))


def _apart(names: Sequence[Name]) -> list[Name]:
    """The names moved up or down until none covers another."""
    placed: list[Name] = []
    for name in sorted(names, key=lambda each: each.y):
        steps = sorted(range(-40, 41), key=abs)
        free = (y for y in (name.y + LINE * step / 2 for step in steps) if LINE <= y <= HEIGHT - 6)
        half = 3.4 * len(name.text)
        x = min(max(name.x, half + 4), WIDTH - half - 4)
        y = next(
            (
                y
                for y in free
                if all(
                    abs(y - other.y) >= LINE or abs(x - other.x) >= half + 3.4 * len(other.text) + 6
                    for other in placed
                )
            ),
            name.y,
        )
        placed.append(name._replace(x=round(x, 1), y=round(y, 1)))
    return placed
