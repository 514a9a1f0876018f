"""The contrast ratio of two colors (WCAG 2.2)."""

from __future__ import annotations

from collections.abc import Sequence


def rgb(color: str) -> list[int]:
    """Return red, green and blue of ``#rrggbb``."""
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def _luminance(rgb: Sequence[float]) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the contrast ratio of two colors, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)
