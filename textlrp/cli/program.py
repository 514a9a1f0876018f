"""The program that the commands belong to."""

from __future__ import annotations

from typing import Annotated

import typer

import textlrp

app = typer.Typer(
    name="textlrp",
    help="Which words made a text classifier choose a category? Train one, or take a bundled one, and see.",
    epilog="Begin with: textlrp demo. Each command has its own --help, with examples.",
    rich_markup_mode="rich",
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        print(f"textlrp {textlrp.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
