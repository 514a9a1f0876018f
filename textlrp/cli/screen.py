"""What the commands know of the terminal they write to."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from textlrp.errors import OptionError

LINES = 40
"""Lines of a text that a terminal shows unless more are asked for."""


def lines_asked(lines: str | None, console: Console) -> int | None:
    """The most lines of a text to show, None for all; raises :class:`OptionError` for what is no number."""
    if lines is None:
        return LINES if console.is_terminal else None
    if lines == "all":
        return None
    if lines.isdecimal():
        return int(lines)
    raise OptionError(f"--lines {lines!r} is no number of lines; give one, 0 for no text, or all.")


def light_terminal(environment: Mapping[str, str]) -> bool:
    """Whether the terminal says that its ground is light: the last part of ``$COLORFGBG`` is 7 or 15."""
    return environment.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
