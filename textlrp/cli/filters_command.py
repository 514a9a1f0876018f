"""The command ``textlrp filters``.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from textlrp.cli.inputs import layout_asked, texts_of
from textlrp.cli.shared_options import (
    Column,
    ColumnNames,
    Delimiter,
    Encoding,
    Id,
    LabelOption,
    Limit,
    MaxRowLength,
    Model,
    NoHeader,
)
from textlrp.cli.terminal import print_listing


def cli_filters(
    model: Model,
    source: Annotated[str, typer.Argument(metavar="INPUT", help="The texts to look through; see textlrp explain.")],
    top_k: Annotated[int, typer.Option(min=1, help="Phrases of each filter.")] = 5,
    most: Annotated[int, typer.Option(min=1, help="Filters to show, those with the largest activation.")] = 20,
    limit: Limit = None,
    column: Column = None,
    label: LabelOption = None,
    id: Id = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    columns: ColumnNames = None,
    max_row_length: MaxRowLength = None,
) -> None:
    """Show what each filter of a CNN is after: the phrases that excite it most, and the class it speaks for.

    [bold]Examples[/bold]

    textlrp filters 20newsgroups-cnn sample --most 10
    """
    from textlrp.models.given_files import inputs_of
    from textlrp.models.model_folder import check_trained

    inputs_of(source, models=[model])  # a pipe or a device is refused before the model is loaded
    check_trained(model, "cnn", purpose="filters")

    from textlrp.cli.filter_table import strongest_filters
    from textlrp.models.loading import load_folder

    classifier = load_folder(model)
    layout = layout_asked(delimiter, no_header, columns, max_row_length)
    documents = texts_of(
        source, None, column=column, label=label, id=id, encoding=encoding, layout=layout, limit=limit
    )
    print_listing(strongest_filters(classifier, documents, top=top_k, most=most), Console())
