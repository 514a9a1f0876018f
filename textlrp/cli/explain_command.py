"""The command ``textlrp explain``: prints explanations, or writes them to a file or, for a large corpus, a folder.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.cli.explained_folder import OUTPUT_SUFFIXES, to_folder
from textlrp.cli.explanation_options import (
    AddressOption,
    DeviceOption,
    EngineOption,
    FormatOption,
    LinesOption,
    MethodsOption,
    PhrasesOption,
    PrecisionOption,
    RuleOption,
    RulesOption,
    StartOption,
    TargetOption,
    TopKOption,
    VersusOption,
    WidthOption,
    WorkersOption,
)
from textlrp.cli.export_options import export_options
from textlrp.cli.inputs import (
    InputTexts,
    check_input,
    file_options,
    load_model,
    open_texts,
    print_line,
    print_written,
    split_names,
)
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
    LimitOption,
    MaxRowLengthOption,
    ModelArgument,
    NoHeaderOption,
    NoTextsOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
    TextOption,
    TrustPickleOption,
)
from textlrp.cli.side_by_side import check_gallery, check_single, check_stored, gallery
from textlrp.cli.terminal import is_light_terminal, parse_lines, print_explanation


def cli_explain(
    model: ModelArgument,
    source: InputArgument = None,
    text: TextOption = None,
    target: TargetOption = None,
    versus: VersusOption = None,
    rule: RuleOption = None,
    rules: RulesOption = None,
    start: StartOption = None,
    method: MethodsOption = None,
    phrases: PhrasesOption = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            help=f"A {OUTPUT_SUFFIXES} file; or a folder, for a large corpus. Default: print to the terminal.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    format: FormatOption = None,
    top_k: TopKOption = None,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "float16",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    lines: LinesOption = None,
    width: WidthOption = None,
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
    no_texts: NoTextsOption = False,
    force: ForceOption = False,
    trust_pickle: TrustPickleOption = False,
) -> None:
    """Show which words support a class and which oppose it.

    In the terminal, red words support the class and blue words oppose it. Without color, the signs + and - mark them.
    Text that the model ignores is gray, or marked by a question mark.

    [bold]Examples[/bold]

    textlrp explain 20newsgroups-cnn --text "The vaccine is safe for children."

    textlrp explain 20newsgroups-cnn - --target sci.med --versus sci.space < post.txt

    textlrp explain reviews-model new.csv --column review --target all -o why.html

    textlrp explain 20newsgroups-cnn --text "The orbit was low." --rule epsilon-gamma --phrases 5

    textlrp explain 20newsgroups-cnn sample --rules zero,epsilon,gamma --method cam -o gallery.html

    textlrp explain 20newsgroups-cnn sample --format label-studio -o tasks.json

    textlrp explain reviews-model million.parquet --target all --top-k 20 -o explained/
    """
    check_input(source, text)
    files = file_options(
        column, label, id, encoding, delimiter, no_header, columns, max_row_length, label_separator,
        sheet=sheet, split=split, skip_bad=skip_bad,
    )  # fmt: skip
    methods = split_names(method or ())
    several = rules is not None or len(methods) > 1
    check_gallery(no_texts, several)
    exported = export_options(format, output, top_k=top_k, keep_formulas=keep_formulas, several=several)
    if output is not None and not output.suffix:
        refused = {"method NAME,NAME": methods[1:], "trust-pickle": trust_pickle}
        check_stored(phrases=phrases, rules=rules, **refused)
        from textlrp.bulk.run import WorkerOptions

        worker_options = WorkerOptions(workers=workers, engine=engine, address=address)
        options = BulkOptions(
            rule=rule, start=start, method=methods[0] if methods else "lrp", top_k=top_k, precision=precision
        )
        to_folder(
            model, source, output, options, targets=target or (), versus=versus, limit=limit,
            workers=worker_options, files=files, force=force,
        )  # fmt: skip
        return

    def documents(limit: int | None) -> InputTexts:
        return open_texts(source, text, files, limit=limit, output=output, force=force)

    if several:
        check_single(rule=rule, phrases=phrases)
        gallery(
            model,
            source,
            documents,
            output,
            force=force,
            rules=split_names([rules or ""]),
            methods=methods,
            target=target or (),
            versus=versus,
            start=start,
            limit=limit,
            trust_pickle=trust_pickle,
            texts=not no_texts,
        )
        return
    from textlrp.models.given_files import inputs_of

    console = Console(width=width)
    shown_lines = parse_lines(lines, console)
    inputs = inputs_of(source, models=[model])

    from textlrp.explainers.named import explain_corpus

    if output is not None:
        from textlrp.cli.explained_files import check_explained, write_explanations  # late: it imports pyarrow

        check_explained(output, exported, inputs=inputs, force=force)
    classifier, texts = load_model(model, trust_pickle=trust_pickle), documents(limit)
    whys = explain_corpus(
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
        print_written(write_explanations(whys, output, exported=exported, force=force), texts)
        if format == "label-studio":
            print_line(f"wrote {output.with_suffix('.xml')}: the labeling configuration for these tasks")
        texts.list_rejected()
        return
    total = len(texts)
    for number, why in enumerate(whys, start=1):
        if total > 1:
            print_line(f"text {number:,} of {total:,}")
        print_explanation(why, console, top_k=top_k, lines=shown_lines, light=is_light_terminal(os.environ))
    texts.list_rejected()
    if texts.limit_note:
        print_line(f"showed {texts.limit_note}")
