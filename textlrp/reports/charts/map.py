"""Layout of the document map of a report: pixel positions of the documents and of the class names.

N documents, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.reports.corpus.document_row import DocumentRow

WIDTH, HEIGHT, MARGIN = 960, 560, 26

MAX_MAP_POINTS = 2_000
"""Maximum number of documents on a map; of more documents, an evenly spaced part is shown."""

MIN_MAP_DOCUMENTS = 3
"""A report of fewer documents has no map."""

LINE = 15
"""Minimum distance in pixels between two names, one below the other."""


class Point(NamedTuple):
    """A document on the map."""

    x: float
    y: float
    row: DocumentRow


class Name(NamedTuple):
    """The name of a class, at or near the median position of its documents."""

    x: float
    y: float
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class DocumentMap:
    """The points and names that a template draws; ``documents`` is the number of all documents, shown or not."""

    points: tuple[Point, ...]
    names: tuple[Name, ...]
    documents: int
    width: int = WIDTH
    height: int = HEIGHT


def document_map(
    positions: NDArray[np.floating], rows: Sequence[DocumentRow], classes: Sequence[str]
) -> DocumentMap | None:
    """Scale the positions of the documents (N, 2) to the map and place the class names.

    The scale ignores the outermost 0.5% on each side, and outliers are moved to the edge. Returns None if there are
    fewer than :data:`MIN_MAP_DOCUMENTS` finite positions, or if all positions are the same.
    """
    finite = np.flatnonzero(np.isfinite(positions).all(axis=1))
    if len(finite) < MIN_MAP_DOCUMENTS or positions.shape[1] < 2:
        return None
    ends = np.quantile(positions[finite], (0.005, 0.995), axis=0)
    if np.ptp(ends, axis=0).max() <= 0:
        return None
    x, y = fitted(positions, ends, (MARGIN, MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN))
    x, y = np.clip(x, 6, WIDTH - 6), np.clip(y, 6, HEIGHT - 6)
    shown = evenly(finite, MAX_MAP_POINTS)
    points = tuple(Point(round(float(x[n]), 1), round(float(y[n]), 1), rows[n]) for n in shown.tolist())
    of_class = np.array([row.predicted for row in rows])
    names = [
        Name(float(np.median(x[members])), float(np.median(y[members])), k, name)
        for k, name in enumerate(classes)
        if len(members := finite[of_class[finite] == k])
    ]
    return DocumentMap(points, tuple(_without_overlap(names)), len(rows))


def fitted(positions: NDArray[np.floating], ends: NDArray[np.floating], box: Sequence[float]) -> NDArray[np.floating]:
    """Scale positions (N, 2) to pixels (2, N), by the same factor in x and y.

    ``ends`` (2, 2) are the lowest and highest position that must be inside the box (left, top, right, bottom). They
    are centered in the box and fill it in one direction.
    """
    left, top, right, bottom = box
    scale = (np.array([right - left, bottom - top]) / np.maximum(ends[1] - ends[0], 1e-12)).min()
    across, up = ((positions - ends.mean(axis=0)) * scale).T
    return np.array([(left + right) / 2 + across, (top + bottom) / 2 - up])


def evenly(indices: NDArray[np.intp], limit: int) -> NDArray[np.intp]:
    """Return all indices, or ``limit`` of them, evenly spaced."""
    return np.take(indices, np.linspace(0, len(indices) - 1, min(len(indices), limit)).round().astype(np.intp))


def _without_overlap(names: Sequence[Name]) -> list[Name]:
    """Move names up or down until none overlaps another."""
    placed: list[Name] = []
    for name in sorted(names, key=lambda each: each.y):
        steps = sorted(range(-40, 41), key=abs)
        free = (y for y in (name.y + LINE * step / 2 for step in steps) if LINE <= y <= HEIGHT - 6)
        half = 3.4 * len(name.text)  # half the estimated width of the name in pixels
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
