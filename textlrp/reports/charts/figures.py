"""Figures of an evaluation as SVG text: deletion curves, k-nearest-neighbor accuracy, maps of documents, bars.

Input is plain data as in ``results.json``. Every figure can be read without color: lines and groups also differ in
dashes and marks, and their names are next to them. The same data give the same SVG text. All identifiers in a figure
begin with its ``uid``, so that several figures fit on one page.
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
    Shade,
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

MAX_POINTS = 1500
"""Maximum number of documents on a map."""

MAX_GROUPS = len(LOOKS)
"""Maximum number of groups with a color and mark of their own."""


def deletion_figure(protocol: Results, *, uid: str) -> str:
    """Draw accuracy against the number of deleted (or inserted) words, one line per method, as SVG text.

    The first method and ``random`` have a band for their confidence intervals. The reversed order of the first method
    is dashed. Up to seven more methods have colors; all others are thin and gray. The part of the curve that deletes
    no more words than training did is shaded.
    """
    lines = _accuracy_lines(protocol["curves"])
    what = "words inserted" if protocol.get("mode") == "insert" else "words deleted"
    better = f" ({protocol['better']} is better)" if protocol.get("better") else ""
    steps = np.arange(max((len(line.values) for line in lines), default=1), dtype=np.float64)
    label = f"Accuracy against {what}: {protocol.get('title', '')}. " + _ends(lines)
    shaded = (protocol.get("as_in_training") or {}).get("steps")
    shade = None
    if shaded:
        shade = Shade(float(shaded), "as in training")
        label = f"{label} Shaded up to {shaded} {what}: as in training."
    return figure_svg(line_chart(lines, steps, what, "accuracy" + better, uid, shade), label, uid)


def masking_figure(rows: Sequence[Results], *, uid: str) -> str:
    """Draw accuracy against the share of masked words in percent, one line per method, as SVG text.

    The lines look as in :func:`deletion_figure`; the bands are the ranges over seeds.
    """
    lines = _accuracy_lines(rows)
    shares = 100 * floats(rows[0].get("shares"))
    label = "Accuracy of retrained models against the share of masked words. " + _ends(lines)
    chart = line_chart(lines, shares, "words masked, in percent", "accuracy (lower is better)", uid)
    return figure_svg(chart, label, uid)


def _accuracy_lines(curves: Sequence[Results]) -> list[Line]:
    lines: list[Line] = []
    looks = iter(LOOKS)
    for curve in curves:
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
    return lines


def neighbors_figure(vectors: Results, *, uid: str) -> str:
    """Draw k-nearest-neighbor accuracy against K, one line per weighting of the document vectors, as SVG text.

    A ring marks the best K of each line; its accuracy is the explanatory power index (EPI).
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
    chart = line_chart(lines, steps, "neighbors K", "accuracy of K nearest neighbors (ring: best K)", uid)
    return figure_svg(chart, "Accuracy of K nearest neighbors against K. " + _ends(lines), uid)


def map_figure(one_map: Results, *, uid: str) -> str:
    """Draw documents as points on their first two principal components, marked by group, as SVG text.

    At most :data:`MAX_POINTS` documents are shown, evenly spaced over all of them; a note in the figure gives both
    numbers. The :data:`MAX_GROUPS` largest groups have a color and mark of their own; the others are small dots.
    """
    positions = np.stack([floats(one_map["x"]), floats(one_map["y"])], axis=1)
    complete = np.flatnonzero(np.isfinite(positions).all(axis=1))
    shown = evenly(complete, MAX_POINTS)
    note = f"{len(shown):,} of {len(complete):,} documents shown" if len(shown) < len(complete) else ""
    groups = [one_line(group) for group in one_map["group"]]
    sizes = Counter(groups[n] for n in complete)
    largest = sorted(sorted(sizes, key=lambda name: (-sizes[name], name))[:MAX_GROUPS])
    rest = len(sizes) - len(largest)
    legend = [*largest, *([f"{rest} smaller groups"] if rest else [])]
    height, right = 400, right_of(extent(short(name)) for name in legend)
    bottom = height - BOTTOM - (16 if note else 0)
    drawn = [svg.stroke(svg.box_path(LEFT, TOP, right, bottom), RULE, 0.8)]
    if len(shown):
        ends = np.quantile(positions[shown], (0, 1), axis=0)
        x, y = fitted(positions[shown], ends, (LEFT + 16, TOP + 16, right - 16, bottom - 16))
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
    """Draw the documents of the ``n``-th group of the legend, and its entry in the legend."""
    color, mark, size = (LOOKS[n][0], LOOKS[n][2], 1.0) if n < MAX_GROUPS else (SOFT, "circle", 0.5)
    height = TOP + 10.0 + 20 * n
    return [
        svg.dots(x, y, mark, color, 1.9 * size, uid, 0.75),
        svg.dots(np.array([right + 15]), np.array([height]), mark, color, 3.5 * size, f"{uid}-name"),
        label_at(right + 26, height, short(name), INK, SIZE),
    ]


def bars_figure(rows: Sequence[Results], value: str = "accuracy", *, title: str, uid: str) -> str:
    """Draw one bar per row as SVG text, with its ``value`` (0 to 1) in percent and a whisker for its interval.

    The first bar is darker than the others.
    """
    title, names = one_line(title), [one_line(row["method"]) for row in rows]
    values = floats([row[value] for row in rows])
    shown = [percentage(share) if math.isfinite(share) else "–" for share in values.tolist()]
    left = 14 + max((extent(short(name), bold=not n) for n, name in enumerate(names)), default=0.0)
    limits, height = (left, FIGURE_WIDTH - 62), 40 + 26 * max(1, len(rows))
    ends = np.interp(np.nan_to_num(values), (0, 1), limits).tolist()
    drawn = [label_at(0, 10, title), svg.stroke(f"M{left:.1f} 30V{height}", SOFT, 0.8)]
    for n, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = 48 + 26 * n
        drawn.append(svg.fill(svg.box_path(left, y - 7, ends[n], y + 7), *((SOFT, 0.45) if n else (INK, 0.9))))
        interval = np.interp(floats(row.get("interval")), (0, 1), limits)
        if len(interval) and np.isfinite(interval).all():
            low, high = interval.tolist()
            drawn.append(svg.fill(svg.box_path(low, y - 2.2, high, y + 2.2), PAPER, 1))
            drawn.append(svg.stroke(f"M{low:.1f} {y - 3.5}v7M{low:.1f} {y}H{high:.1f}m0-3.5v7", INK, 1.7))
        drawn.append(label_at(left - 8, y, short(name), INK, SIZE, anchor="end", bold=not n))
        drawn.append(label_at(FIGURE_WIDTH - 6, y, shown[n], INK, SIZE, anchor="end", bold=not n))
    label = f"{title}: " + ", ".join(f"{name} {share}" for name, share in zip(names, shown, strict=True))
    return figure_svg(drawn, label, uid, height)


def _ends(lines: Sequence[Line]) -> str:
    """Describe the last value of each line, for readers who cannot see the chart."""
    ends = [(line.name, line.values[np.isfinite(line.values)]) for line in lines]
    return "At the end: " + ", ".join(f"{name} {percentage(float(v[-1]))}" for name, v in ends if len(v)) + "."
