"""The command ``textlrp words``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from textlrp.cli.explanation_options import (
    EXPLANATION,
    MethodOption,
    PhrasesOption,
    RuleOption,
    StartOption,
)
from textlrp.cli.inputs import file_options, load_model, open_texts, print_line
from textlrp.cli.listings import print_listing
from textlrp.cli.shared_options import (
    OUTPUT,
    ColumnNamesOption,
    ColumnOption,
    DelimiterOption,
    EncodingOption,
    ForceOption,
    IdOption,
    KeepFormulasOption,
    LabelOption,
    LabelSeparatorOption,
    LimitOption,
    MaxRowLengthOption,
    ModelArgument,
    NoHeaderOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
    TrustPickleOption,
)


def cli_words(
    model: ModelArgument,
    source: Annotated[
        str, typer.Argument(metavar="CORPUS", help="Texts to explain and sum over; see INPUT of textlrp explain.")
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="Class whose words to list, or all; every text is explained for it. Can be repeated. Default: each "
            "text is explained for its predicted class.",
            rich_help_panel=EXPLANATION,
        ),
    ] = None,
    rule: RuleOption = None,
    start: StartOption = None,
    method: MethodOption = "lrp",
    phrases: PhrasesOption = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .jsonl or .csv file. Default: print tables.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of words per class.", rich_help_panel=OUTPUT)
    ] = 20,
    limit: LimitOption = None,
    column: ColumnOption = None,
    label: LabelOption = None,
    label_separator: LabelSeparatorOption = None,
    id: IdOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    columns: ColumnNamesOption = None,
    max_row_length: MaxRowLengthOption = None,
    sheet: SheetOption = None,
    split: SplitOption = None,
    skip_bad: SkipBadOption = False,
    keep_formulas: KeepFormulasOption = False,
    force: ForceOption = False,
    trust_pickle: TrustPickleOption = False,
) -> None:
    """List the most relevant words of each class, summed over a corpus.

    A word that is unrelated to the topic of its class, such as a name or a signature, indicates a shortcut of the
    model.

    [bold]Examples[/bold]

    textlrp words 20newsgroups-cnn sample --top-k 10

    textlrp words reviews-model new.csv --column review --target 5 -o words.csv
    """
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    inputs = inputs_of(source, models=[model])

    from textlrp.cli.word_tables import WORD_FILES, word_listings, words_of_classes, write_words

    if output is not None:
        check_output(output, WORD_FILES, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    files = file_options(
        column, label, id, encoding, delimiter, no_header, columns, max_row_length, label_separator,
        sheet=sheet, split=split, skip_bad=skip_bad,
    )  # fmt: skip
    documents = open_texts(source, None, files, limit=limit, output=output, force=force)
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
    documents.list_rejected()
    if output is not None:
        print_line(f"wrote {write_words(found, output, keep_formulas=keep_formulas, force=force)}")
        return
    for listing in word_listings(found):
        print_listing(listing, Console())
