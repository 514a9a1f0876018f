"""Numbers as pages and terminals show them."""

from __future__ import annotations

import math


def decimals(largest: float) -> int:
    """Decimals that leave about three figures of a number of this size, at least two."""
    if largest == 0.0 or not math.isfinite(largest):
        return 2
    return min(max(2, 2 - math.floor(math.log10(largest))), 12)


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """A number for people: fixed decimals, a true minus sign, no ``-0.00``."""
    rounded = round(value, digits) + 0.0  # which turns the negative zero of rounding into zero
    text = f"{value:+.2e}" if abs(value) >= 1e9 else f"{rounded:+.{digits}f}"
    if not signed or not 0 < abs(rounded) < math.inf:
        text = text.removeprefix("+")
    return text.replace("-", "−")


def percentage(probability: float) -> str:
    """A probability for people: ``93.1 %``; the ends read ``< 0.1 %`` and ``> 99.9 %``."""
    if 0.0 < probability < 0.001:
        return "< 0.1 %"
    if 0.999 < probability < 1.0:
        return "> 99.9 %"
    return f"{100.0 * probability:.1f} %"
