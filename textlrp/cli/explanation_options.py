"""Options about what is explained and how: targets, rules, methods, and how explanations are shown or stored.

Open it to change the help of such an option. Options about models, input and output are in
:mod:`textlrp.cli.shared_options`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from textlrp.cli.shared_options import OUTPUT

EXPLANATION = "Explanation"
FOLDER_RUN = "Explaining into a folder"
"""Panels of ``--help``."""

TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS",
        help="Class to explain, or all. Can be repeated. Default: the predicted class.",
        rich_help_panel=EXPLANATION,
    ),
]
VersusOption = Annotated[
    str | None,
    typer.Option(
        metavar="CLASS",
        help="Class to compare with: explains why the target and not this class.",
        rich_help_panel=EXPLANATION,
    ),
]
RuleOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Rule by which LRP distributes relevance; 'textlrp rules' lists them. Default: epsilon.",
        rich_help_panel=EXPLANATION,
    ),
]
StartOption = Annotated[
    Literal["score", "centered"] | None,
    typer.Option(
        help="Value from which LRP starts: the score of the class, or the score minus the mean over all classes "
        "(centered). Default: the one that suits the rule, see 'textlrp rules'.",
        rich_help_panel=EXPLANATION,
    ),
]
MethodOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Attribution method: lrp, or another one that 'textlrp rules' lists.",
        rich_help_panel=EXPLANATION,
    ),
]
MethodsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Attribution method: lrp, or another one that 'textlrp rules' lists. Several methods, repeated or "
        "separated by commas, are shown side by side on a page (-o PAGE.html). Default: lrp.",
        rich_help_panel=EXPLANATION,
    ),
]
RulesOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="Several rules, and the methods of --method, shown side by side on a page (-o PAGE.html).",
        rich_help_panel=EXPLANATION,
    ),
]
PhrasesOption = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Number of phrases (n-grams) per text to list: those that a CNN with max pooling uses most.",
        rich_help_panel=EXPLANATION,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Device on which LRP explains a CNN with max pooling, such as cpu or cuda.",
        rich_help_panel=EXPLANATION,
    ),
]

# ---- explaining in the terminal

TopKOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="In the terminal: number of words listed on each side. Default: 10, or 4 with several targets. In a "
        "folder: number of words stored per text and target, most relevant first. Default: all. With --format: "
        "number of words marked on each side. Default: 10; words-csv: all.",
        rich_help_panel=OUTPUT,
    ),
]
LinesOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|all",
        help="Maximum number of lines of each text in the terminal; 0 shows no text. Default: 40, or all if the "
        "output is redirected.",
        rich_help_panel=OUTPUT,
    ),
]
WidthOption = Annotated[
    int | None,
    typer.Option(
        min=20,
        metavar="N",
        help="Line width, in columns. Default: the width of the terminal, or $COLUMNS.",
        rich_help_panel=OUTPUT,
    ),
]

FormatOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Write FILE for another program: label-studio (.json), prodigy (.jsonl), doccano (.jsonl), argilla "
        "(.json), conll (.conllup) or words-csv (.csv). Default: by the suffix of FILE.",
        rich_help_panel=OUTPUT,
    ),
]

# ---- explaining into a folder

PrecisionOption = Annotated[
    Literal["float16", "float32"],
    typer.Option(
        help="How relevance is stored. float16 is scaled for each text, with an error of at most 0.001 of the text's "
        "largest relevance; float32 is exact.",
        rich_help_panel=FOLDER_RUN,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Number of worker processes. Default: one per core.", rich_help_panel=FOLDER_RUN
    ),
]
EngineOption = Annotated[
    Literal["local", "ray"],
    typer.Option(
        help="Where the worker processes run: on this machine, or on a Ray cluster (needs the extra ray).",
        rich_help_panel=FOLDER_RUN,
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Ray cluster to use, such as auto or ray://host:10001. Default: a new cluster on this machine.",
        rich_help_panel=FOLDER_RUN,
    ),
]
