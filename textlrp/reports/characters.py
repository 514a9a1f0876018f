"""Characters that HTML and XML cannot carry, made visible."""

from __future__ import annotations

import re

# C0 and C1 controls but tab, line feed, form feed and carriage return; lone surrogates; noncharacters
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def showable(text: str) -> str:
    """Control characters as their symbols (␀), and what has none as U+FFFD."""
    return text if text.isprintable() else _UNSHOWABLE.sub(_symbol, text)


def _symbol(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
