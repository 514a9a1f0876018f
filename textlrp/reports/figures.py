"""Results as figures: plain data, as ``results.json`` holds them, into SVG text.

Every figure can be read without colour, by line styles, markers and names that stand at the lines'
ends; it weighs less than 200 kB, and the same data give the same text.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

from textlrp.reports.marks import percentage
from textlrp.reports.svg import INK, PAPER, RULE, SERIES, SOFT, as_svg, drawing, one_line

Results = Mapping[str, Any]

MOST_POINTS = 1500
"""Points that a map shows at most."""

MOST_GROUPS = len(SERIES)
"""Groups that have a colour and a marker of their own."""

_SIZE, _SMALL = 12.5, 11.0
_WIDTH, _HEIGHT, _MAP_HEIGHT = 500, 340, 400
_LEFT, _TOP, _BOTTOM = 46, 34, 44
_LABEL = 26  # letters of a name beside a line
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (5, 2, 1, 2)), (0, (3, 1.5)), "-", (0, (6, 2)), (0, (5, 2, 1, 2)))


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    values: NDArray[np.float64]
    colour: str = SOFT
    dashes: Any = "-"
    marker: str = ""
    width: float = 0.9
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    weight: str = "normal"


def deletion_figure(protocol: Results, *, uid: str = "") -> str:
    """Accuracy against the number of words deleted (or put back), one line a method, as SVG text.

    The first method and ``random`` carry the band of their intervals; the first method's reversed
    order is dashed; up to seven more have colours, the others are thin and grey.
    """
    curves = [curve for curve in protocol["curves"] if len(curve["accuracy"])]
    lines: list[_Line] = []
    spare = iter(range(len(SERIES)))
    for position, curve in enumerate(curves):
        name, values = one_line(curve["method"]), _floats(curve["accuracy"])
        if position == 0:
            lines.append(_Line(name, values, INK, "-", width=2.4, band=_band(curve), weight="bold"))
        elif name == "random":
            lines.append(_Line(name, values, SOFT, (0, (1, 1.6)), width=1.8, band=_band(curve)))
        elif name.endswith(", reversed"):
            lines.append(_Line(name, values, INK, (0, (7, 3)), width=1.0))
        elif (n := next(spare, None)) is not None:
            lines.append(_Line(name, values, SERIES[n], _DASHES[n], _MARKERS[n], 1.4))
        else:
            lines.append(_Line(name, values))
    back = protocol.get("mode") == "insert"
    better = protocol.get("better")
    what = "words put back" if back else "words deleted"
    label = f"Accuracy against {what}: {protocol.get('title', '')}. " + _ends(lines)
    with drawing():
        figure, axes = _axes([line.name for line in lines])
        steps = np.arange(max((len(line.values) for line in lines), default=1))
        _draw(axes, steps, lines, every=max(1, len(steps) // 6))
        _titles(axes, what, "accuracy" + (f" ({better} is better)" if better else ""))
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
            style = (SERIES[n - 1], _DASHES[n - 1], _MARKERS[n - 1], 1.4)
        lines.append(
            _Line(one_line(row["weighting"]), _floats(row["accuracy"]), *style, weight="normal" if n else "bold")
        )
    label = "Accuracy of nearest neighbours against their number. " + _ends(lines)
    with drawing():
        figure, axes = _axes([line.name for line in lines])
        steps = _floats(rows[0]["neighbours"]) if rows else np.arange(1)
        _draw(axes, steps, lines, every=max(1, len(steps) // 6))
        for line in lines:
            best = int(np.nanargmax(line.values))
            axes.plot(steps[best], line.values[best], "o", ms=8, mfc="none", mec=line.colour, mew=1.3, clip_on=False)
        _titles(axes, "neighbours K", "accuracy of K nearest neighbours (ring: the best K)")
        return as_svg(figure, label=label, uid=uid)


def map_figure(one_map: Results, *, uid: str = "") -> str:
    """Documents as points on their first two principal components, marked by group, as SVG text.

    Of more than :data:`MOST_POINTS` documents an evenly spaced part is shown, and the figure says
    so. The :data:`MOST_GROUPS` largest groups have a colour and a marker each, the rest small dots.
    """
    x, y = _floats(one_map["x"]), _floats(one_map["y"])
    groups = np.array([one_line(group) for group in one_map["group"]], dtype=object)
    sound = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    shown = sound[np.linspace(0, len(sound) - 1, min(len(sound), MOST_POINTS)).round().astype(int)]
    names, sizes = np.unique(groups[sound].astype(str), return_counts=True)
    largest = sorted(names[np.argsort(-sizes, kind="stable")][:MOST_GROUPS].tolist())
    rest = len(names) - len(largest)
    title = one_line(one_map.get("weighting", ""))
    note = f"{len(shown):,} of {len(sound):,} documents shown" if len(shown) < len(sound) else ""
    explained = [f", {percentage(float(part))} of the variance" for part in one_map.get("explained") or ()]
    explained += ["", ""]
    legend = [*largest, *([f"{rest} smaller groups"] if rest else [])]
    label = f"Map of {len(sound):,} documents, {title}; groups: {', '.join(legend)}. {note}"
    with drawing():
        figure, axes = _axes(legend, height=_MAP_HEIGHT)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(RULE)
        for n, name in enumerate(legend):
            of_group = np.isin(groups[shown], largest, invert=True) if n >= len(largest) else groups[shown] == name
            points = shown[of_group]
            colour, marker = (SERIES[n], _MARKERS[n]) if n < len(largest) else (SOFT, ".")
            look: dict[str, Any] = {"marker": marker, "color": colour, "linewidths": 0}
            axes.scatter(x[points], y[points], s=14, alpha=0.75, **look)
            down = 10 + 20 * n
            place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
            axes.annotate(
                _short(name), (1, 1), (26, -down), va="center", size=_SIZE, color=INK, parse_math=False, **place
            )
            box = axes.get_position()
            at = ([box.x1 * _WIDTH + 15], [box.y1 * _MAP_HEIGHT - down])
            figure.add_artist(Line2D(*at, marker=marker, color=colour, ms=7, mew=0, transform=IdentityTransform()))
        _titles(axes, "1st component" + explained[0], "2nd component" + explained[1])
        if note:
            place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
            axes.annotate(note, (0, 0), (0, -30), size=_SMALL, color=SOFT, parse_math=False, **place)
        return as_svg(figure, label=label, uid=uid)


def bars_figure(rows: Sequence[Results], value: str = "accuracy", *, title: str, uid: str = "") -> str:
    """One bar a row, its ``value`` (0 to 1) in percent, a whisker for its interval, as SVG text; the first in ink."""
    names = [one_line(row["method"]) for row in rows]
    values = _floats([row[value] for row in rows])
    height = 40 + 26 * max(1, len(rows))
    wide = max([_extent(_short(name)) for name in names], default=0.0) + 14
    label = f"{title}: " + ", ".join(
        f"{name} {percentage(v)}" for name, v in zip(names, values.tolist(), strict=True)
    )
    with drawing():
        figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=72)
        axes = figure.add_axes((wide / _WIDTH, 0, 1 - (wide + 62) / _WIDTH, 1 - 30 / height))
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
            place: dict[str, Any] = {"va": "center", "size": _SIZE, "color": INK, "parse_math": False}
            weight = "normal" if n else "bold"
            beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            axes.annotate(_short(name), (0, n), (-8, -0.5), ha="right", weight=weight, **beside, **place)
            said = percentage(float(values[n])) if math.isfinite(values[n]) else "–"
            axes.annotate(said, (1, n), (56, -0.5), ha="right", weight=weight, **beside, **place)
        figure.text(0, 1 - 6 / height, title, va="top", size=_SMALL, color=SOFT, parse_math=False)
        return as_svg(figure, label=label, uid=uid)


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


def _axes(names: Sequence[str], height: int = _HEIGHT) -> tuple[Figure, Axes]:
    """A figure with room at the right for these names."""
    right = max([_extent(_short(name)) for name in names], default=0.0) + 34
    figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=72)
    box = (_LEFT / _WIDTH, _BOTTOM / height, 1 - (_LEFT + right) / _WIDTH, 1 - (_TOP + _BOTTOM) / height)
    axes = figure.add_axes(box)
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(labelsize=_SMALL, labelcolor=SOFT, color=SOFT, length=3, width=0.8)
    return figure, axes


def _draw(axes: Axes, steps: NDArray[Any], lines: Sequence[_Line], every: int) -> None:
    """The lines from the last to the first, so that the first lies on top, and their names at their ends."""
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
    _names(axes, steps, lines)


def _names(axes: Axes, steps: NDArray[Any], lines: Sequence[_Line]) -> None:
    """Each line's name beside its end, moved apart where they would lie on each other, joined by a thin line."""
    low, high = axes.get_ylim()
    tall = axes.get_position().height * _HEIGHT
    ends = [line.values[np.isfinite(line.values)] for line in lines]
    wanted = [tall * (end[-1] - low) / (high - low) if len(end) else 0.0 for end in ends]
    for line, at, place in zip(lines, wanted, spread(wanted, 15.5, -6, tall + 6), strict=True):
        right: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(
            "", (1, at / tall), (22, place - at), **right, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.colour, "lw": 0.8, "shrinkA": 0, "shrinkB": 3},
        )  # fmt: skip
        axes.annotate(
            _short(line.name), (1, place / tall), (25, 0), **right, va="center", size=_SIZE, color=line.colour,
            weight=line.weight, parse_math=False, annotation_clip=False,
        )  # fmt: skip


def _titles(axes: Axes, across: str, up: str) -> None:
    """The names of both axes, written level: below at the right, and above at the left."""
    place: dict[str, Any] = {"textcoords": "offset points", "size": _SMALL, "color": SOFT, "parse_math": False}
    axes.annotate(across, (1, 0), (0, -30), xycoords="axes fraction", ha="right", va="center", **place)
    axes.annotate(up, (0, 1), (-_LEFT + 4, 18), xycoords="axes fraction", ha="left", va="center", **place)


def _band(curve: Results) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    low, high = curve.get("low"), curve.get("high")
    return None if low is None or high is None else (_floats(low), _floats(high))


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _ends(lines: Sequence[_Line]) -> str:
    """Where the lines end, in words, for those who do not see them."""
    ends = [(line.name, line.values[np.isfinite(line.values)]) for line in lines]
    return "At the end: " + ", ".join(f"{name} {percentage(float(v[-1]))}" for name, v in ends if len(v)) + "."


def _short(name: str) -> str:
    return name if len(name) <= _LABEL else name[: _LABEL - 1].rstrip() + "…"


def _extent(text: str) -> float:
    """About how many pixels wide: the reader's font is not known here."""
    return sum(_SIZE * (1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.58) for letter in text)
