"""The command ``textlrp shortcuts``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlrp.cli.explanation_options import MethodOption, RuleOption
from textlrp.cli.inputs import file_options, load_model, open_texts, print_line
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
    ModelArgument,
    NoHeaderOption,
    NoTextsOption,
    SeedOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
    TrustPickleOption,
)

LISTED = 5
"""Groups that the command prints."""


def cli_shortcuts(
    model: ModelArgument,
    source: Annotated[
        str,
        typer.Argument(metavar="CORPUS", help="Labeled texts; see INPUT of textlrp explain."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="PAGE", help="Page to write (.html).", rich_help_panel=OUTPUT),
    ],
    json: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Also write all groups with their numbers (.json).", rich_help_panel=OUTPUT
        ),
    ] = None,
    drop: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the leading words of groups of at least --suspicion, for textlrp train --stop-words. "
            "Edit the file: you decide which words are shortcuts.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    suspicion: Annotated[
        float, typer.Option(min=0, max=1, metavar="S", help="Smallest suspicion of the groups in --drop.")
    ] = 0.5,
    before: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The --json file of an earlier model, such as the one before words were dropped: the page compares.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    method: MethodOption = "lrp",
    rule: RuleOption = None,
    clustering: Annotated[
        str, typer.Option(metavar="NAME", help="How documents are grouped: hdbscan or spectral.")
    ] = "hdbscan",
    min_size: Annotated[int, typer.Option(min=2, metavar="N", help="Smallest number of documents in a group.")] = 5,
    max_documents: Annotated[
        int,
        typer.Option(
            min=10,
            metavar="N",
            help="Documents of each predicted class to compare; of more, N are drawn by the seed.",
        ),
    ] = 2000,
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
    trust_pickle: TrustPickleOption = False,
) -> None:
    """Find the shortcuts of a model: groups of documents whose prediction rests on the same few words.

    For each group, the page shows the leading words, where they appear and who wrote the texts, what happens to the
    predictions without them, and documents with marked words. A suspicion ranks the groups; you decide.

    [bold]Examples[/bold]

    textlrp shortcuts 20newsgroups-cnn sample -o shortcuts.html

    textlrp shortcuts tickets-model tickets.csv --label queue -o shortcuts.html --drop words.txt
    """
    from textlrp.models.given_files import inputs_of

    inputs = inputs_of(source, models=[model], files=[before])

    from textlrp.cli.shortcuts_run import ShortcutFiles, read_groups, shortcuts_of_corpus

    written = ShortcutFiles(output, json, drop)
    written.check(inputs=inputs, force=force)
    earlier = None if before is None else read_groups(before)
    files = file_options(
        column, label, id, encoding, delimiter, no_header, columns, max_row_length, label_separator,
        sheet=sheet, split=split, skip_bad=skip_bad, needs_label=True,
    )  # fmt: skip
    classifier = load_model(model, trust_pickle=trust_pickle)
    documents = open_texts(source, None, files, limit=limit, output=output, force=force)
    found = shortcuts_of_corpus(
        classifier,
        documents,
        written,
        suspicion=suspicion,
        earlier=earlier,
        model_name=model,
        corpus_name=source,
        method=method,
        rule=rule,
        clustering=clustering,
        min_size=min_size,
        max_documents=max_documents,
        seed=seed,
        texts=not no_texts,
        force=force,
    )
    for group in found.groups[:LISTED]:
        words = ", ".join(word.word for word in group.words)
        print_line(
            f"{group.suspicion:.2f}  {group.label}: {len(group.documents)} of {group.of_predictions:,} predictions "
            f"rest on {words}; {group.deleted.changed} change without"
        )
    if drop is not None and not found.words(suspicion=suspicion):
        print_line(f"no group has a suspicion of {suspicion:.2f} or more, so {drop} is not written")
        drop = None
    if not found.groups:
        print_line("no group found: the predictions of each class rest on different words in different documents")
    elif len(found.groups) > LISTED:
        print_line(f"... {len(found.groups) - LISTED:,} more groups are in the page")
    print_line(f"wrote {', '.join(str(path) for path in (output, json, drop) if path)}")
    documents.list_rejected()
