"""Results as figures: plain data, as ``results.json`` has them, to SVG text.

Every figure can be read without color: lines and groups differ by dashes and marks, and have their names next to
them. The same data give the same text. Identifiers in a figure begin with its ``uid``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from textlrp.reports.charts import svg
from textlrp.reports.charts.axes import (
    BOTTOM,
    LEFT,
    LOOKS,
    TOP,
    Line,
    axis_names,
    extent,
    floats,
    line_chart,
    right_of,
    short,
)
from textlrp.reports.charts.map import evenly, fitted
from textlrp.reports.charts.svg import (
    FIGURE_WIDTH,
    INK,
    PAPER,
    RULE,
    SIZE,
    SOFT,
    Pixels,
    figure_svg,
    label_at,
    one_line,
)
from textlrp.reports.evaluation.tables import Results
from textlrp.reports.numbers import percentage

MOST_DOTS = 1500
"""Documents that a map shows at most."""

MOST_GROUPS = len(LOOKS)
"""Groups that have their own color and mark."""


def deletion_figure(protocol: Results, *, uid: str) -> str:
    """Accuracy against the number of words deleted (or put back), one line a method, as SVG text.

    The first method and ``random`` have the band of their intervals; the first method's reversed
    order is dashed; up to seven more have colors, the others are thin and gray.
    """
    lines: list[Line] = []
    looks = iter(LOOKS)
    for curve in protocol["curves"]:
        name, values = one_line(curve["method"]), floats(curve["accuracy"])
        band = floats(curve.get("low")), floats(curve.get("high"))
        if not len(values):
            continue
        if not lines:
            lines.append(Line(name, values, INK, width=2.4, band=band, bold=True))
        elif name == "random":
            lines.append(Line(name, values, SOFT, "1.8 2.9", width=1.8, band=band))
        elif name.endswith(", reversed"):
            lines.append(Line(name, values, INK, "7 3", width=1.0))
        else:
            look = next(looks, None)
            lines.append(Line(name, values, *look, width=1.4) if look else Line(name, values))
    what = "words put back" if protocol.get("mode") == "insert" else "words deleted"
    better = f" ({protocol['better']} is better)" if protocol.get("better") else ""
    steps = np.arange(max((len(line.values) for line in lines), default=1), dtype=np.float64)
    label = f"Accuracy against {what}: {protocol.get('title', '')}. " + _ends(lines)
    return figure_svg(line_chart(lines, steps, what, "accuracy" + better, uid), label, uid)


def neighbors_figure(vectors: Results, *, uid: str) -> str:
    """Accuracy of nearest neighbors against their number K, one line a weighting, as SVG text.

    A ring marks the best K of each line: its height is the explanatory power index.
    """
    rows = [row for row in vectors["rows"] if len(row.get("neighbors") or ())]
    lines: list[Line] = []
    for n, row in enumerate(rows):
        name, values = one_line(row["weighting"]), floats(row["accuracy"])
        best = int(np.nanargmax(values)) if np.isfinite(values).any() else None
        if n == 0:
            lines.append(Line(name, values, INK, width=2.4, ring=best, bold=True))
        elif n <= len(LOOKS):
            lines.append(Line(name, values, *LOOKS[n - 1], width=1.4, ring=best))
        else:
            lines.append(Line(name, values, ring=best))
    steps = floats(rows[0]["neighbors"]) if rows else np.zeros(1)
    chart = line_chart(lines, steps, "neighbors K", "accuracy of K nearest neighbors (ring: the best K)", uid)
    return figure_svg(chart, "Accuracy of nearest neighbors against their number. " + _ends(lines), uid)


def map_figure(one_map: Results, *, uid: str) -> str:
    """Documents as points on their first two principal components, marked by group, as SVG text.

    Of more than :data:`MOST_DOTS` documents, an evenly spaced part is shown, and the figure says so. The
    :data:`MOST_GROUPS` largest groups have their own color and mark; the others are small dots.
    """
    places = np.stack([floats(one_map["x"]), floats(one_map["y"])], axis=1)
    complete = np.flatnonzero(np.isfinite(places).all(axis=1))
    shown = evenly(complete, MOST_DOTS)
    note = f"{len(shown):,} of {len(complete):,} documents shown" if len(shown) < len(complete) else ""
    groups = [one_line(group) for group in one_map["group"]]
    sizes = Counter(groups[n] for n in complete)
    largest = sorted(sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_GROUPS])
    rest = len(sizes) - len(largest)
    legend = [*largest, *([f"{rest} smaller groups"] if rest else [])]
    height, right = 400, right_of(extent(short(name)) for name in legend)
    bottom = height - BOTTOM - (16 if note else 0)
    drawn = [svg.stroke(svg.box_path(LEFT, TOP, right, bottom), RULE, 0.8)]
    if len(shown):
        ends = np.quantile(places[shown], (0, 1), axis=0)
        x, y = fitted(places[shown], ends, (LEFT + 16, TOP + 16, right - 16, bottom - 16))
        number = {name: n for n, name in enumerate(largest)}
        of_group = np.array([number.get(groups[n], len(largest)) for n in shown])
    for n, name in enumerate(legend):
        drawn += _group(name, n, x[of_group == n], y[of_group == n], right, f"{uid}-{n}")
    parts = floats(one_map.get("explained")).tolist()
    explained = [f", {percentage(part)} of the variance" if math.isfinite(part) else "" for part in parts] + ["", ""]
    drawn += axis_names(right, bottom, "1st component" + explained[0], "2nd component" + explained[1])
    drawn.append(label_at(right, bottom + 45, note, anchor="end") if note else "")
    title = one_line(one_map.get("weighting", ""))
    label = f"Map of {len(complete):,} documents, {title}; groups: {', '.join(legend)}. {note}"
    return figure_svg(drawn, label, uid, height)


def _group(name: str, n: int, x: Pixels, y: Pixels, right: float, uid: str) -> list[str]:
    """The documents of the group in place ``n`` of the legend, and its name there."""
    color, mark, size = (LOOKS[n][0], LOOKS[n][2], 1.0) if n < MOST_GROUPS else (SOFT, "circle", 0.5)
    at = TOP + 10.0 + 20 * n
    return [
        svg.dots(x, y, mark, color, 1.9 * size, uid, 0.75),
        svg.dots(np.array([right + 15]), np.array([at]), mark, color, 3.5 * size, f"{uid}-name"),
        label_at(right + 26, at, short(name), INK, SIZE),
    ]


def bars_figure(rows: Sequence[Results], value: str = "accuracy", *, title: str, uid: str) -> str:
    """One bar a row, its ``value`` (0 to 1) in percent, a whisker for its interval, as SVG text; the first in ink."""
    title, names = one_line(title), [one_line(row["method"]) for row in rows]
    values = floats([row[value] for row in rows])
    shown = [percentage(share) if math.isfinite(share) else "–" for share in values.tolist()]
    left = 14 + max((extent(short(name), bold=not n) for n, name in enumerate(names)), default=0.0)
    room, height = (left, FIGURE_WIDTH - 62), 40 + 26 * max(1, len(rows))
    ends = np.interp(np.nan_to_num(values), (0, 1), room).tolist()
    drawn = [label_at(0, 10, title), svg.stroke(f"M{left:.1f} 30V{height}", SOFT, 0.8)]
    for n, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = 48 + 26 * n
        drawn.append(svg.fill(svg.box_path(left, y - 7, ends[n], y + 7), *((SOFT, 0.45) if n else (INK, 0.9))))
        interval = np.interp(floats(row.get("interval")), (0, 1), room)
        if len(interval) and np.isfinite(interval).all():
            low, high = interval.tolist()
            drawn.append(svg.fill(svg.box_path(low, y - 2.2, high, y + 2.2), PAPER, 1))
            drawn.append(svg.stroke(f"M{low:.1f} {y - 3.5}v7M{low:.1f} {y}H{high:.1f}m0-3.5v7", INK, 1.7))
        drawn.append(label_at(left - 8, y, short(name), INK, SIZE, anchor="end", bold=not n))
        drawn.append(label_at(FIGURE_WIDTH - 6, y, shown[n], INK, SIZE, anchor="end", bold=not n))
    label = f"{title}: " + ", ".join(f"{name} {share}" for name, share in zip(names, shown, strict=True))
    return figure_svg(drawn, label, uid, height)


def _ends(lines: Sequence[Line]) -> str:
    """Where the lines end, in words, for those who do not see them."""
    ends = [(line.name, line.values[np.isfinite(line.values)]) for line in lines]
    return "At the end: " + ", ".join(f"{name} {percentage(float(v[-1]))}" for name, v in ends if len(v)) + "."
