"""Arguments and options about models, input and output that several commands share.

Open it to change the help of such an option. Options about what is explained and how are in
:mod:`textlrp.cli.explanation_options`; an option of a single command is declared in the module of the command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textlrp.reports.palette import palette_names

READING = "Reading the input"
OUTPUT = "Output"
"""Panels of ``--help``. Options without a panel appear under "Options"."""

_FOLDER, _BUNDLED = "a folder written by 'textlrp train'", "a bundled model (20newsgroups-cnn or 20newsgroups-boe)"
_PIPELINE = "a scikit-learn pipeline saved with skops.io.dump (a .skops file; needs the extra skops)"

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=f"One of: {_FOLDER}; {_BUNDLED}; {_PIPELINE}.")]
TrainedModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=f"One of: {_FOLDER}; {_BUNDLED}.")]
"""For the commands that accept no scikit-learn pipeline."""
InputArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="INPUT",
        help="A .csv, .tsv, .txt, .json, .jsonl, .xlsx or .parquet file, a folder of texts or of a Hugging Face "
        "dataset, '-' for one text from standard input, or the test posts of 20newsgroups or sample.",
    ),
]
TextOption = Annotated[
    str | None,
    typer.Option("--text", metavar="TEXT", help="One text, given here instead of INPUT.", rich_help_panel=READING),
]
TrustPickleOption = Annotated[
    bool,
    typer.Option(
        "--trust-pickle",
        metavar="",
        help="Open a MODEL that is a .joblib or .pkl file. Such a file can run any code, so trust its source first.",
        rich_help_panel=READING,
    ),
]
RefusedPickleOption = Annotated[bool, typer.Option("--trust-pickle", metavar="", hidden=True)]
"""For commands that take no pipeline: they accept the option and refuse the file with its reason."""
SeedOption = Annotated[
    int,
    typer.Option(
        min=0,
        max=2**32 - 1,
        metavar="N",
        help="Seed of the random numbers. The same seed on the same machine gives the same result.",
    ),
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force",
        metavar="",
        help="Write the output even if other files are in its place. They are moved to a backup name, such as "
        "page.html.bak1.",
        rich_help_panel=OUTPUT,
    ),
]
PAGE_TEXTS = 100
"""Maximum number of texts on a page, unless ``--limit`` is given."""

ReportOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="PAGE|FOLDER",
        help="An .html page, for up to some hundred texts, or a folder with one page per text, for any number.",
        rich_help_panel=OUTPUT,
    ),
]
PaletteOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"Colors of the marked words: {' or '.join(palette_names())}.",
        rich_help_panel=OUTPUT,
    ),
]

NoTextsOption = Annotated[
    bool,
    typer.Option(
        "--no-texts",
        metavar="",
        help="Leave out the texts, for an output that may be shared though the texts may not: it has the ids of "
        "documents, predictions, counts, and words of classes that several documents contain, but at most three "
        "words of a text in a row.",
        rich_help_panel=OUTPUT,
    ),
]
KeepFormulasOption = Annotated[
    bool,
    typer.Option(
        "--keep-formulas",
        metavar="",
        help="Write texts that begin with =, +, - or @ to a table unchanged. Default: with an apostrophe in front, "
        "so that a spreadsheet program does not run them as formulas.",
        rich_help_panel=OUTPUT,
    ),
]

# ---- reading the input

COLUMN_HELP = (
    "Column with the text, or several such as title,body, joined by a blank line. Default: text, content, body, "
    "message, or another common name such as review."
)
ColumnOption = Annotated[
    str | None,
    typer.Option(
        "--column",
        metavar="NAME",
        help=COLUMN_HELP,
        rich_help_panel=READING,
    ),
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="NAME",
        help="Column with the true label. Default: label, category, class, target, or another common name such as "
        "sentiment.",
        rich_help_panel=READING,
    ),
]
LabelSeparatorOption = Annotated[
    str | None,
    typer.Option(
        "--label-separator",
        metavar="CHAR",
        help="Character between the labels of a text in the column with the true label, such as ','; only for "
        "multi-label models, which 'textlrp train' trains with it. Lists of labels in .json, .jsonl and .parquet "
        "files need no separator.",
        rich_help_panel=READING,
    ),
]
IdOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="NAME",
        help="Column with the name of each text. Default: id; without it, texts are numbered from 1.",
        rich_help_panel=READING,
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Encoding of the input, such as latin-1 or cp1252. Default: utf-8.",
        rich_help_panel=READING,
    ),
]
DelimiterOption = Annotated[
    str | None,
    typer.Option(
        metavar="CHAR",
        help="Character between the fields of a .csv, .tsv or .txt file, or 'tab'. Default: detected.",
        rich_help_panel=READING,
    ),
]
NoHeaderOption = Annotated[
    bool,
    typer.Option(
        "--no-header",
        metavar="",
        help="The first row of the file is data. Name the columns with --columns.",
        rich_help_panel=READING,
    ),
]
ColumnNamesOption = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME,NAME",
        help="Column names of a file without a header, such as label,text.",
        rich_help_panel=READING,
    ),
]
MaxRowLengthOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Longest row to accept, in characters. Default: 100 million.",
        rich_help_panel=READING,
    ),
]
SheetOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Sheet of an .xlsx file. Default: the first that is not empty.",
        rich_help_panel=READING,
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Split of a dataset with several, or of 20newsgroups and sample. Default: train for 'textlrp train', "
        "test for other commands.",
        rich_help_panel=READING,
    ),
]
SkipBadOption = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        metavar="",
        help="Skip rows that cannot be read or have no text (or no label, where it is needed), and list them in "
        "INPUT.rejected.jsonl next to the output.",
        rich_help_panel=READING,
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Maximum number of texts. If the input has more, N evenly spaced texts are used. Default: all.",
        rich_help_panel=READING,
    ),
]
