"""Line charts: scales with ticks, lines with confidence bands, and the name of each line at its end."""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from textlrp.reports.charts import svg
from textlrp.reports.charts.svg import FIGURE_HEIGHT, FIGURE_WIDTH, MARKS, RULE, SERIES, SIZE, SOFT, Pixels, label_at

LEFT, TOP, BOTTOM = 46, 34, 44
"""Pixels between the axes and the edges of a figure. The right margin depends on the names, see :func:`right_of`."""

_DASHES = ("", "8.4 2.8", "7 2.8 1.4 2.8", "4.2 2.1", "", "8.4 2.8", "7 2.8 1.4 2.8")

LOOKS = tuple(zip(SERIES, _DASHES, MARKS, strict=True))
"""Color, dashes and mark of lines and groups. Dashes and marks distinguish them without color."""

_MAX_NAME_WIDTH = 230  # pixels
_NONE = np.array([])


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart. ``values`` may be NaN; ``band`` is (low, high); ``ring`` is the index of a circled value."""

    name: str
    values: Pixels
    color: str = SOFT
    dashes: str = ""
    mark: str = ""
    width: float = 0.9
    band: tuple[Pixels, Pixels] = (_NONE, _NONE)
    ring: int | None = None
    bold: bool = False


def limits(values: Pixels, margin: float = 0.0) -> tuple[float, float]:
    """Return the range of the values, extended on both sides by a share ``margin`` of it.

    The range of equal values is extended too, so that it is never empty; without a finite value it is about 0 to 1.
    """
    found = values[np.isfinite(values)]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
    size = max(abs(low), abs(high))
    # a range below float32 precision counts as empty: its ticks would all have the same label
    extra = margin * (high - low) if high - low > 1e-5 * max(size, 1e-4) else 0.05 * max(size, 1.0)
    return low - extra, high + extra


def ticks(low: float, high: float, min_step: float = 0.0) -> Pixels:
    """Return at most seven ticks, at multiples of 1, 2 or 5 times a power of ten and at least ``min_step`` apart."""
    ideal = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(ideal))
    step = max(min_step, next(times * power for times in (1, 2, 5, 10) if times * power >= ideal * (1 - 1e-9)))
    # keeps a tick at either end that rounding moves out of the range; below the range itself if a step is longer
    slack = 1e-9 * min(1.0, (high - low) / step)
    return np.arange(math.ceil(low / step - slack), math.floor(high / step + slack) + 1) * np.float64(step)


def spread_apart(ideal: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions close to the ideal ones, in the same order, at least ``gap`` apart and within the limits.

    The positions minimize the squared distances to the ideal ones (pool adjacent violators algorithm). The gap
    shrinks if the positions do not fit within the limits.
    """
    count = len(ideal)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = sorted(range(count), key=lambda each: ideal[each])
    # less rank * gap, positions that are gap apart are equal: the problem becomes isotonic regression
    blocks: list[tuple[float, int]] = []
    for rank, each in enumerate(order):
        mean, size = ideal[each] - rank * gap, 1
        while blocks and blocks[-1][0] > mean:
            other_mean, other_size = blocks.pop()
            mean, size = (mean * size + other_mean * other_size) / (size + other_size), size + other_size
        blocks.append((mean, size))
    positions = [0.0] * count
    flat = [mean for mean, size in blocks for _ in range(size)]
    for rank, (each, mean) in enumerate(zip(order, flat, strict=True)):
        positions[each] = min(max(mean, low), high - (count - 1) * gap) + rank * gap
    return positions


class Shade(NamedTuple):
    """The part of a chart from its left edge to ``end``, a step, that is shaded, and its name in the legend."""

    end: float
    name: str


