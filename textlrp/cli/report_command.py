"""The command ``textlrp report``.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlrp.cli.inputs import (
    InputTexts,
    file_options,
    load_model,
    say_written,
    texts_of,
)
from textlrp.cli.shared_options import (
    Column,
    ColumnNames,
    Delimiter,
    Encoding,
    Force,
    Id,
    LabelOption,
    MaxRowLength,
    MethodOption,
    Model,
    NoHeader,
    RuleOption,
    StartOption,
    TargetOption,
    TrustPickle,
)
from textlrp.cli.side_by_side import comparison
from textlrp.machine import cores
from textlrp.reports.palette import palette_names

PAGE_TEXTS = 100
"""Texts on one page of a report, unless --limit says otherwise."""


def cli_report(
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
    target: TargetOption = None,
    rule: RuleOption = None,
    start: StartOption = None,
    method: MethodOption = "lrp",
    palette: Annotated[
        str, typer.Option(metavar="NAME", help=f"Colors of the words: {' or '.join(palette_names())}.")
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

    files = file_options(column, label, id, encoding, delimiter, no_header, columns, max_row_length)

    def documents(limit: int | None) -> InputTexts:
        return texts_of(source, None, files, limit=limit)

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
    from textlrp.models.given_files import inputs_of

    results = None if evaluation is None else evaluation / "results.json"
    inputs = inputs_of(source, models=[model], files=[results])

    from textlrp.cli.corpus_report import check_report, report_corpus

    page = check_report(output, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    texts = documents(limit or (PAGE_TEXTS if page else None))
    written = report_corpus(
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
