"""Basic SVG elements: paths, marks, labels, and the figure around them, for light and dark pages.

An element's color is a class name. The style sheet inside each figure defines the classes for light and dark screens,
and is limited to that figure by its identifier. Lengths are in pixels; y increases downward.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from textlrp.reports.palette import palette
from textlrp.reports.rendering import showable

Pixels = NDArray[np.float64]

FIGURE_WIDTH, FIGURE_HEIGHT = 500, 340

SIZE, SMALL = 12.5, 11.0
"""Font sizes of names and of all other text."""

INK, SOFT, RULE, PAPER = "ink", "soft", "rule", "paper"
"""Color classes: of names and the first line, of other text, of grid lines, and of the background."""

SERIES_COLORS = (
    ("#1f62b5", "#7db2ff"),
    ("#b8450f", "#ff9a6b"),
    ("#0b7a55", "#4cc99b"),
    ("#8e4ba8", "#d39bea"),
    ("#8a6100", "#e0b23c"),
    ("#0c7289", "#5cc8e0"),
    ("#b8326e", "#f58bb8"),
)
"""(light, dark) colors of all other lines and groups. Their contrast is at least 4.5 on both papers (WCAG 2.2 AA)."""

SERIES = tuple(f"line{n}" for n in range(len(SERIES_COLORS)))
"""Color classes of :data:`SERIES_COLORS`."""

MARKS = {
    "circle": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0z",
    "square": "M-6-6h12v12h-12z",
    "up": "M0-6l6 12h-12z",
    "diamond": "M0-8l8 8-8 8-8-8z",
    "down": "M0 6l6-12h-12z",
    "plus": "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "cross": "M-3-6l3 3 3-3 3 3-3 3 3 3-3 3-3-3-3 3-3-3 3-3-3-3z",
}
"""Name -> SVG path of a mark of radius 6; one mark for each of :data:`SERIES`."""

_FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif"


def figure_svg(elements: Sequence[str], label: str, uid: str, height: int = FIGURE_HEIGHT) -> str:
    """Return one ``<svg>`` element with ``label`` as its text alternative. ``uid`` is its identifier."""
    label, drawn = escape(one_line(label)), "\n".join(filter(None, elements))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{uid}" class="figure" role="img" aria-label="{label}" '
        f'width="{FIGURE_WIDTH}" height="{height}" viewBox="0 0 {FIGURE_WIDTH} {height}" font-family="{_FONTS}" '
        f'fill="currentColor" stroke-linejoin="round"><title>{label}</title>\n'
        f"<style>{_style_sheet(uid, drawn)}</style>\n{drawn}\n</svg>\n"
    )


def _style_sheet(uid: str, drawn: str) -> str:
    """Return the rules for the color classes that are used, for light and dark screens."""
    light, dark = palette("red-blue").light, palette("red-blue").dark
    colors = {name: (getattr(light, name), getattr(dark, name)) for name in (INK, SOFT, RULE, PAPER)}
    colors |= zip(SERIES, SERIES_COLORS, strict=True)
    used = [name for name in colors if f'class="{name}"' in drawn]
    on_light, on_dark = ("".join(f"#{uid} .{name}{{color:{colors[name][n]}}}" for name in used) for n in (0, 1))
    return f"{on_light}\n@media(prefers-color-scheme:dark){{{on_dark}}}"


def one_line(text: object) -> str:
    """Put text on one line, without characters that XML does not allow."""
    return " ".join(showable(str(text)).split())


def label_at(
    x: float, y: float, text: str, color: str = SOFT, size: float = SMALL, anchor: str = "start", bold: bool = False
) -> str:
    """Write text at a point. ``anchor`` is "start", "middle" or "end" at ``x``; ``y`` is the middle of its height."""
    aligned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    weight = ' font-weight="700"' if bold else ""
    place = f'x="{x:.1f}" y="{y + size / 3:.1f}"'
    return f'<text class="{color}" {place} font-size="{size:g}"{aligned}{weight}>{escape(text)}</text>'


def stroke(path: str, color: str, width: float, dashes: str = "") -> str:
    """Draw a path as a line. A solid line has round ends, so that a single point is visible."""
    look = f'stroke-dasharray="{dashes}"' if dashes else 'stroke-linecap="round"'
    line = f'<path class="{color}" d="{path}" fill="none" stroke="currentColor" stroke-width="{width:g}" {look}/>'
    return line if path else ""


def fill(path: str, color: str, opacity: float) -> str:
    """Fill the area inside a path."""
    return f'<path class="{color}" d="{path}" fill-opacity="{opacity:g}"/>' if path else ""


def box_path(left: float, top: float, right: float, bottom: float) -> str:
    """Return the path of a rectangle."""
    return f"M{left:.1f} {top}H{right:.1f}V{bottom}H{left:.1f}z"


def line_path(x: Pixels, y: Pixels) -> str:
    """Return the path of a line through points, with a gap at each NaN."""
    # h0, a line of length 0, makes a lone point visible
    return "".join(f"M{_points(x[part], y[part])}h0" for part in _unbroken(x + y))


def band_path(x: Pixels, low: Pixels, high: Pixels) -> str:
    """Return the outline of the area between two lines, with a gap at each NaN."""
    parts = _unbroken(x + low + high)
    return "".join(f"M{_points(x[at], low[at])} {_points(x[at][::-1], high[at][::-1])}z" for at in parts)


def dots(x: Pixels, y: Pixels, mark: str, color: str, radius: float, uid: str, opacity: float = 1.0) -> str:
    """Draw one of :data:`MARKS` at each point that is not NaN; ``uid`` is the identifier of the mark."""
    size, everywhere = f"{3 * radius:g}", " ".join(f'marker-{at}="url(#{uid})"' for at in ("start", "mid", "end"))
    found = np.isfinite(x + y)
    marker = (
        f'<marker id="{uid}" class="{color}" viewBox="-9 -9 18 18" markerWidth="{size}" markerHeight="{size}" '
        f'markerUnits="userSpaceOnUse" fill-opacity="{opacity:g}"><path d="{MARKS[mark]}"/></marker>'
    )
    return f'{marker}<path d="M{_points(x[found], y[found])}" fill="none" {everywhere}/>' if found.any() else ""


def _points(x: Pixels, y: Pixels) -> str:
    return " ".join(f"{each:g}" for each in np.stack([x, y], axis=1).round(1).ravel().tolist())


def _unbroken(values: Pixels) -> list[slice]:
    """Return the longest slices without NaN."""
    edges = np.flatnonzero(np.diff(np.isfinite(values), prepend=False, append=False))
    return [slice(*ends) for ends in edges.reshape(-1, 2).tolist()]
