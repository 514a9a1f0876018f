"""The command ``textlrp rules``.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

from rich.console import Console

from textlrp.cli.terminal import print_listing


def cli_rules() -> None:
    """List the rules of LRP, the composites under their names, and the methods to compare it with."""
    from textlrp.explainers.catalog import catalog

    for listing in catalog():
        print_listing(listing, Console())
