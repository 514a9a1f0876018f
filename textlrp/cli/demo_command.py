"""The command ``textlrp demo``.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlrp.cli.inputs import say
from textlrp.cli.shared_options import (
    Force,
    Seed,
)


def cli_demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PAGE", help="The .html page to write; its folder is made.")
    ] = Path("demo/report.html"),
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Train a classifier, explain some texts it has not seen, and write one page to look at.

    It takes 20 Newsgroups from $TEXTLRP_20NEWS (20news-bydate.tar.gz or its unpacked folder) or through
    scikit-learn; where it cannot be had, the sample posts that come with textlrp.
    """
    from textlrp.cli.demonstration import demo

    demo(output, seed=seed, log=say, force=force)
