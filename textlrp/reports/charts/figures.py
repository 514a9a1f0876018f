"""Results as figures: plain data, as ``results.json`` holds them, into SVG text.

Every figure can be read without colour, by line styles, markers and names that stand at the lines'
ends; it weighs less than 200 kB, and the same data give the same text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.reports.charts.axes import (
    BOTTOM,
    DASHES,
    MARKERS,
    SIZE,
    SMALL,
    WIDTH,
    Line,
    draw_lines,
    extent,
    floats,
    name_axes,
    new_axes,
    new_figure,
    short,
)
from textlrp.reports.charts.svg import INK, PAPER, RULE, SERIES, SOFT, as_svg, drawing, one_line
from textlrp.reports.numbers import percentage

Results = Mapping[str, Any]

MOST_POINTS = 1500
"""Points that a map shows at most."""

MOST_GROUPS = len(SERIES)
"""Groups that have a colour and a marker of their own."""

_MAP_HEIGHT = 400


def deletion_figure(protocol: Results, *, uid: str = "") -> str:
    """Accuracy against the number of words deleted (or put back), one line a method, as SVG text.

    The first method and ``random`` carry the band of their intervals; the first method's reversed
    order is dashed; up to seven more have colours, the others are thin and grey.
    """
    curves = [curve for curve in protocol["curves"] if len(curve["accuracy"])]
    lines: list[Line] = []
    spare = iter(range(len(SERIES)))
    for position, curve in enumerate(curves):
        name, values = one_line(curve["method"]), floats(curve["accuracy"])
        if position == 0:
            lines.append(Line(name, values, INK, "-", width=2.4, band=_band(curve), weight="bold"))
        elif name == "random":
            lines.append(Line(name, values, SOFT, (0, (1, 1.6)), width=1.8, band=_band(curve)))
        elif name.endswith(", reversed"):
            lines.append(Line(name, values, INK, (0, (7, 3)), width=1.0))
        elif (n := next(spare, None)) is not None:
            lines.append(Line(name, values, SERIES[n], DASHES[n], MARKERS[n], 1.4))
        else:
            lines.append(Line(name, values))
    back = protocol.get("mode") == "insert"
    better = protocol.get("better")
    what = "words put back" if back else "words deleted"
    label = f"Accuracy against {what}: {protocol.get('title', '')}. " + _ends(lines)
    with drawing():
        figure, axes = new_axes([line.name for line in lines])
        steps = np.arange(max((len(line.values) for line in lines), default=1))
        draw_lines(axes, steps, lines, every=max(1, len(steps) // 6))
        name_axes(axes, what, "accuracy" + (f" ({better} is better)" if better else ""))
        return as_svg(figure, label=label, uid=uid)


def neighbours_figure(vectors: Results, *, uid: str = "") -> str:
    """Accuracy of nearest neighbours against their number K, one line a weighting, as SVG text.

    A ring marks the best K of each line: its height is the explanatory power index.
    """
    rows = [row for row in vectors["rows"] if len(row.get("neighbours") or ())]
    lines = []
    for n, row in enumerate(rows):
        style = (INK, "-", "", 2.4) if n == 0 else (SOFT, "-", "", 0.9)
        if 0 < n <= len(SERIES):
            style = (SERIES[n - 1], DASHES[n - 1], MARKERS[n - 1], 1.4)
        lines.append(
            Line(one_line(row["weighting"]), floats(row["accuracy"]), *style, weight="normal" if n else "bold")
        )
    label = "Accuracy of nearest neighbours against their number. " + _ends(lines)
    with drawing():
        figure, axes = new_axes([line.name for line in lines])
        steps = floats(rows[0]["neighbours"]) if rows else np.arange(1)
        draw_lines(axes, steps, lines, every=max(1, len(steps) // 6))
        for line in lines:
            if not np.isfinite(line.values).any():
                continue
            best = int(np.nanargmax(line.values))
            axes.plot(steps[best], line.values[best], "o", ms=8, mfc="none", mec=line.colour, mew=1.3, clip_on=False)
        name_axes(axes, "neighbours K", "accuracy of K nearest neighbours (ring: the best K)")
        return as_svg(figure, label=label, uid=uid)


def map_figure(one_map: Results, *, uid: str = "") -> str:
    """Documents as points on their first two principal components, marked by group, as SVG text.

    Of more than :data:`MOST_POINTS` documents an evenly spaced part is shown, and the figure says
    so. The :data:`MOST_GROUPS` largest groups have a colour and a marker each, the rest small dots.
    """
    from matplotlib.lines import Line2D
    from matplotlib.transforms import IdentityTransform

    x, y = floats(one_map["x"]), floats(one_map["y"])
    groups = np.array([one_line(group) for group in one_map["group"]], dtype=object)
    sound = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    shown = sound[np.linspace(0, len(sound) - 1, min(len(sound), MOST_POINTS)).round().astype(int)]
    names, sizes = np.unique(groups[sound].astype(str), return_counts=True)
    largest = sorted(names[np.argsort(-sizes, kind="stable")][:MOST_GROUPS].tolist())
    rest = len(names) - len(largest)
    title = one_line(one_map.get("weighting", ""))
    note = f"{len(shown):,} of {len(sound):,} documents shown" if len(shown) < len(sound) else ""
    parts = floats(one_map.get("explained") or ()).tolist()
    explained = [f", {percentage(part)} of the variance" if math.isfinite(part) else "" for part in parts] + ["", ""]
    legend = [*largest, *([f"{rest} smaller groups"] if rest else [])]
    label = f"Map of {len(sound):,} documents, {title}; groups: {', '.join(legend)}. {note}"
    with drawing():
        figure, axes = new_axes(legend, _MAP_HEIGHT, BOTTOM + (16 if note else 0))
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(RULE)
        for n, name in enumerate(legend):
            of_group = np.isin(groups[shown], largest, invert=True) if n >= len(largest) else groups[shown] == name
            points = shown[of_group]
            colour, marker = (SERIES[n], MARKERS[n]) if n < len(largest) else (SOFT, ".")
            look: dict[str, Any] = {"marker": marker, "color": colour, "linewidths": 0}
            axes.scatter(x[points], y[points], s=14, alpha=0.75, **look)
            down = 10 + 20 * n
            place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
            axes.annotate(
                short(name), (1, 1), (26, -down), va="center", size=SIZE, color=INK, parse_math=False, **place
            )
            box = axes.get_position()
            at = ([box.x1 * WIDTH + 15], [box.y1 * _MAP_HEIGHT - down])
            figure.add_artist(Line2D(*at, marker=marker, color=colour, ms=7, mew=0, transform=IdentityTransform()))
        name_axes(axes, "1st component" + explained[0], "2nd component" + explained[1])
        if note:
            place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
            axes.annotate(note, (1, 0), (0, -46), ha="right", size=SMALL, color=SOFT, parse_math=False, **place)
        return as_svg(figure, label=label, uid=uid)


def bars_figure(rows: Sequence[Results], value: str = "accuracy", *, title: str, uid: str = "") -> str:
    """One bar a row, its ``value`` (0 to 1) in percent, a whisker for its interval, as SVG text; the first in ink."""
    title, names = one_line(title), [one_line(row["method"]) for row in rows]
    values = floats([row[value] for row in rows])
    shown = [percentage(share) if math.isfinite(share) else "–" for share in values.tolist()]
    height = 40 + 26 * max(1, len(rows))
    wide = max([extent(short(name)) for name in names], default=0.0) + 14
    label = f"{title}: " + ", ".join(f"{name} {share}" for name, share in zip(names, shown, strict=True))
    with drawing():
        figure = new_figure(height)
        axes = figure.add_axes((wide / WIDTH, 0, 1 - (wide + 62) / WIDTH, 1 - 30 / height))
        axes.set(xlim=(0, 1), ylim=(len(rows) - 0.3, -0.7), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.spines["left"].set(visible=True, color=SOFT)
        axes.patch.set_visible(False)
        for n, (row, name) in enumerate(zip(rows, names, strict=True)):
            axes.barh(n, np.nan_to_num(values[n]), height=0.55, color=SOFT if n else INK, alpha=0.45 if n else 0.9)
            interval = row.get("interval")
            if interval is not None:
                axes.plot(interval, [n, n], color=PAPER, lw=4.5, solid_capstyle="butt")
                axes.plot(interval, [n, n], color=INK, lw=1.8, solid_capstyle="butt", marker="|", ms=7, mew=1.6)
            place: dict[str, Any] = {"va": "center", "size": SIZE, "color": INK, "parse_math": False}
            weight = "normal" if n else "bold"
            beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            axes.annotate(short(name), (0, n), (-8, -0.5), ha="right", weight=weight, **beside, **place)
            axes.annotate(shown[n], (1, n), (56, -0.5), ha="right", weight=weight, **beside, **place)
        figure.text(0, 1 - 6 / height, title, va="top", size=SMALL, color=SOFT, parse_math=False)
        return as_svg(figure, label=label, uid=uid)


def _band(curve: Results) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    low, high = curve.get("low"), curve.get("high")
    return None if low is None or high is None else (floats(low), floats(high))


def _ends(lines: Sequence[Line]) -> str:
    """Where the lines end, in words, for those who do not see them."""
    ends = [(line.name, line.values[np.isfinite(line.values)]) for line in lines]
    return "At the end: " + ", ".join(f"{name} {percentage(float(v[-1]))}" for name, v in ends if len(v)) + "."
