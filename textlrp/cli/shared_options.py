"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A folder that 'textlrp train' wrote, a bundled model (20newsgroups-cnn or 20newsgroups-boe), or a "
        "scikit-learn pipeline that skops.io.dump wrote (a .skops file, extra skops).",
    ),
]
TrustPickle = Annotated[
    bool,
    typer.Option(
        "--trust-pickle",
        help="Open a MODEL that is a .joblib or .pkl file. Pickles can run any code: only if you trust its source.",
    ),
]
Input = Annotated[
    str | None,
    typer.Argument(
        metavar="INPUT",
        help="A .csv, .tsv, .txt, .json, .jsonl or .parquet file, a folder of texts, - for one text from "
        "standard input, or the test posts of 20newsgroups or sample.",
    ),
]
Literally = Annotated[
    str | None, typer.Option("--text", metavar="TEXT", help="One text, written here in place of INPUT.")
]
Column = Annotated[str | None, typer.Option("--column", metavar="NAME", help="The column that holds the text.")]
LabelOption = Annotated[str | None, typer.Option("--label", metavar="NAME", help="The column that holds the class.")]
Id = Annotated[str | None, typer.Option("--id", metavar="NAME", help="The column that names the documents.")]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of files that are not UTF-8, such as latin-1 or cp1252.")
]
Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHAR", help="The character between fields, or tab; else told from the file."),
]
NoHeader = Annotated[
    bool, typer.Option("--no-header", help="The first row is data; name the columns with --columns.")
]
ColumnNames = Annotated[
    str | None,
    typer.Option(
        "--columns", metavar="NAME,NAME", help="Names of the columns of a file without a header, such as label,text."
    ),
]
MaxRowLength = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="The longest row that is read, in characters: 100 million unless given."),
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="The same seed on the same machine gives the same model.")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Write even where something else is: it is moved to a backup name, such as page.html.bak1.",
    ),
]
TargetOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CLASS", help="The class to explain, or all; may be repeated. Else the predicted one."),
]
RuleOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="How relevance flows back: epsilon unless given; 'textlrp rules' lists all."),
]
StartOption = Annotated[
    Literal["score", "centered"] | None,
    typer.Option(
        help="What LRP starts from: the score, or the score minus the mean over classes (centered). Unless given, "
        "the one that suits the rule; 'textlrp rules' lists it.",
    ),
]
MethodOption = Annotated[
    str, typer.Option(metavar="NAME", help="lrp, or a method to compare it with; 'textlrp rules' lists them.")
]
Rules = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="Several rules, and the methods of --method, side by side on one page: -o PAGE.html.",
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="lrp unless given, or a method to compare it with; 'textlrp rules' lists them. Several, repeated or "
        "separated by commas, stand side by side on one page.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="The most texts to take, evenly spaced.")]
Device = Annotated[
    str,
    typer.Option(metavar="NAME", help="Where a CNN with max pooling is explained by LRP: cpu, or cuda for instance."),
]
PrecisionOption = Annotated[
    Literal["float16", "float32"],
    typer.Option(
        help="In a folder: relevance scaled for each text, with an error of at most 0.001 of its largest (float16), "
        "or exact.",
        rich_help_panel="Into a folder",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes; one for each core unless given.", rich_help_panel="Into a folder"),
]
EngineOption = Annotated[
    Literal["local", "ray"],
    typer.Option(help="Processes of this machine, or Ray (extra ray).", rich_help_panel="Into a folder"),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="A Ray cluster, such as auto or ray://host:10001; else one is made on this machine.",
        rich_help_panel="Into a folder",
    ),
]
