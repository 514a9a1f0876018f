"""Options of the estimators, checked: each refusal names the option, what came and what is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np

from textlrp.errors import OptionError


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether this is a whole number, Python's or numpy's."""
    return isinstance(value, (int, np.integer))


def is_number(value: Any) -> TypeGuard[float]:
    """Whether this is a real number, Python's or numpy's."""
    return isinstance(value, (int, float, np.integer, np.floating))


def check_whole(name: str, value: Any, *, none: str | None = None) -> None:
    """Raise :class:`OptionError` unless this is a whole number >= 1, or None where ``none`` says what that means."""
    if (none and value is None) or (is_whole(value) and value >= 1):
        return
    otherwise = f", or None for {none}," if none else ""
    raise OptionError(f"{name}={value!r} came; a whole number >= 1{otherwise} is wanted.")


def check_flag(name: str, value: Any) -> None:
    """Raise :class:`OptionError` unless this is True or False, Python's or numpy's."""
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{name} must be True or False; got {value!r}.")


def check_share(name: str, value: Any) -> None:
    """Raise :class:`OptionError` unless 0 <= ``value`` < 1."""
    if not (is_number(value) and 0 <= value < 1):
        raise OptionError(f"{name}={value!r} came; a number from 0 up to (not including) 1 is wanted.")


def check_positive(name: str, value: Any, *, zero: bool = False) -> None:
    """Raise :class:`OptionError` unless ``value`` is finite and above 0 (or 0, where ``zero``)."""
    if not (is_number(value) and math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise OptionError(f"{name}={value!r} came; a finite number {'>= 0' if zero else 'above 0'} is wanted.")


def plain_option(value: Any) -> Any:
    """An option as JSON can hold it: a tuple as a list, a number of numpy as a plain one, a function by its name.

    A map becomes a list of pairs, for its keys need not be strings.
    """
    if isinstance(value, dict):
        return {"pairs": [[plain_option(key), plain_option(entry)] for key, entry in value.items()]}
    if hasattr(value, "tolist"):  # an array or a number of numpy
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [plain_option(entry) for entry in value]
    if callable(value):
        return {"callable": callable_name(value)}
    return value


def callable_name(function: Callable[..., Any]) -> str:
    """``module:name`` of a function, or of the class of an object that can be called."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
