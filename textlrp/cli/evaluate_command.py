"""The command ``textlrp evaluate``.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlrp.cli.inputs import file_options, say, texts_of
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
    Model,
    NoHeader,
    Seed,
)
from textlrp.evaluation.running.measures import MEASURES


def cli_evaluate(
    model: Model,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the page, the results and the stages go.")
    ],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="CORPUS",
            help="Texts with a class each; see INPUT of textlrp explain. Not needed with --rationales alone.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A method to measure; may be repeated, and the first is what the others are held against. Else LRP "
            "and the quick methods.",
        ),
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A rule of LRP to measure too; may be repeated.")
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"{', '.join([*MEASURES][:-1])} or {[*MEASURES][-1]}; may be repeated. Else all.",
        ),
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="Measure LIME and SHAP too, on a sample.")] = False,
    sample: Annotated[int, typer.Option(min=2, help="Documents of that sample.")] = 100,
    min_words: Annotated[int, typer.Option(min=1, help="Words a document needs for words to be deleted.")] = 100,
    steps: Annotated[int, typer.Option(min=1, help="Words to delete.")] = 50,
    rationales: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What people marked: a .jsonl file of text, label and spans ([start, end] in characters) or words. "
            "CORPUS may be left out; where there is one, it serves the baseline tf × log ratio.",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Another model, of another seed say, to compare explanations with."),
    ] = None,
    limit: Limit = None,
    column: Column = None,
    label: LabelOption = None,
    id: Id = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    columns: ColumnNames = None,
    max_row_length: MaxRowLength = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Measure how good a model's explanations are, and write a page about it.

    FOLDER gets index.html, results.json, and the stages that are done: stopped half-way, the same command goes on
    from there.

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
        slow=slow,
        other_models={name: load_folder(name) for name in against or ()},
        n_slow_documents=sample,
        min_words=min_words,
        steps=steps,
        rationales=rationales,
        seed=seed,
    )
    documents = None
    if source is not None:
        files = file_options(column, label, id, encoding, delimiter, no_header, columns, max_row_length)
        documents = texts_of(source, None, files, limit=limit)
    name = source or str(rationales)
    evaluate(classifier, documents, output, plan=plan, model_name=model, corpus_name=name, log=say, force=force)
    say(f"wrote {output / 'index.html'}")
