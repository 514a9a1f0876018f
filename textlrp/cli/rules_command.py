"""The command ``textlrp rules``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from rich.console import Console

from textlrp.cli.listings import print_listing


def cli_rules() -> None:
    """List the LRP rules, the named composites, and the other attribution methods.

    Use their names with --rule, --rules and --method of the other commands.

    [bold]Examples[/bold]

    textlrp rules
    """
    from textlrp.explainers.catalog import catalog

    for listing in catalog():
        print_listing(listing, Console())
