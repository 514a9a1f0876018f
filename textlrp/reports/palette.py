"""Color palettes of the pages and the terminal, for light and dark screens.

``supports`` and ``opposes`` are the colors of full strength. A word's background is one of them, mixed with the paper
color in proportion to the word's relevance. Ink on any such mixture has a contrast of at least 4.5 (WCAG 2.2 AA), and
so has the soft ink of ignored text on paper.
"""

from __future__ import annotations

from dataclasses import dataclass

from textlrp.errors import OptionError, must_be


@dataclass(frozen=True, slots=True)
class Shades:
    """The colors of a light or a dark screen as ``#rrggbb``.

    The two ``…_line`` colors underline the most relevant words and fill bars.
    """

    supports: str
    opposes: str
    supports_line: str
    opposes_line: str
    paper: str
    panel: str
    ink: str
    soft: str
    rule: str
    bar: str


@dataclass(frozen=True, slots=True)
class Palette:
    """A named palette; ``words`` are the names of its two colors in sentences: (supports, opposes)."""

    name: str
    words: tuple[str, str]
    light: Shades
    dark: Shades


def _palette(name: str, light: tuple[str, str, str, str], dark: tuple[str, str, str, str]) -> Palette:
    supports, _, opposes = name.partition("-")
    return Palette(
        name,
        (supports, opposes),
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
    """Mix a color into the paper color at 0 to 100 percent; all colors are ``#rrggbb``."""
    parts = ((int(color[i : i + 2], 16), int(paper[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round((one * percent + other * (100 - percent)) / 100):02x}" for one, other in parts)


def palette_names() -> tuple[str, ...]:
    """Return the names of all palettes, the default first."""
    return tuple(each.name for each in _PALETTES)


def palette(name: str) -> Palette:
    """Return the palette with this name, e.g. ``"red-blue"``. Raises :class:`OptionError` if there is none."""
    for each in _PALETTES:
        if each.name == name:
            return each
    names = palette_names()
    raise OptionError(must_be("palette", f"one of {', '.join(names)}", name, f"Pass palette={names[0]!r}."))
