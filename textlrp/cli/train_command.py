"""The command ``textlrp train``.

What it calls brings torch, so it is imported only when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from textlrp.cli.inputs import file_options, say
from textlrp.cli.shared_options import (
    ColumnNames,
    Delimiter,
    Encoding,
    Force,
    Id,
    LabelOption,
    MaxRowLength,
    NoHeader,
    Seed,
)
from textlrp.models.model_kinds import KINDS

if TYPE_CHECKING:
    KindName = str
else:
    KindName = Literal[tuple(KINDS)]


def cli_train(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CORPUS",
            help="A .csv, .tsv, .txt, .json, .jsonl or .parquet file, a folder of class folders, "
            "20newsgroups, or sample.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to save the model.")],
    model: Annotated[
        KindName,
        typer.Option(
            metavar="KIND",
            help=f"The kind of model to train: {', '.join(f'{kind} ({each.what})' for kind, each in KINDS.items())}.",
        ),
    ] = "cnn",
    text: Annotated[
        str | None, typer.Option("--text", "--column", metavar="NAME", help="The column that holds the text.")
    ] = None,
    label: LabelOption = None,
    id: Id = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    columns: ColumnNames = None,
    max_row_length: MaxRowLength = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|NAME",
            help="Word vectors to start from: a word2vec, GloVe, fastText or npz file, a spaCy pipeline, or a "
            "bundled model. Without it they are made from the training texts.",
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="What the model does not read: headers, quotes, footers or none; may be repeated. Else headers.",
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How texts are cut into words: auto (the default: spaCy's rules for English, and single characters "
            "in scripts without spaces), spacy, spacy:LANGUAGE such as spacy:de, treebank or words.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="The most passes over the training texts.")] = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Train a classifier on texts that have a class each, and save it.

    Ctrl-C ends the training and keeps the best so far.

    [bold]Examples[/bold]

    textlrp train reviews.csv --text review --label stars -o reviews-model

    textlrp train 20newsgroups --model boe -o news-model
    """
    from textlrp.cli.training_run import check_model_folder, new_model, train_corpus
    from textlrp.models.given_files import inputs_of

    check_model_folder(output, inputs=inputs_of(source, files=[vectors]), force=force)
    skipped = [name for name in skip or ["headers"] if name != "none"]
    untrained = new_model(model, seed=seed, epochs=epochs, vectors=vectors, skip=skipped, tokenizer=tokenizer)
    files = file_options(text, label, id, encoding, delimiter, no_header, columns, max_row_length)
    train_corpus(source, output, model=untrained, files=files, log=say, force=force)
