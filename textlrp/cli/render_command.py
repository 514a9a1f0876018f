"""The command ``textlrp render``: pages of stored explanations. It needs neither a model nor torch."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from textlrp.cli.shared_options import (
    PAGE_TEXTS,
    READING,
    ForceOption,
    NoTextsOption,
    PaletteOption,
    ReportOption,
)
from textlrp.errors import DataError


def cli_render(
    stored: Annotated[
        Path,
        typer.Argument(
            metavar="STORED",
            help="A .jsonl or .parquet file, or the folder of a large corpus, written by 'textlrp explain -o'.",
        ),
    ],
    output: ReportOption,
    palette: PaletteOption = "red-blue",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help=f"Use the first N explanations. Default: {PAGE_TEXTS} for a page, all for a folder.",
            rich_help_panel=READING,
        ),
    ] = None,
    no_texts: NoTextsOption = False,
    force: ForceOption = False,
) -> None:
    """Write pages of stored explanations, without the model that they are about.

    A single explanation becomes the page of its document; several become a report, on one page or in a folder. What
    only a model can add is absent: the map of documents and the results of an evaluation. The environment needs
    neither torch nor spaCy.

    [bold]Examples[/bold]

    textlrp render explained.parquet -o report.html

    textlrp render explained/ -o report-folder --limit 1000
    """
    from textlrp.cli.inputs import print_line
    from textlrp.files.input_paths import user_path
    from textlrp.machine import cores
    from textlrp.reports.corpus.report_files import check_report, write_report
    from textlrp.store.explanations import read

    source = user_path(stored)
    whys = read(source)
    page = check_report(output, inputs=[source], force=force)
    first = list(islice(whys, 1))
    if not first:
        raise DataError(f"{str(stored)!r} has no explanations. Explain texts first, with 'textlrp explain -o'.")
    options = _Options(palette=palette, texts=not no_texts, force=force)
    if not page:
        write_report(islice(chain(first, whys), limit), output, title=source.name, workers=cores(), **options)
        print_line(f"wrote {output / 'index.html'}")
        return
    most = limit or PAGE_TEXTS
    shown = list(islice(chain(first, whys), most))
    more = next(whys, None) is not None
    if len(shown) == 1:
        write_report(shown[0], output, **options)
    else:
        write_report(shown, output, title=source.name, **options)
    note = f": the first {most:,} of the stored explanations (raise --limit for more)" if more else ""
    print_line(f"wrote {output}{note}")


class _Options(TypedDict):
    """The options of :func:`write_report` that a page and a folder have in common."""

    palette: str
    texts: bool
    force: bool
