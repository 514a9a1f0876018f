"""The command ``textlrp report``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlrp.cli.explanation_options import (
    MethodOption,
    RuleOption,
    StartOption,
    TargetOption,
)
from textlrp.cli.inputs import (
    InputTexts,
    file_options,
    load_model,
    open_texts,
    print_line,
    print_written,
)
from textlrp.cli.shared_options import (
    OUTPUT,
    PAGE_TEXTS,
    READING,
    ColumnNamesOption,
    ColumnOption,
    DelimiterOption,
    EncodingOption,
    ForceOption,
    IdOption,
    LabelOption,
    LabelSeparatorOption,
    MaxRowLengthOption,
    ModelArgument,
    NoHeaderOption,
    NoTextsOption,
    PaletteOption,
    ReportOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
    TrustPickleOption,
)
from textlrp.cli.side_by_side import comparison
from textlrp.machine import cores

COMPARISON = "Comparison"
"""The panel of ``--help`` with the options of a comparison."""


def cli_report(
    model: ModelArgument,
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A file, a folder, '-' for standard input, 20newsgroups or sample; see INPUT of textlrp explain.",
        ),
    ],
    output: ReportOption,
    target: TargetOption = None,
    rule: RuleOption = None,
    start: StartOption = None,
    method: MethodOption = "lrp",
    palette: PaletteOption = "red-blue",
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder written by 'textlrp evaluate'. The report then shows its deletion curves.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Another model to compare with. The page shows each text with the explanations of both.",
            rich_help_panel=COMPARISON,
        ),
    ] = None,
    against_rule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Another rule to compare with. With --against: the rule for the other model.",
            rich_help_panel=COMPARISON,
        ),
    ] = None,
    against_method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Another attribution method to compare with. With --against: the method for the other model.",
            rich_help_panel=COMPARISON,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Maximum number of texts. If the input has more, N evenly spaced texts are used. Default: 100 for a "
            "page, all for a folder.",
            rich_help_panel=READING,
        ),
    ] = None,
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
    no_texts: NoTextsOption = False,
    force: ForceOption = False,
    trust_pickle: TrustPickleOption = False,
) -> None:
    """Write an HTML report: confusion matrix, words of each class, map, and marked texts.

    Each text is explained for its predicted class, and for one more class: the true label if the prediction is
    incorrect, else the class with the second-highest score. With --target all, the page can switch between all
    classes.

    --against, --against-rule and --against-method write a comparison instead: how far two models, rules or methods
    agree, the words on which they differ most, and each text with the marks of both.

    [bold]Examples[/bold]

    textlrp report 20newsgroups-cnn sample -o report.html

    textlrp report reviews-model new.csv --column review --label stars -o report-folder

    textlrp report 20newsgroups-cnn sample --against 20newsgroups-boe -o compare.html

    textlrp report 20newsgroups-cnn sample --against-rule gamma -o compare.html
    """
    files = file_options(
        column, label, id, encoding, delimiter, no_header, columns, max_row_length, label_separator,
        sheet=sheet, split=split, skip_bad=skip_bad,
    )  # fmt: skip

    def documents(limit: int | None) -> InputTexts:
        return open_texts(source, None, files, limit=limit, output=output, force=force)

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
            texts=not no_texts,
        )
        return
    from textlrp.models.given_files import inputs_of

    results = None if evaluation is None else evaluation / "results.json"
    inputs = inputs_of(source, models=[model], files=[results])

    from textlrp.cli.corpus_report import report_corpus
    from textlrp.reports.corpus.report_files import check_report

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
        log=print_line,
        with_texts=not no_texts,
        force=force,
    )
    print_written(written if page else written / "index.html", texts)
    texts.list_rejected()
