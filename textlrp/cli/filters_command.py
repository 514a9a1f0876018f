"""The command ``textlrp filters``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from textlrp.cli.inputs import file_options, open_texts
from textlrp.cli.listings import print_listing
from textlrp.cli.shared_options import (
    ColumnNamesOption,
    ColumnOption,
    DelimiterOption,
    EncodingOption,
    IdOption,
    LabelOption,
    LimitOption,
    MaxRowLengthOption,
    NoHeaderOption,
    RefusedPickleOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
    TrainedModelArgument,
)


def cli_filters(
    model: TrainedModelArgument,
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="Texts in which to look for n-grams; see INPUT of textlrp explain."),
    ],
    top_k: Annotated[int, typer.Option(min=1, metavar="N", help="Number of n-grams per filter.")] = 5,
    max_filters: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Maximum number of filters to list, largest activation first."),
    ] = 20,
    limit: LimitOption = None,
    column: ColumnOption = None,
    label: LabelOption = None,
    id: IdOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    columns: ColumnNamesOption = None,
    max_row_length: MaxRowLengthOption = None,
    sheet: SheetOption = None,
    split: SplitOption = None,
    skip_bad: SkipBadOption = False,
    trust_pickle: RefusedPickleOption = False,
) -> None:
    """Show what each CNN filter detects: the n-grams that activate it most, and its class.

    The class of a filter is the one to which it has the largest output weight.

    [bold]Examples[/bold]

    textlrp filters 20newsgroups-cnn sample --max-filters 10
    """
    from textlrp.models.given_files import inputs_of
    from textlrp.models.model_folder import check_trained

    inputs_of(source, models=[model])  # refuse a pipe or a device before the model is loaded
    check_trained(model, "cnn", purpose="filters")

    from textlrp.cli.filter_table import most_active_filters
    from textlrp.models.loading import load_folder

    classifier = load_folder(model)
    files = file_options(
        column, label, id, encoding, delimiter, no_header, columns, max_row_length,
        sheet=sheet, split=split, skip_bad=skip_bad,
    )  # fmt: skip
    documents = open_texts(source, None, files, limit=limit)
    print_listing(most_active_filters(classifier, documents, top=top_k, max_filters=max_filters), Console())
    documents.list_rejected()
