"""The command ``textlrp predict``.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Annotated

import typer

from textlrp.cli.inputs import check_input, file_options, load_model, say, texts_of, with_outcomes
from textlrp.cli.shared_options import (
    Column,
    ColumnNames,
    Delimiter,
    Encoding,
    Force,
    Id,
    Input,
    LabelOption,
    Literally,
    MaxRowLength,
    Model,
    NoHeader,
    TrustPickle,
)
from textlrp.reports.numbers import percentage


def cli_predict(
    model: Model,
    source: Input = None,
    text: Literally = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="A .jsonl or .csv file, or - for the terminal.")
    ] = "-",
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
    """Name the class of each text: a line with id, predicted class, score, and probability where there is one.

    The score is the one before the softmax. Where the texts have classes of their own, the accuracy follows.

    [bold]Examples[/bold]

    textlrp predict 20newsgroups-cnn --text "The shuttle reached its orbit."

    textlrp predict reviews-model new.csv --column review -o predicted.csv
    """
    check_input(source, text)
    files = file_options(column, label, id, encoding, delimiter, no_header, columns, max_row_length)
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    inputs = inputs_of(source, models=[model])

    from textlrp.cli.predictions import PREDICTION_FILES, predict, stream_table, write_predictions

    if output != "-":
        check_output(output, PREDICTION_FILES, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    documents = texts_of(source, text, files)
    outcomes: Counter[bool | None] = Counter()
    predictions = with_outcomes(predict(classifier, documents), outcomes)
    if output == "-":
        stream_table(predictions, sys.stdout, delimiter="\t")
    else:
        say(f"wrote {write_predictions(predictions, output, force=force)}")
    if labeled := outcomes[True] + outcomes[False]:
        print(f"accuracy: {percentage(outcomes[True] / labeled)} of {labeled:,} labeled texts", file=sys.stderr)
