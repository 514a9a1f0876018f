"""Format numbers for pages and the terminal: relevances, scores, percentages."""

from __future__ import annotations

import math


def decimals(largest: float) -> int:
    """Return how many decimals, 2 to 12, show a number of this size with about three significant digits."""
    if largest == 0.0 or not math.isfinite(largest):
        return 2
    return min(max(2, 2 - math.floor(math.log10(largest))), 12)


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Format a number with fixed decimals and a true minus sign, never as ``-0.00``."""
    rounded = round(value, digits) + 0.0  # adding 0.0 turns the -0.0 that rounding can return into 0.0
    text = f"{value:+.2e}" if abs(value) >= 1e9 else f"{rounded:+.{digits}f}"
    if not signed or not 0 < abs(rounded) < math.inf:
        text = text.removeprefix("+")
    return text.replace("-", "−")


def percentage(share: float) -> str:
    """Format a share from 0 to 1: ``93.1%``. Shares close to the ends are ``< 0.1%`` and ``> 99.9%``."""
    if 0.0 < share < 0.001:
        return "< 0.1%"
    if 0.999 < share < 1.0:
        return "> 99.9%"
    return f"{100.0 * share:.1f}%"


def is_zero(text: str) -> bool:
    """Whether a number that :func:`number` formatted is shown as zero."""
    return not any(digit in text for digit in "123456789")
