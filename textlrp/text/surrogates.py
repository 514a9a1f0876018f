"""Half surrogate pairs: Python strings may hold them, and no file in UTF-8, Arrow table or frame can."""

from __future__ import annotations

import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def has_surrogate(text: str) -> bool:
    """Whether a text holds half a surrogate pair."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def without_surrogates(text: str) -> str:
    """A text of the same length with U+FFFD for each half surrogate pair; the text itself where it has none."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def all_without_surrogates(value: Any) -> Any:
    """The same of all strings in lists, tuples and dictionaries; other values are given back as they are."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, (list, tuple)):
        return [all_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {name: all_without_surrogates(each) for name, each in value.items()}
    return value
