"""Axes, lines with their names at their ends, and the room these need: what figures are drawn with."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from textlrp.reports.charts.svg import RULE, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 500, 340
"""Pixels of a figure, unless it says otherwise."""

SIZE, SMALL = 12.5, 11.0
"""Of names, and of all other text."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (5, 2, 1, 2)), (0, (3, 1.5)), "-", (0, (6, 2)), (0, (5, 2, 1, 2)))
"""What tells the lines and groups of :data:`SERIES` apart without colour."""

BOTTOM = 44
_LEFT, _TOP = 46, 34
_LETTERS = 30  # of a name beside a line


@dataclass(frozen=True, slots=True)
class Line:
    """A line's name, its heights (NaN where there is none), its look, and the band of its interval."""

    name: str
    values: NDArray[np.float64]
    colour: str = SOFT
    dashes: Any = "-"
    marker: str = ""
    width: float = 0.9
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    weight: str = "normal"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to the wanted ones as can be, at least ``gap`` apart, in the same order, within the limits.

    Least squares by pooling neighbours. The gap shrinks if there is no room for it.
    """
    count = len(wanted)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = sorted(range(count), key=lambda each: wanted[each])
    blocks: list[tuple[float, int]] = []
    for rank, each in enumerate(order):
        mean, size = wanted[each] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            other, more = blocks.pop()
            mean, size = (mean * size + other * more) / (size + more), size + more
        blocks.append((mean, size))
    places = [0.0] * count
    flat = [mean for mean, size in blocks for _ in range(size)]
    for rank, (each, mean) in enumerate(zip(order, flat, strict=True)):
        places[each] = min(max(mean, low), high - (count - 1) * gap) + rank * gap
    return places


def new_axes(names: Sequence[str], height: int = HEIGHT, bottom: int = BOTTOM) -> tuple[Figure, Axes]:
    """A figure with room at the right for these names."""
    right = max([extent(short(name)) for name in names], default=0.0) + 34
    figure = new_figure(height)
    box = (_LEFT / WIDTH, bottom / height, 1 - (_LEFT + right) / WIDTH, 1 - (_TOP + bottom) / height)
    axes = figure.add_axes(box)
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(labelsize=SMALL, labelcolor=SOFT, color=SOFT, length=3, width=0.8)
    return figure, axes


def new_figure(height: int) -> Figure:
    """An empty figure of the usual width and ``height`` pixels."""
    from matplotlib.figure import Figure  # late: most of matplotlib

    return Figure(figsize=(WIDTH / 72, height / 72), dpi=72)


def draw_lines(axes: Axes, steps: NDArray[Any], lines: Sequence[Line], every: int) -> None:
    """The lines from the last to the first, so that the first lies on top, and their names at their ends."""
    from matplotlib.ticker import MaxNLocator

    for n, line in reversed(list(enumerate(lines))):
        along = steps[: len(line.values)]
        if line.band is not None:
            axes.fill_between(along, *line.band, color=line.colour, alpha=0.16, linewidth=0)
        axes.plot(
            along, line.values, color=line.colour, linestyle=line.dashes, linewidth=line.width,
            marker=line.marker or None, markersize=4.5, markeredgewidth=0, markevery=(n % every, every),
            clip_on=False,
        )  # fmt: skip
    axes.margins(x=0, y=0.04)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.autoscale_view()
    _names(axes, lines)


def _names(axes: Axes, lines: Sequence[Line]) -> None:
    """Each line's name beside its end, moved apart where they would lie on each other, joined by a thin line."""
    low, high = axes.get_ylim()
    tall = axes.get_position().height * HEIGHT
    ends = [line.values[np.isfinite(line.values)] for line in lines]
    wanted = [tall * (end[-1] - low) / (high - low) if len(end) else 0.0 for end in ends]
    for line, at, place in zip(lines, wanted, spread(wanted, 15.5, -6, tall + 6), strict=True):
        right: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(
            "", (1, at / tall), (22, place - at), **right, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.colour, "lw": 0.8, "shrinkA": 0, "shrinkB": 3},
        )  # fmt: skip
        axes.annotate(
            short(line.name), (1, place / tall), (25, 0), **right, va="center", size=SIZE, color=line.colour,
            weight=line.weight, parse_math=False, annotation_clip=False,
        )  # fmt: skip


def name_axes(axes: Axes, across: str, up: str) -> None:
    """The names of both axes, written level: below at the right, and above at the left."""
    place: dict[str, Any] = {"textcoords": "offset points", "size": SMALL, "color": SOFT, "parse_math": False}
    axes.annotate(across, (1, 0), (0, -30), xycoords="axes fraction", ha="right", va="center", **place)
    axes.annotate(up, (0, 1), (-_LEFT + 4, 18), xycoords="axes fraction", ha="left", va="center", **place)


def floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Numbers, NaN for what was not measured."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def short(name: str) -> str:
    """A name that has room beside a line; where it was longer, it ends in ``…``."""
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1].rstrip() + "…"


def extent(text: str) -> float:
    """About how many pixels wide: the reader's font is not known here."""
    return sum(SIZE * (1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.56) for letter in text)
