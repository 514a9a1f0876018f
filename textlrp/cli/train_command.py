"""The command ``textlrp train``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from textlrp.cli.inputs import file_options, list_rejected_rows, print_line, rejected_path
from textlrp.cli.shared_options import (
    COLUMN_HELP,
    OUTPUT,
    READING,
    ColumnNamesOption,
    DelimiterOption,
    EncodingOption,
    ForceOption,
    IdOption,
    LabelOption,
    LabelSeparatorOption,
    MaxRowLengthOption,
    NoHeaderOption,
    SeedOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
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
            help="Labeled texts: a .csv, .tsv, .txt, .json, .jsonl, .xlsx or .parquet file, a folder with one folder "
            "per class or with a Hugging Face dataset, or the training posts of 20newsgroups or sample.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder to save the model in.", rich_help_panel=OUTPUT),
    ],
    model: Annotated[
        KindName,
        typer.Option(
            metavar="KIND",
            help=f"Kind of model: {', '.join(f'{kind} ({each.what})' for kind, each in KINDS.items())}.",
        ),
    ] = "cnn",
    text: Annotated[
        str | None,
        typer.Option(
            "--text",
            "--column",
            metavar="NAME",
            help=COLUMN_HELP,
            rich_help_panel=READING,
        ),
    ] = None,
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
    vectors: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|NAME",
            help="Word vectors to start from (cnn and boe only): a word2vec, GloVe, fastText or npz file, a spaCy "
            "pipeline, or a bundled model. Default: computed from the training texts.",
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Part of each text that the model ignores: headers, quotes, footers or none. Can be repeated. "
            "Default: headers.",
        ),
    ] = None,
    stop_words: Annotated[
        Path | None,
        typer.Option(
            "--stop-words",
            metavar="FILE",
            help="Words that the model must not use: a text file, one word per line (cnn, boe and svm only).",
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Tokenizer: auto (spaCy's rules for English; single characters in scripts without spaces), spacy, "
            "spacy:LANGUAGE such as spacy:de, treebank or words. Default: auto.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Maximum number of passes over the training texts (cnn and boe only). Default: that of the model.",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of a SentenceTransformer, or of a transformer, whose vectors are then averaged (encoder "
            "only, required). Nothing is downloaded.",
        ),
    ] = None,
    include_encoder: Annotated[
        bool,
        typer.Option(
            "--include-encoder",
            metavar="",
            help="Save a copy of the encoder with the model (encoder only). Default: the model stores the path of "
            "its folder.",
        ),
    ] = False,
    seed: SeedOption = 0,
    force: ForceOption = False,
) -> None:
    """Train a text classifier on labeled texts and save it.

    cnn and boe keep a part of the texts out of the training, measure the accuracy on it after each epoch, and save
    the best epoch. Ctrl-C stops the training and saves the best epoch so far.

    encoder computes the embeddings of the texts with a frozen sentence encoder, and trains a logistic regression on
    them. Embeddings are stored in the cache folder, so that a training that was stopped continues there.

    [bold]Examples[/bold]

    textlrp train reviews.csv --text review --label stars -o reviews-model

    textlrp train 20newsgroups --model boe -o news-model

    textlrp train reviews.csv --model encoder --encoder all-MiniLM-L6-v2 -o reviews-model
    """
    from textlrp.cli.training_run import check_model_folder, new_model, train_corpus
    from textlrp.files.stop_word_file import read_stop_words
    from textlrp.models.given_files import inputs_of

    check_model_folder(output, inputs=inputs_of(source, files=[vectors, encoder, stop_words]), force=force)
    skipped = [name for name in skip or ["headers"] if name != "none"]
    untrained = new_model(
        model,
        seed=seed,
        epochs=epochs,
        vectors=vectors,
        skip=skipped,
        stop_words=None if stop_words is None else read_stop_words(stop_words),
        tokenizer=tokenizer,
        encoder=encoder,
        include_encoder=include_encoder,
    )
    files = file_options(
        text, label, id, encoding, delimiter, no_header, columns, max_row_length, label_separator,
        sheet=sheet, split=split, skip_bad=skip_bad, needs_label=True,
    )  # fmt: skip
    listed = rejected_path(source, output, force=force) if skip_bad else None
    training = train_corpus(
        source,
        output,
        model=untrained,
        files=files,
        include_encoder=include_encoder,
        log=print_line,
        force=force,
    )
    if listed is not None:
        list_rejected_rows(training.corpus, listed, force=force)
