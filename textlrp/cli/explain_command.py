"""The command ``textlrp explain``: into the terminal, a file, or a folder of any size.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.cli.inputs import (
    InputTexts,
    check_input,
    file_options,
    load_model,
    names_in,
    say,
    say_written,
    texts_of,
)
from textlrp.cli.shared_options import (
    Address,
    Column,
    ColumnNames,
    Delimiter,
    Device,
    Encoding,
    EngineOption,
    Force,
    Id,
    Input,
    LabelOption,
    Limit,
    Literally,
    MaxRowLength,
    Methods,
    Model,
    NoHeader,
    PrecisionOption,
    RuleOption,
    Rules,
    StartOption,
    TargetOption,
    TrustPickle,
    Workers,
)
from textlrp.cli.side_by_side import check_alone, check_one_way, gallery
from textlrp.cli.terminal import light_terminal, lines_asked, print_explanation
from textlrp.errors import OptionError
from textlrp.machine import start_forkserver
from textlrp.store.file_formats import FORMATS
from textlrp.text.named_corpora import FileOptions

if TYPE_CHECKING:
    from textlrp.bulk.run import WorkerOptions

_SUFFIXES = " or ".join([", ".join((".html", *FORMATS)[:-1]), [*FORMATS][-1]])


def cli_explain(
    model: Model,
    source: Input = None,
    text: Literally = None,
    target: TargetOption = None,
    versus: Annotated[str | None, typer.Option(metavar="CLASS", help="Why the target and not this class.")] = None,
    rule: RuleOption = None,
    rules: Rules = None,
    start: StartOption = None,
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
            help=f"A {_SUFFIXES} file, not the terminal; or a folder, for a large corpus.",
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
    precision: PrecisionOption = "float16",
    workers: Workers = None,
    engine: EngineOption = "local",
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
    files = file_options(column, label, id, encoding, delimiter, no_header, columns, max_row_length)
    methods = names_in(method or ())
    if output is not None and not output.suffix:
        check_one_way(phrases=phrases, rules=rules, methods=methods[1:], **{"trust-pickle": trust_pickle})
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
        return texts_of(source, text, files, limit=limit)

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
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    console = Console(width=width)
    most = lines_asked(lines, console)
    inputs = inputs_of(source, models=[model])

    from textlrp.explainers.named import explain_corpus

    if output is not None:
        from textlrp.cli.explained_files import EXPLANATION_FILES, write_explanations  # late: it brings pyarrow

        check_output(output, EXPLANATION_FILES, inputs=inputs, force=force)
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
        say_written(write_explanations(whys, output, force=force), texts)
        return
    total = len(texts)
    for number, why in enumerate(whys, start=1):
        if total > 1:
            say(f"text {number:,} of {total:,}")
        print_explanation(why, console, top_k=top_k, lines=most, light=light_terminal(os.environ))
    if texts.left_out:
        say(f"shown: {texts.left_out}")


def to_folder(
    model: str,
    source: str | None,
    output: Path,
    options: BulkOptions,
    *,
    targets: Sequence[str],
    versus: str | None,
    limit: int | None,
    workers: WorkerOptions,
    files: FileOptions,
    force: bool,
) -> None:
    """Explain a corpus into a folder and say what came of it; raises :class:`OptionError` for a single text."""
    if source is None or source == "-":
        raise OptionError(f"one text came for the folder {str(output)!r}; end the name in {_SUFFIXES}.")
    if workers.engine == "local" and workers.processes > 1:
        start_forkserver("textlrp.bulk.worker")  # meanwhile the input is opened here
    from textlrp.bulk.corpus_run import explain_in_bulk

    run = explain_in_bulk(
        model, source, output, options, targets=targets, versus=versus, limit=limit, files=files, workers=workers,
        force=force,
    )  # fmt: skip
    if run.explained:
        speed, size = run.explained / run.seconds, run.bytes / run.explained
        say(
            f"explained {run.explained:,} documents in {run.seconds:,.1f} s, {speed:,.0f} a second; "
            f"{size:,.0f} bytes each"
        )
    if run.rejected:
        aside = run.folder / "rejected.jsonl"
        with aside.open(encoding="utf-8") as file:
            first = json.loads(next(file))["reason"]
        say(f"set aside {run.rejected:,} rows that could not be read, listed in {aside}; the first: {first}")
    say(f"wrote {run.folder}: {run.documents:,} documents")
