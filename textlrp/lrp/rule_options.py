"""Checks of the options of rules. Open it before you write a rule with options."""

from __future__ import annotations

import math
from typing import Any

from textlrp.errors import RuleError, must_be


def is_finite_number(value: object) -> bool:
    """Whether a value is a finite number and not a Boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def check_size(rule: Any, name: str) -> None:
    """Raise :class:`RuleError` unless the field ``name`` is a finite number >= 0."""
    value = getattr(rule, name)
    if not (is_finite_number(value) and value >= 0):
        default = type(rule).__dataclass_fields__[name].default
        raise RuleError(
            must_be(name, "a finite number >= 0", value, f"Try {type(rule).__name__}({name}={default!r}).")
        )


def check_choice(rule: Any, name: str, choices: tuple[str, ...]) -> None:
    """Raise :class:`RuleError` unless the field ``name`` is one of ``choices``."""
    if getattr(rule, name) not in choices:
        what = " or ".join(map(repr, choices))
        raise RuleError(must_be(name, what, getattr(rule, name), f"Pass {name}={choices[0]!r}."))
