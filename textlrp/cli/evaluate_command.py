"""The command ``textlrp evaluate``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlrp.cli.inputs import file_options, open_texts, print_line
from textlrp.cli.shared_options import (
    OUTPUT,
    ColumnNamesOption,
    ColumnOption,
    DelimiterOption,
    EncodingOption,
    ForceOption,
    IdOption,
    LabelOption,
    LabelSeparatorOption,
    LimitOption,
    MaxRowLengthOption,
    NoHeaderOption,
    NoTextsOption,
    RefusedPickleOption,
    SeedOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
    TrainedModelArgument,
)
from textlrp.evaluation.running.measures import MEASURES, ON_REQUEST


def cli_evaluate(
    model: TrainedModelArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder for the page (index.html), the results (results.json) and finished stages.",
            rich_help_panel=OUTPUT,
        ),
    ],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="CORPUS",
            help="Labeled texts; see INPUT of textlrp explain. Optional with --rationales.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Attribution method to measure. Can be repeated; all are compared with the first one. Default: lrp "
            "and the fast methods.",
        ),
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Rule of LRP to measure in addition. Can be repeated.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"Measure to take: {', '.join([*MEASURES][:-1])} or {[*MEASURES][-1]}. Can be repeated. "
            f"Default: all but {', '.join(ON_REQUEST)}.",
        ),
    ] = None,
    slow: Annotated[
        bool, typer.Option("--slow", metavar="", help="Measure LIME and SHAP too, on --sample documents.")
    ] = False,
    sample: Annotated[
        int, typer.Option(min=2, metavar="N", help="Number of documents on which --slow methods are measured.")
    ] = 100,
    min_words: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Shortest document used for word deletion, in words the model reads."),
    ] = 100,
    steps: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of words to delete from each document, one by one.")
    ] = 50,
    beam_width: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Sets of words that the search for the limits of normalized AOPC keeps."
        ),
    ] = 5,
    beam_words: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Longest document for that search, in known words. Default: any for a CNN with max pooling, 50 for "
            "models that need a forward pass for each candidate.",
        ),
    ] = None,
    rationales: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Words marked by people: a .jsonl file with text, label, and spans (pairs of start and end) or "
            "words. If CORPUS is given too, it is used for the baseline tf × log ratio.",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Another model, such as one trained with another --seed, whose explanations are compared. Can be "
            "repeated.",
        ),
    ] = None,
    planted: Annotated[
        bool,
        typer.Option(
            "--planted",
            metavar="",
            help="Train models on three quarters of CORPUS with planted shortcuts, and measure which methods find "
            "them. Trains 3 models for each seed.",
        ),
    ] = False,
    roar: Annotated[
        bool,
        typer.Option(
            "--roar",
            metavar="",
            help="Train models on three quarters of CORPUS with more and more relevant words masked (recursive "
            "ROAR). Trains 2 models and 9 for each method, for each seed.",
        ),
    ] = False,
    repeats: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of seeds with which --planted and --roar train models.")
    ] = 3,
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
    seed: SeedOption = 0,
    no_texts: NoTextsOption = False,
    force: ForceOption = False,
    trust_pickle: RefusedPickleOption = False,
) -> None:
    """Measure how good the explanations of a model are, and write a page with the results.

    The measures compare attribution methods by word deletion, by hybrid documents (pointing game), by agreement with
    marks of people, by sanity checks, and by stability across models.

    If the command is stopped, run it again: it continues after the last finished stage.

    [bold]Examples[/bold]

    textlrp evaluate 20newsgroups-cnn sample -o out --min-words 20

    textlrp evaluate reviews-model reviews.csv --label stars -o out --measure deletion --rule gamma

    textlrp evaluate reviews-model --rationales marked.jsonl -o out
    """
    from textlrp.models.given_files import inputs_of
    from textlrp.models.model_folder import check_trained

    check_trained(model)
    inputs = inputs_of(source, models=[model, *(against or ())], files=[rationales])

    from textlrp.evaluation.running.evaluate_corpus import check_evaluation, evaluate
    from textlrp.evaluation.running.plan import make_plan
    from textlrp.models.loading import load_folder

    check_evaluation(output, inputs=inputs, force=force)

    classifier = load_folder(model)
    plan = make_plan(
        classifier,
        methods=method or (),
        rules=rule or (),
        measures=measure or (),
        retraining=[name for name, chosen in (("planted", planted), ("roar", roar)) if chosen],
        repeats=repeats,
        slow=slow,
        other_models={name: load_folder(name) for name in against or ()},
        n_slow_documents=sample,
        min_words=min_words,
        steps=steps,
        beam_width=beam_width,
        max_search_words=beam_words,
        rationales=rationales,
        seed=seed,
        texts=not no_texts,
    )
    documents = None
    if source is not None:
        files = file_options(
            column, label, id, encoding, delimiter, no_header, columns, max_row_length, label_separator,
            sheet=sheet, split=split, skip_bad=skip_bad, needs_label=True,
        )  # fmt: skip
        documents = open_texts(source, None, files, limit=limit, output=output, force=force)
    name = source or str(rationales)
    evaluate(
        classifier, documents, output, plan=plan, model_name=model, corpus_name=name, log=print_line, force=force
    )
    print_line(f"wrote {output / 'index.html'}")
    if documents is not None:
        documents.list_rejected()
