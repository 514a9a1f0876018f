"""Line charts: scales with ticks, lines with bands, and their names at their ends."""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from textlrp.reports.charts import svg
from textlrp.reports.charts.svg import FIGURE_HEIGHT, FIGURE_WIDTH, MARKS, RULE, SERIES, SIZE, SOFT, Pixels, label_at

LEFT, TOP, BOTTOM = 46, 34, 44
"""Pixels between the axes and the edges of a figure; at the right is room for names."""

_DASHES = ("", "8.4 2.8", "7 2.8 1.4 2.8", "4.2 2.1", "", "8.4 2.8", "7 2.8 1.4 2.8")

LOOKS = tuple(zip(SERIES, _DASHES, MARKS, strict=True))
"""Color, dashes and mark of lines and groups: they can be told apart without their colors."""

_NAME_ROOM = 230  # pixels
_NONE = np.array([])


@dataclass(frozen=True, slots=True)
class Line:
    """A line's name, values (NaN where there is none), look, band (low, high), and the value that has a ring."""

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
    """The range of the values, wider by a share of it; wider also where all are the same, 0 to 1 where none is."""
    found = values[np.isfinite(values)]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
    size = max(abs(low), abs(high))
    more = margin * (high - low) if high - low > 1e-5 * max(size, 1e-4) else 0.05 * max(size, 1.0)
    return low - more, high + more


def ticks(low: float, high: float, least: float = 0.0) -> Pixels:
    """At most seven multiples of 1, 2 or 5 times a power of ten, at least ``least`` apart."""
    wanted = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(wanted))
    step = max(least, next(times * power for times in (1, 2, 5, 10) if times * power >= wanted * (1 - 1e-9)))
    slack = 1e-9 * min(1.0, (high - low) / step)  # of a step, and less than the range where a step is longer
    return np.arange(math.ceil(low / step - slack), math.floor(high / step + slack) + 1) * np.float64(step)


def moved_apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to the wanted ones as can be, at least ``gap`` apart, in the same order, within the limits.

    Least squares by pooling neighbors. The gap shrinks if there is no room for it.
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


def line_chart(lines: Sequence[Line], steps: Pixels, across: str, up: str, uid: str) -> list[str]:
    """Lines of shares over whole numbers, the first on top, with named axes; identifiers begin with ``uid``."""
    right, bottom = right_of(extent(short(line.name), bold=line.bold) for line in lines), FIGURE_HEIGHT - BOTTOM
    shares = [part for line in lines for part in (line.values, *line.band)]
    span, levels = limits(steps), limits(np.concatenate([[], *shares]), margin=0.04)
    drawn = [*_grid(right, bottom, span, levels), *axis_names(right, bottom, across, up)]
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
            some = slice(n % every, None, every)
            drawn.append(svg.dots(along[some], y[some], line.mark, line.color, 2.25, f"{uid}-{n}"))
        if line.ring is not None:
            circle = f"M{along[line.ring] - 4:.1f} {y[line.ring]:.1f}a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"
            drawn.append(svg.stroke(circle, line.color, 1.3))
    return drawn + _names_at_ends(lines, heights, right, bottom)


def _grid(right: float, bottom: float, span: tuple[float, float], levels: tuple[float, float]) -> list[str]:
    """Grid lines with percentages, and the lower axis with its ticks."""
    drawn = []
    for share in ticks(*levels).tolist():
        y = float(np.interp(share, levels, (bottom, TOP)))
        drawn += [svg.stroke(f"M{LEFT} {y:.1f}H{right:.1f}", RULE, 0.8)]
        drawn += [label_at(LEFT - 4, y, f"{100 * share:.8g} %", anchor="end")]
    drawn += [svg.stroke(f"M{LEFT} {bottom}H{right:.1f}", SOFT, 0.8)]
    for step in ticks(*span, least=1).tolist():
        x = float(np.interp(step, span, (LEFT, right)))
        drawn += [svg.stroke(f"M{x:.1f} {bottom}v3", SOFT, 0.8)]
        drawn += [label_at(x, bottom + 11, f"{step:g}", anchor="middle")]
    return drawn


def _names_at_ends(lines: Sequence[Line], heights: Sequence[Pixels], right: float, bottom: float) -> list[str]:
    """Each line's name beside its end, moved apart where they would overlap, joined to it by a thin line."""
    ends = [y[np.isfinite(y)][-1:].tolist() for y in heights]
    wanted = [end[0] if end else bottom for end in ends]
    drawn = []
    for line, end, y in zip(lines, ends, moved_apart(wanted, 15.5, TOP - 6, bottom + 6), strict=True):
        drawn += [svg.stroke(f"M{right:.1f} {at:.1f}L{right + 20:.1f} {y:.1f}", line.color, 0.8) for at in end]
        drawn += [label_at(right + 25, y, short(line.name), line.color, SIZE, bold=line.bold)]
    return drawn


def axis_names(right: float, bottom: float, across: str, up: str) -> list[str]:
    """The names of both axes: below at the right, and above at the left."""
    below = label_at(max(right, FIGURE_WIDTH / 2), bottom + 29, across, anchor="end")
    return [below, label_at(4, TOP - 19, up)]


def right_of(names: Iterable[float]) -> float:
    """Where axes end at the right if names of these widths are to have room."""
    return FIGURE_WIDTH - 34 - max(names, default=0.0)


def floats(values: Sequence[float | None] | None) -> Pixels:
    """Numbers; NaN for what was not measured or cannot be drawn."""
    found = np.array([] if values is None else values, dtype=np.float64)  # None becomes NaN
    return np.where(np.abs(found) < 1e300, found, np.nan)


def short(name: str) -> str:
    """A name that has room beside a line; a longer one is cut and ends in ``…``."""
    ends = list(accumulate(map(_width, name)))
    return name if not ends or ends[-1] <= _NAME_ROOM else name[: bisect(ends, _NAME_ROOM - SIZE)].rstrip() + "…"


def extent(text: str, *, bold: bool = False) -> float:
    """About how many pixels wide a name is; the reader's font is not known here."""
    return sum(map(_width, text)) * (1.1 if bold else 1.0)


def _width(letter: str) -> float:
    wide = letter in "MWmw@%" or unicodedata.east_asian_width(letter) in "WF"
    return SIZE * (1.0 if wide else 0.7 if letter.isupper() else 0.56)
