"""The commands that show which words made a class: explain and report.

What they call brings torch, so it is imported only when a command runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from textlrp.cli.in_bulk import to_folder
from textlrp.cli.inputs import (
    Texts,
    check_input,
    documents_of,
    layout_asked,
    load_model,
    names_in,
    say,
    say_written,
)
from textlrp.cli.options import (
    Address,
    Column,
    ColumnNames,
    Delimiter,
    Device,
    Encoding,
    Engine,
    Force,
    Id,
    Input,
    Label,
    Limit,
    Literally,
    MaxRowLength,
    Method,
    Methods,
    Model,
    NoHeader,
    Precision,
    Rule,
    Rules,
    Start,
    Target,
    TrustPickle,
    Workers,
)
from textlrp.cli.program import app
from textlrp.cli.screen import light_terminal, lines_asked
from textlrp.cli.side_by_side import check_alone, check_one_way, comparison, gallery
from textlrp.processes import cores
from textlrp.reports.palette import palette_names
from textlrp.reports.terminal import print_explanation


@app.command()
def explain(
    model: Model,
    source: Input = None,
    text: Literally = None,
    target: Target = None,
    versus: Annotated[str | None, typer.Option(metavar="CLASS", help="Why the target and not this class.")] = None,
    rule: Rule = None,
    rules: Rules = None,
    start: Start = None,
    method: Methods = None,
    phrases: Annotated[
        int,
        typer.Option(min=0, help="Winning windows to list, of a CNN with max pooling: the phrases its filters saw."),
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            help="A .html, .jsonl or .parquet file, not the terminal; or a folder, for a large corpus.",
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Words on each side in the terminal: 10, or 4 with several targets. In a folder: words kept of each "
            "text and target, those with the largest relevance; else all.",
        ),
    ] = None,
    device: Device = "cpu",
    precision: Precision = "float16",
    workers: Workers = None,
    engine: Engine = "local",
    address: Address = None,
    lines: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="Lines of each text to show in the terminal, 0 for none: 40 unless given, or all where the output "
            "goes elsewhere.",
        ),
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=20, help="Columns to write in; else those of the terminal, or $COLUMNS.")
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
    force: Force = False,
    trust_pickle: TrustPickle = False,
) -> None:
    """Show which words speak for a class and which against it.

    [bold]Examples[/bold]

    textlrp explain 20newsgroups-cnn --text "My doctor says the vaccine is safe."

    textlrp explain 20newsgroups-cnn - --target sci.med --versus sci.space < post.txt

    textlrp explain reviews-model new.csv --target all -o why.html

    textlrp explain 20newsgroups-cnn --text "The orbit was low." --rule epsilon-gamma --phrases 5

    textlrp explain 20newsgroups-cnn sample --rules zero,epsilon,gamma,alpha1beta0 --method cam -o gallery.html

    textlrp explain reviews-model million.parquet --target all --top-k 20 -o explained/
    """
    check_input(source, text)
    layout = layout_asked(delimiter, no_header, columns, max_row_length)
    methods = names_in(method or ())
    if output is not None and not output.suffix:
        check_one_way(phrases=phrases, rules=rules, methods=methods[1:], **{"trust-pickle": trust_pickle})
        read = {"text": column, "label": label, "id": id, "encoding": encoding} | layout
        by = {"workers": workers, "engine": engine, "address": address}
        asked = {
            "targets": target or (),
            "versus": versus,
            "rule": rule,
            "start": start,
            "method": methods[0] if methods else "lrp",
        }
        to_folder(
            model,
            source,
            output,
            by=by,
            reading=read,
            limit=limit,
            top_k=top_k,
            precision=precision,
            force=force,
            **asked,
        )
        return

    def documents(limit: int | None) -> Texts:
        return documents_of(
            source, text, column=column, label=label, id=id, encoding=encoding, layout=layout, limit=limit
        )

    if rules is not None or len(methods) > 1:
        check_alone(rule=rule, phrases=phrases)
        gallery(
            model,
            source,
            documents,
            output,
            force=force,
            rules=names_in([rules or ""]),
            methods=methods,
            target=target or (),
            versus=versus,
            start=start,
            limit=limit,
            trust_pickle=trust_pickle,
        )
        return
    from textlrp import corpus

    console = Console(width=width)
    most = lines_asked(lines, console)
    inputs = corpus.inputs_of(source, models=[model])
    if output is not None:
        corpus.check_output(output, corpus.EXPLANATION_FILES, inputs=inputs, force=force)
    classifier, texts = load_model(model, trust_pickle=trust_pickle), documents(limit)
    whys = corpus.explain_corpus(
        classifier,
        texts,
        targets=target or (),
        versus=versus,
        rule=rule,
        start=start,
        method=methods[0] if methods else "" if method else "lrp",
        phrases=phrases,
        device=device,
    )
    if output is not None:
        say_written(corpus.write_explanations(whys, output, force=force), texts)
        return
    total = len(texts)
    for number, why in enumerate(whys, start=1):
        if total > 1:
            say(f"text {number:,} of {total:,}")
        print_explanation(why, console, top_k=top_k, lines=most, light=light_terminal(os.environ))
    if texts.left_out:
        say(f"shown: {texts.left_out}")


PAGE_TEXTS = 100
"""Texts on one page of a report, unless --limit says otherwise."""


@app.command()
def report(
    model: Model,
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="A file, a folder, -, 20newsgroups or sample; see textlrp explain."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE|FOLDER",
            help="An .html page, good for some hundred texts, or a folder with a page for each of any number.",
        ),
    ],
    target: Target = None,
    rule: Rule = None,
    start: Start = None,
    method: Method = "lrp",
    palette: Annotated[
        str, typer.Option(metavar="NAME", help=f"Colours of the words: {' or '.join(palette_names())}.")
    ] = "red-blue",
    evaluation: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What 'textlrp evaluate' wrote: its deletion curves are shown too."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Another model to compare with, on a page with both sides of each text."),
    ] = None,
    against_rule: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another rule to compare with; or of the other model, its rule."),
    ] = None,
    against_method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another method to compare with; or of the other model, its method."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="The most texts to take, evenly spaced: 100 on a page, all in a folder."),
    ] = None,
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
    """Write a report of texts: what is taken for what, the words of each class, a map, and each text with its words.

    Each text is explained for the class the model chose, and beside it for its own class or the next one in score;
    --target all lets you switch over all of them.

    With --against, --against-rule or --against-method it is a page about two sides: how far they agree, the words
    they disagree on most, and each text marked by both.

    [bold]Examples[/bold]

    textlrp report 20newsgroups-cnn sample -o report.html

    textlrp report reviews-model new.csv --column review --label stars -o report-folder

    textlrp report 20newsgroups-cnn sample --against 20newsgroups-boe -o compare.html

    textlrp report 20newsgroups-cnn sample --against-rule gamma -o compare.html
    """

    layout = layout_asked(delimiter, no_header, columns, max_row_length)

    def documents(limit: int | None) -> Texts:
        return documents_of(
            source, None, column=column, label=label, id=id, encoding=encoding, layout=layout, limit=limit
        )

    if against is not None or against_rule is not None or against_method is not None:
        comparison(
            model,
            source,
            documents,
            output,
            force=force,
            against=against,
            rule=rule,
            start=start,
            method=method,
            against_rule=against_rule,
            against_method=against_method,
            target=target or (),
            limit=limit or PAGE_TEXTS,
            palette=palette,
            evaluation=evaluation,
            trust_pickle=trust_pickle,
        )
        return
    from textlrp import corpus

    results = None if evaluation is None else evaluation / "results.json"
    inputs = corpus.inputs_of(source, models=[model], files=[results])
    page = corpus.check_report(output, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    texts = documents(limit or (PAGE_TEXTS if page else None))
    written = corpus.report_corpus(
        classifier,
        texts,
        output,
        targets=target or (),
        rule=rule,
        start=start,
        method=method,
        title=Path(source).name,
        palette=palette,
        evaluation=evaluation,
        workers=cores(),
        force=force,
    )
    say_written(written if page else written / "index.html", texts)
