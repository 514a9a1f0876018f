"""The command ``textlrp card``: what is known about a saved model, as Markdown or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from textlrp.cli.inputs import print_line
from textlrp.cli.shared_options import OUTPUT, ForceOption, TrainedModelArgument
from textlrp.cli.terminal_text import harmless
from textlrp.files.kinds import first_line
from textlrp.files.written_file import FileKind, atomic_file, check_output, json_text

MARK = "<!-- textlrp: the card of a model -->"
"""The first line of a card in Markdown, which recognizes files that may be replaced."""


def _is_card(path: Path) -> bool:
    return first_line(path).rstrip("\r\n") == MARK


def _is_card_data(path: Path) -> bool:
    found = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(found, dict) and {"name", "kind", "card", "files", "options"} <= found.keys()


CARD_FILES = {
    ".md": FileKind("the card of a model", _is_card),
    ".json": FileKind("the card of a model", _is_card_data),
}


def cli_card(
    model: TrainedModelArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .md file, or a .json file with the same facts as data. Default: print Markdown.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Print the card of a model: data, intended use, limits, accuracy of each class, shortcuts, how to rebuild.

    A card has what config.json of the model's folder has, with sizes and checksums of its files. What was never
    recorded is printed as not recorded. Neither the weights nor torch are loaded.

    [bold]Examples[/bold]

    textlrp card 20newsgroups-cnn

    textlrp card reviews-model -o card.md
    """
    from textlrp.models.given_files import inputs_of
    from textlrp.models.model_facts import model_facts
    from textlrp.reports.model_card import card_markdown

    if output is None:
        for line in card_markdown(model_facts(model)).splitlines():
            print(harmless(line))
        return
    suffix = check_output(output, CARD_FILES, inputs=inputs_of(None, models=[model]), force=force)
    facts = model_facts(model)
    text = json_text(facts) if suffix == ".json" else f"{MARK}\n\n{card_markdown(facts)}"
    with atomic_file(output, CARD_FILES[suffix], force=force) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    print_line(f"wrote {output}")
