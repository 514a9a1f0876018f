"""The commands that look at a model through a whole corpus: rules, filters, words, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from textlrp.cli.inputs import documents_of, layout_asked, load_model, say
from textlrp.cli.options import (
    Column,
    ColumnNames,
    Delimiter,
    Encoding,
    Force,
    Id,
    Label,
    Limit,
    MaxRowLength,
    Method,
    Model,
    NoHeader,
    Rule,
    Seed,
    Start,
    TrustPickle,
)
from textlrp.cli.program import app
from textlrp.reports.terminal import print_listing


@app.command()
def rules() -> None:
    """List the rules of LRP, the composites under their names, and the methods to compare it with."""
    from textlrp.explainers.catalogue import catalogue

    for listing in catalogue():
        print_listing(listing, Console())


@app.command()
def filters(
    model: Model,
    source: Annotated[str, typer.Argument(metavar="INPUT", help="The texts to look through; see textlrp explain.")],
    top_k: Annotated[int, typer.Option(min=1, help="Phrases of each filter.")] = 5,
    most: Annotated[int, typer.Option(min=1, help="Filters to show, those with the largest activation.")] = 20,
    limit: Limit = None,
    column: Column = None,
    label: Label = None,
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
    from textlrp import corpus
    from textlrp.models.folder import check_trained

    corpus.inputs_of(source, models=[model])  # a pipe or a device is refused before the model is loaded
    check_trained(model, "cnn", purpose="filters")
    from textlrp.models.loading import load_folder  # late: it brings torch

    classifier = load_folder(model)
    layout = layout_asked(delimiter, no_header, columns, max_row_length)
    documents = documents_of(
        source, None, column=column, label=label, id=id, encoding=encoding, layout=layout, limit=limit
    )
    print_listing(corpus.strongest_filters(classifier, documents, top=top_k, most=most), Console())


@app.command()
def words(
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
    rule: Rule = None,
    start: Start = None,
    method: Method = "lrp",
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
    label: Label = None,
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
    from textlrp import corpus

    inputs = corpus.inputs_of(source, models=[model])
    if output is not None:
        corpus.check_output(output, corpus.WORD_FILES, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    layout = layout_asked(delimiter, no_header, columns, max_row_length)
    documents = documents_of(
        source, None, column=column, label=label, id=id, encoding=encoding, layout=layout, limit=limit
    )
    found = corpus.words_of_classes(
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
        say(f"wrote {corpus.write_words(found, output, force=force)}")
        return
    for listing in corpus.word_listings(found):
        print_listing(listing, Console())


@app.command()
def evaluate(
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
            help="deletion, eraser, vectors, pointing, rationales, words, sanity, stability or ledger; may be "
            "repeated. Else all.",
        ),
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="Measure LIME and SHAP too, on a sample.")] = False,
    sample: Annotated[int, typer.Option(min=2, help="Documents of that sample.")] = 100,
    at_least: Annotated[int, typer.Option(min=1, help="Words a document needs for words to be deleted.")] = 100,
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
    label: Label = None,
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

    textlrp evaluate 20newsgroups-cnn sample -o out --at-least 20

    textlrp evaluate reviews-model reviews.csv --label stars -o out --measure deletion --rule gamma

    textlrp evaluate reviews-model --rationales marked.jsonl -o out
    """
    from textlrp import corpus
    from textlrp.models.folder import check_trained

    check_trained(model)
    inputs = corpus.inputs_of(source, models=[model, *(against or ())], files=[rationales])
    corpus.check_evaluation(output, inputs=inputs, force=force)
    from textlrp.models.loading import load_folder  # late: it brings torch

    classifier = load_folder(model)
    plan = corpus.planned(
        classifier,
        methods=method or (),
        rules=rule or (),
        measures=measure or (),
        slow=slow,
        others={name: load_folder(name) for name in against or ()},
        sample=sample,
        at_least=at_least,
        steps=steps,
        rationales=rationales,
        seed=seed,
    )
    documents = None
    if source is not None:
        layout = layout_asked(delimiter, no_header, columns, max_row_length)
        documents = documents_of(
            source, None, column=column, label=label, id=id, encoding=encoding, layout=layout, limit=limit
        )
    name = source or str(rationales)
    corpus.evaluate(
        classifier, documents, output, plan=plan, model_name=model, corpus_name=name, say=say, force=force
    )
    say(f"wrote {output / 'index.html'}")
