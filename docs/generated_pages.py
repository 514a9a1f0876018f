"""Pages of the reference that are written from the package: the commands, and the cards of the bundled models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from textlrp.cli import app
from textlrp.models.model_facts import model_facts
from textlrp.models.model_folder import bundled
from textlrp.reports.model_card import card_markdown

REFERENCE = Path(__file__).parent / "reference"
EXAMPLES = "[bold]Examples[/bold]"
QUOTED = re.compile(r"'(textlrp [^']+)'|(?<![\w-])(--?[a-z][a-z-]*)")
"""A command in quotes, or an option, in a help text."""


def prose(text: str) -> str:
    """Return a help text as Markdown: commands and options as code, other special characters escaped."""
    text = re.sub(r"x>=(\d+)", r"at least \1", re.sub(r"([\d.]+)<=x<=([\d.]+)", r"\1 to \2", text))
    plain = re.sub(r"([\\`*_<>$|\[\]])", r"\\\1", " ".join(text.split()))
    return QUOTED.sub(lambda match: f"`{match[1] or match[2]}`", plain)


def usage(command: Any, context: typer.Context) -> str:
    """Return the command line of a command, such as ``textlrp words [OPTIONS] MODEL CORPUS``."""
    return " ".join([context.command_path, *command.collect_usage_pieces(context)]).replace("{", "").replace("}", "")


def parameter_tables(command: Any, context: typer.Context) -> Iterator[str]:
    """Yield a table of the arguments, then one table for each panel of options."""
    panels: dict[str, list[str]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or parameter.name == "help":
            continue
        argument = parameter.param_type_name == "argument"
        names = parameter.metavar if argument else record[0]
        panel = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or "Options"
        panels.setdefault(panel, []).append(f"| `` {names.replace('|', chr(92) + '|')} `` | {prose(record[1])} |")
    for panel, rows in panels.items():
        if rows:
            yield "\n".join([f"**{panel}**", "", "| name | meaning |", "|---|---|", *rows])


def command_section(name: str, command: Any, parent: typer.Context) -> str:
    """Return the section of one command, with a heading, usage, examples and options."""
    context = typer.Context(command, info_name=name, parent=parent)
    text, _, examples = command.help.partition(EXAMPLES)
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    parts = [
        f"## textlrp {name}",
        *map(prose, text.strip().split("\n\n")),
        f"```text\n{usage(command, context)}\n```",
    ]
    if lines:
        parts.append("**Examples**\n\n```sh\n" + "\n".join(lines) + "\n```")
    return "\n\n".join([*parts, *parameter_tables(command, context)])


def commands_page() -> str:
    """Return the page of all commands as Markdown."""
    program: Any = get_command(app)
    context = typer.Context(program, info_name="textlrp")
    sections = [command_section(name, command, context) for name, command in program.commands.items()]
    rows = [
        f"| [`textlrp {name}`](#textlrp-{name}) | {prose(command.help.partition(chr(10))[0])} |"
        for name, command in program.commands.items()
    ]
    return "\n\n".join(
        [
            "# Options of each command",
            "This page is made from the commands themselves: it has the text of `textlrp COMMAND --help`. "
            "[The command line](command-line.md) explains what the commands have in common.",
            "\n".join(["| command | what it does |", "|---|---|", *rows]),
            *sections,
        ]
    )


def models_page() -> str:
    """Return the page with the cards of the bundled models as Markdown."""
    names = sorted(bundled(), key=lambda name: not name.endswith("-cnn"))  # the model of the examples comes first
    cards = [card_markdown(model_facts(name), level=2).rstrip() for name in names]
    return "\n\n".join(
        [
            "# Bundled models",
            'Two models come with textlrp: `textlrp.load("20newsgroups-cnn")` and '
            '`textlrp.load("20newsgroups-boe")`. This page has their cards, as `textlrp card NAME` prints them. '
            "The command also prints the card of a model that you trained; a field that was never recorded is shown "
            "as such. The fields are stored in `config.json`: see [Model folder](file-formats.md#model-folder).",
            *cards,
        ]
    )


def write_pages() -> None:
    """Write the generated pages; a page that has not changed keeps its time, and Sphinx does not read it again."""
    for name, text in {"commands.md": commands_page(), "models.md": models_page()}.items():
        path = REFERENCE / name
        if not path.exists() or path.read_text("utf-8") != f"{text}\n":
            path.write_text(f"{text}\n", encoding="utf-8")
