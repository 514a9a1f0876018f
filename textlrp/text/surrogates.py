"""Find and replace lone surrogates: Python strings can contain them, but UTF-8 files and Arrow tables cannot.

A lone surrogate is half of a surrogate pair (U+D800 to U+DFFF). Open this module before text is stored.
"""

from __future__ import annotations

import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def has_surrogate(text: str) -> bool:
    """Whether a text contains a lone surrogate."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def without_surrogates(text: str) -> str:
    """Replace each lone surrogate by U+FFFD; the length stays the same."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def all_without_surrogates(value: Any) -> Any:
    """Apply :func:`without_surrogates` to all strings in lists, tuples and dictionaries; keep other values.

    Tuples become lists, as in JSON.
    """
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, (list, tuple)):
        return [all_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {name: all_without_surrogates(each) for name, each in value.items()}
    return value
