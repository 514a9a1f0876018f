"""The command ``textlrp demo``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlrp.cli.inputs import print_line
from textlrp.cli.shared_options import OUTPUT, ForceOption, SeedOption


def cli_demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE",
            help="The .html page to write. Its folder is created.",
            rich_help_panel=OUTPUT,
        ),
    ] = Path("demo/report.html"),
    seed: SeedOption = 0,
    force: ForceOption = False,
) -> None:
    """Train a classifier, explain some test posts, and write one page with the results.

    The data set is 20 Newsgroups: the archive 20news-bydate.tar.gz or its unpacked folder, if $TEXTLRP_20NEWS names
    it, else the data set that scikit-learn downloads. If it cannot be downloaded, the demo uses the sample posts that
    come with textlrp, and takes less than a minute.

    [bold]Examples[/bold]

    textlrp demo

    textlrp demo --seed 1 -o page.html
    """
    from textlrp.cli.demonstration import demo

    demo(output, seed=seed, log=print_line, force=force)
