"""The colors of a page, for light and dark screens, as frozen values.

``speaks_for`` and ``speaks_against`` are the colors at full strength; a word shows them mixed with
the paper in proportion to its relevance. Ink on either of them, at any strength, keeps a contrast of
at least 4.5 (WCAG 2.2 AA), and so does the soft ink of ignored text on paper.
"""

from __future__ import annotations

from dataclasses import dataclass

from textlrp.errors import OptionError


@dataclass(frozen=True, slots=True)
class Shades:
    """One screen's colors as ``#rrggbb``; the ``…_line`` colors underline strong words and fill bars."""

    speaks_for: str
    speaks_against: str
    for_line: str
    against_line: str
    paper: str
    panel: str
    ink: str
    soft: str
    rule: str
    bar: str


@dataclass(frozen=True, slots=True)
class Palette:
    """A name, the colors' names for sentences (for, against), and the shades of light and dark screens."""

    name: str
    words: tuple[str, str]
    light: Shades
    dark: Shades


def _palette(name: str, light: tuple[str, str, str, str], dark: tuple[str, str, str, str]) -> Palette:
    speaks_for, _, against = name.partition("-")
    return Palette(
        name,
        (speaks_for, against),
        Shades(
            *light, paper="#ffffff", panel="#f5f6f8", ink="#1a1d21", soft="#69707a", rule="#dfe3e8", bar="#a9b2bd"
        ),
        Shades(*dark, paper="#15181d", panel="#1e2229", ink="#e8eaed", soft="#979fab", rule="#313842", bar="#5d6774"),
    )


_PALETTES = (
    _palette(
        "red-blue",
        ("#f58574", "#7fb0f5", "#c93a28", "#2266c4"),
        ("#a53a2d", "#2a61ab", "#ff8a78", "#7db2ff"),
    ),
    _palette(
        "orange-purple",
        ("#f5a04a", "#b79af0", "#b85c00", "#6a3fc0"),
        ("#95560f", "#6547ac", "#ffb15c", "#bfa3ff"),
    ),
)


def mixed(color: str, paper: str, percent: int) -> str:
    """A color on paper at a strength of 0 to 100 percent, all as ``#rrggbb``."""
    parts = ((int(color[i : i + 2], 16), int(paper[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round((one * percent + other * (100 - percent)) / 100):02x}" for one, other in parts)


def palette_names() -> tuple[str, ...]:
    """The names that :func:`palette` knows, the default first."""
    return tuple(each.name for each in _PALETTES)


def palette(name: str) -> Palette:
    """The palette of this name, e.g. ``"red-blue"``; raises :class:`OptionError` for any other."""
    for each in _PALETTES:
        if each.name == name:
            return each
    raise OptionError(f"palette {name!r} is unknown; choose one of {', '.join(palette_names())}.")
