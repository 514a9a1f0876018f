"""The progress bar of what takes a while."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bar() -> Progress:
    """A bar on standard error, silent where that is no terminal or notebook; its tasks have a ``note`` to show."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"), console=console, disable=not (console.is_terminal or console.is_jupyter),
    )  # fmt: skip
