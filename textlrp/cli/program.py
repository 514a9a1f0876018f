"""The Typer application to which ``textlrp.cli`` adds the commands, with the text of ``textlrp --help``."""

from __future__ import annotations

from typing import Annotated

import typer

import textlrp

app = typer.Typer(
    name="textlrp",
    help="Train text classifiers and show which words support each prediction, by layer-wise relevance propagation "
    "(LRP).",
    epilog="Start with: textlrp demo. For options and examples of a command: textlrp COMMAND --help.",
    rich_markup_mode="rich",
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", metavar="", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(f"textlrp {textlrp.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