def line_chart(
    lines: Sequence[Line], steps: Pixels, x_name: str, y_name: str, uid: str, shade: Shade | None = None
) -> list[str]:
    """Draw lines of shares (0 to 1) over whole numbers, the first line on top. Identifiers begin with ``uid``."""
    right, bottom = right_of(extent(short(line.name), bold=line.bold) for line in lines), FIGURE_HEIGHT - BOTTOM
    shares = [part for line in lines for part in (line.values, *line.band)]
    span, levels = limits(steps), limits(np.concatenate([[], *shares]), margin=0.04)
    drawn = [] if shade is None else _shaded(shade, right, bottom, span)
    drawn += [*_grid(right, bottom, span, levels), *axis_names(right, bottom, x_name, y_name)]
    x = np.interp(steps, span, (LEFT, right))
    for line in lines[::-1]:
        low, high = (np.interp(each, levels, (bottom, TOP)) for each in line.band)
        drawn.append(svg.fill(svg.band_path(x[: len(low)], low, high), line.color, 0.16))
    heights = [np.interp(line.values, levels, (bottom, TOP)) for line in lines]
    for n, (line, y) in reversed(list(enumerate(zip(lines, heights, strict=True)))):
        along = x[: len(y)]
        drawn.append(svg.stroke(svg.line_path(along, y), line.color, line.width, line.dashes))
        if line.mark:
            every = max(1, len(x) // 6)
            some = slice(n % every, None, every)  # begins at another step for each line, so that marks do not overlap
            drawn.append(svg.dots(along[some], y[some], line.mark, line.color, 2.25, f"{uid}-{n}"))
        if line.ring is not None:
            circle = f"M{along[line.ring] - 4:.1f} {y[line.ring]:.1f}a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"
            drawn.append(svg.stroke(circle, line.color, 1.3))
    return drawn + _names_at_ends(lines, heights, right, bottom)


def _shaded(shade: Shade, right: float, bottom: float, span: tuple[float, float]) -> list[str]:
    """Draw a shaded part with a line at its end, and its legend below the x axis."""
    end = float(np.interp(shade.end, span, (LEFT, right)))
    swatch = svg.box_path(LEFT, bottom + 24, LEFT + 12, bottom + 34)
    return [
        svg.fill(svg.box_path(LEFT, TOP, end, bottom), SOFT, 0.13),
        svg.stroke(f"M{end:.1f} {TOP}V{bottom}", SOFT, 0.8, "2 3"),
        svg.fill(swatch, SOFT, 0.13),
        svg.stroke(swatch, SOFT, 0.8, "2 3"),
        label_at(LEFT + 18, bottom + 29, shade.name),
    ]


def _grid(right: float, bottom: float, span: tuple[float, float], levels: tuple[float, float]) -> list[str]:
    """Draw horizontal grid lines with percentages, and the x axis with its ticks."""
    drawn = []
    for share in ticks(*levels).tolist():
        y = float(np.interp(share, levels, (bottom, TOP)))
        drawn += [svg.stroke(f"M{LEFT} {y:.1f}H{right:.1f}", RULE, 0.8)]
        drawn += [label_at(LEFT - 4, y, f"{100 * share:.8g}%", anchor="end")]
    drawn += [svg.stroke(f"M{LEFT} {bottom}H{right:.1f}", SOFT, 0.8)]
    for step in ticks(*span, min_step=1).tolist():
        x = float(np.interp(step, span, (LEFT, right)))
        drawn += [svg.stroke(f"M{x:.1f} {bottom}v3", SOFT, 0.8)]
        drawn += [label_at(x, bottom + 11, f"{step:g}", anchor="middle")]
    return drawn


def _names_at_ends(lines: Sequence[Line], heights: Sequence[Pixels], right: float, bottom: float) -> list[str]:
    """Write each line's name next to its end, with a thin connecting line. Names that would overlap are moved."""
    ends = [y[np.isfinite(y)][-1:].tolist() for y in heights]
    ideal = [end[0] if end else bottom for end in ends]
    drawn = []
    for line, end, y in zip(lines, ends, spread_apart(ideal, 15.5, TOP - 6, bottom + 6), strict=True):
        drawn += [svg.stroke(f"M{right:.1f} {at:.1f}L{right + 20:.1f} {y:.1f}", line.color, 0.8) for at in end]
        drawn += [label_at(right + 25, y, short(line.name), line.color, SIZE, bold=line.bold)]
    return drawn


def axis_names(right: float, bottom: float, x_name: str, y_name: str) -> list[str]:
    """Write the name of the x axis below its right end, and that of the y axis above its top."""
    below = label_at(max(right, FIGURE_WIDTH / 2), bottom + 29, x_name, anchor="end")
    return [below, label_at(4, TOP - 19, y_name)]


def right_of(widths: Iterable[float]) -> float:
    """Return the right end of the x axis that leaves space for names of these widths."""
    return FIGURE_WIDTH - 34 - max(widths, default=0.0)


def floats(values: Sequence[float | None] | None) -> Pixels:
    """Convert values to float64, with NaN for None (not measured) and for numbers too large to draw."""
    found = np.array([] if values is None else values, dtype=np.float64)  # NumPy converts None to NaN
    return np.where(np.abs(found) < 1e300, found, np.nan)


def short(name: str) -> str:
    """Return a name that fits next to a line; a longer one is truncated and ends in ``…``."""
    ends = list(accumulate(map(_width, name)))
    if not ends or ends[-1] <= _MAX_NAME_WIDTH:
        return name
    return name[: bisect(ends, _MAX_NAME_WIDTH - SIZE)].rstrip() + "…"


def extent(text: str, *, bold: bool = False) -> float:
    """Estimate the width of a name in pixels; the reader's font is not known when the figure is drawn."""
    return sum(map(_width, text)) * (1.1 if bold else 1.0)


def _width(letter: str) -> float:
    wide = letter in "MWmw@%" or unicodedata.east_asian_width(letter) in "WF"
    return SIZE * (1.0 if wide else 0.7 if letter.isupper() else 0.56)
