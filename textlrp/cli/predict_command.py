"""The command ``textlrp predict``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer

from textlrp.cli.inputs import check_input, count_outcomes, file_options, load_model, open_texts, print_line
from textlrp.cli.shared_options import (
    OUTPUT,
    ColumnNamesOption,
    ColumnOption,
    DelimiterOption,
    EncodingOption,
    ForceOption,
    IdOption,
    InputArgument,
    KeepFormulasOption,
    LabelOption,
    LabelSeparatorOption,
    MaxRowLengthOption,
    ModelArgument,
    NoHeaderOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
    TextOption,
    TrustPickleOption,
)
from textlrp.reports.numbers import percentage


def cli_predict(
    model: ModelArgument,
    source: InputArgument = None,
    text: TextOption = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .jsonl or .csv file, or '-' to print tab-separated lines.",
            rich_help_panel=OUTPUT,
        ),
    ] = "-",
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
    """Predict the class of each text.

    Writes one line per text: id, predicted class, its score before the softmax, and its probability if the model
    computes one. If the texts are labeled, the accuracy is printed last.

    A multi-label model gives all predicted labels of each text, and micro F1, macro F1 and subset accuracy.

    [bold]Examples[/bold]

    textlrp predict 20newsgroups-cnn --text "The shuttle reached its orbit."

    textlrp predict reviews-model new.csv --column review -o predicted.csv
    """
    check_input(source, text)
    files = file_options(
        column, label, id, encoding, delimiter, no_header, columns, max_row_length, label_separator,
        sheet=sheet, split=split, skip_bad=skip_bad,
    )  # fmt: skip
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    inputs = inputs_of(source, models=[model])

    from textlrp.cli.label_set_predictions import measures_line, predict_label_sets
    from textlrp.cli.predictions import PREDICTION_FILES, AnyPrediction, predict, stream_table, write_predictions
    from textlrp.label_measures import LabelCounts
    from textlrp.models.classifier import thresholds_of

    if output != "-":
        check_output(output, PREDICTION_FILES, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    documents = open_texts(source, text, files, output=output, force=force)
    outcomes: Counter[bool | None] = Counter()
    counts = LabelCounts(len(classifier.classes_))
    predictions: Iterable[AnyPrediction]
    if thresholds_of(classifier) is None:
        predictions = count_outcomes(predict(classifier, documents), outcomes)
    else:
        predictions = predict_label_sets(classifier, documents, counts, separator=label_separator)
    if output == "-":
        stream_table(predictions, sys.stdout, delimiter="\t", keep_formulas=keep_formulas)
    else:
        print_line(f"wrote {write_predictions(predictions, output, keep_formulas=keep_formulas, force=force)}")
    documents.list_rejected()
    if labeled := outcomes[True] + outcomes[False]:
        share = percentage(outcomes[True] / labeled)
        print(f"accuracy: {share} ({outcomes[True]:,} of {labeled:,} labeled texts)", file=sys.stderr)
    if counts.documents:
        print(measures_line(counts), file=sys.stderr)
