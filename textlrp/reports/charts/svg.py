"""A matplotlib figure as small SVG text that suits light and dark pages and can stand in a page beside others.

A figure is drawn in ink placeholders; here they become custom properties that follow the reader's
colour scheme. Text stays text, identifiers are prefixed, repeated styles become classes.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from textlrp.reports.palette import palette
from textlrp.reports.rendering import showable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT, RULE, PAPER = "#000001", "#000002", "#000003", "#000004"
"""Placeholder colours: text and the first line, lesser text, grid lines, what lies behind."""

SERIES = tuple(f"#0001{n:02d}" for n in range(7))
"""Placeholder colours of the other lines and groups."""

LINE_COLOURS = (
    ("#1f62b5", "#7db2ff"),
    ("#b8450f", "#ff9a6b"),
    ("#0b7a55", "#4cc99b"),
    ("#8e4ba8", "#d39bea"),
    ("#8a6100", "#e0b23c"),
    ("#0c7289", "#5cc8e0"),
    ("#b8326e", "#f58bb8"),
)
"""What :data:`SERIES` look like on light and on dark paper: a contrast of at least 4.5 on both (WCAG 2.2 AA)."""

_FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif"
_NUMBER = re.compile(r"-?\d+\.\d+")
_SPACE = "http://www.w3.org/2000/svg"


@contextmanager
def drawing() -> Iterator[None]:
    """Inside, figures are laid out the same on every machine; matplotlib's settings are as before afterwards."""
    import matplotlib as mpl  # late: a second to import, and most pages have no figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "textlrp",
        "svg.image_inline": True,
        "font.family": ["DejaVu Sans"],  # comes with matplotlib
        "text.usetex": False,
        "axes.unicode_minus": True,
        "path.simplify": False,
    }
    # a label may hold letters that the measuring font lacks; the reader's font shows them
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()  # whatever style the user has set
        mpl.rcParams.update(settings)
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing from", category=UserWarning)
        yield


def one_line(text: object) -> str:
    """Text that XML can carry, on one line."""
    return " ".join(showable(str(text)).split())


def as_svg(figure: Figure, *, label: str, uid: str = "") -> str:
    """The figure as one ``<svg>`` element, described by ``label``; identifiers begin with ``uid``.

    Without a ``uid`` it is made of the content, so that different figures differ. The same figure
    gives the same text. 1/72 inch of the figure is one pixel.
    """
    written = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    root = ElementTree.fromstring(written.getvalue())
    label = one_line(label)
    uid = uid or "figure-" + hashlib.sha256((label + written.getvalue()).encode()).hexdigest()[:10]
    _without_namespaces(root)
    _without_ballast(root)
    rules = _classes(root)
    _identifiers(root, uid)
    width, height = (root.get("viewBox") or "0 0 0 0").split()[2:]
    description = ElementTree.Element("title")
    description.text, description.tail = label, "\n"
    style = ElementTree.Element("style")
    style.text, style.tail = _sheet(uid, rules), "\n"
    root[:0] = [description, style]
    root.attrib = {
        "xmlns": _SPACE,
        "id": uid,
        "class": "figure",
        "role": "img",
        "aria-label": label,
        "width": width,
        "height": height,
        "viewBox": root.attrib["viewBox"],
        "font-family": _FONTS,
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>").strip() + "\n"


def _without_namespaces(root: ElementTree.Element) -> None:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}


def _without_ballast(root: ElementTree.Element) -> None:
    """No empty paths, no style for all elements of a page, two decimals, and no white space between elements."""
    for parent in list(root.iter()):
        for child in list(parent):
            blank = child.get("style") == "fill: none" or (child.tag == "path" and not child.get("d", "").strip())
            if child.tag in ("style", "metadata") or (child.tag == "path" and blank and not child.get("id")):
                parent.remove(child)
            child.tail = "\n" if parent is root else ""
        if parent.tag not in ("text", "tspan"):
            parent.text = ""
        if parent.get("transform", "").startswith("rotate(-0 "):
            del parent.attrib["transform"]
        for name in ("d", "x", "y", "width", "height", "transform"):
            if name in parent.attrib:
                parent.set(name, _NUMBER.sub(_rounded, parent.attrib[name]))
        if "d" in parent.attrib:
            parent.set("d", re.sub(r"\s*([A-Za-z])\s*", r"\1", parent.attrib["d"]))
    for _ in range(3):  # groups that held nothing but empty groups
        for parent in list(root.iter()):
            for child in [each for each in parent if each.tag in ("g", "defs") and not len(each)]:
                parent.remove(child)


def _rounded(match: re.Match[str]) -> str:
    # adding 0.0 turns the negative zero of rounding into zero
    return f"{round(float(match.group()), 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _classes(root: ElementTree.Element) -> list[str]:
    """Moves styles into classes, and onto the group where all of its parts look alike; the rules in order."""
    for group in root.iter("g"):
        styles = {child.get("style") for child in group}
        if len(group) > 1 and len(styles) == 1 and None not in styles and not group.get("style"):
            group.set("style", str(styles.pop()))
            for child in group:
                del child.attrib["style"]
    rules: dict[str, int] = {}
    for element in root.iter():
        style = element.attrib.pop("style", None)
        if style:
            kept = "; ".join(part for part in style.split("; ") if not part.startswith("font-family"))
            element.set("class", f"s{rules.setdefault(kept, len(rules))}")
    return list(rules)


def _identifiers(root: ElementTree.Element, uid: str) -> None:
    """Identifiers that something refers to get the prefix; the others go."""
    used: dict[str, str] = {}
    for element in root.iter():
        for name in ("href", "clip-path"):
            found = re.search(r"#([^)]+)", element.get(name, ""))
            if found:
                new = used.setdefault(found[1], f"{uid}-{len(used)}")
                element.set(name, element.attrib[name].replace(found[1], new))
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in used:
            element.set("id", used[old])


def _sheet(uid: str, rules: list[str]) -> str:
    light, dark = palette("red-blue").light, palette("red-blue").dark
    names = {INK: "ink", SOFT: "soft", RULE: "rule", PAPER: "paper"}
    shades = {hue: (name, getattr(light, name), getattr(dark, name)) for hue, name in names.items()}
    shades |= {hue: (f"line{n}", *LINE_COLOURS[n]) for n, hue in enumerate(SERIES)}
    used = {hue: shade for hue, shade in shades.items() if any(hue in rule for rule in rules)}
    lines = [
        f"#{uid}{{" + ";".join(f"--{name}:{value}" for name, value, _ in used.values()) + "}",
        f"@media(prefers-color-scheme:dark){{#{uid}{{"
        + ";".join(f"--{name}:{value}" for name, _, value in used.values())
        + "}}",
    ]
    for position, rule in enumerate(rules):
        parts = []
        for part in rule.split("; "):
            prop, _, value = part.partition(": ")
            if value in used:  # a program that knows no custom properties reads the first and skips the second
                name, plain, _ = used[value]
                parts += [f"{prop}:{plain}", f"{prop}:var(--{name})"]
            else:
                parts.append(f"{prop}:{value}")
        lines.append(f"#{uid} .s{position}{{{';'.join(parts)}}}")
    return "\n".join(lines)
