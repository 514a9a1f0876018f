"""The command ``textlrp words``.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from textlrp.cli.inputs import layout_asked, load_model, say, texts_of
from textlrp.cli.shared_options import (
    Column,
    ColumnNames,
    Delimiter,
    Encoding,
    Force,
    Id,
    LabelOption,
    Limit,
    MaxRowLength,
    MethodOption,
    Model,
    NoHeader,
    RuleOption,
    StartOption,
    TrustPickle,
)
from textlrp.cli.terminal import print_listing


def cli_words(
    model: Model,
    source: Annotated[
        str, typer.Argument(metavar="CORPUS", help="The texts to look through; see INPUT of textlrp explain.")
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="A class whose words to show, or all: every text counts for it; may be repeated. Else each text "
            "counts for its predicted class.",
        ),
    ] = None,
    rule: RuleOption = None,
    start: StartOption = None,
    method: MethodOption = "lrp",
    phrases: Annotated[
        int,
        typer.Option(min=0, help="Winning windows of each text to count as phrases, of a CNN with max pooling."),
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A .jsonl or .csv file, not the terminal."),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Words of each class.")] = 20,
    limit: Limit = None,
    column: Column = None,
    label: LabelOption = None,
    id: Id = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    columns: ColumnNames = None,
    max_row_length: MaxRowLength = None,
    force: Force = False,
    trust_pickle: TrustPickle = False,
) -> None:
    """Show the words with the most relevance for each class, summed over a corpus.

    [bold]Examples[/bold]

    textlrp words 20newsgroups-cnn sample --top-k 10

    textlrp words reviews-model new.csv --column review --target good --phrases 20 -o words.csv
    """
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    inputs = inputs_of(source, models=[model])

    from textlrp.cli.word_tables import WORD_FILES, word_listings, words_of_classes, write_words

    if output is not None:
        check_output(output, WORD_FILES, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    layout = layout_asked(delimiter, no_header, columns, max_row_length)
    documents = texts_of(
        source, None, column=column, label=label, id=id, encoding=encoding, layout=layout, limit=limit
    )
    found = words_of_classes(
        classifier,
        documents,
        targets=target or (),
        rule=rule,
        start=start,
        method=method,
        phrases=phrases,
        top=top_k,
    )
    if output is not None:
        say(f"wrote {write_words(found, output, force=force)}")
        return
    for listing in word_listings(found):
        print_listing(listing, Console())
