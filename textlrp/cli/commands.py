"""The commands. Each is a public function of :mod:`textlrp.corpus` with words around it.

That module brings torch, so it is imported only when a command runs.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from textlrp.cli.inputs import check_input, counted, documents_of, layout_asked, load_model, say
from textlrp.cli.options import (
    Column,
    ColumnNames,
    Delimiter,
    Encoding,
    Force,
    Id,
    Input,
    Label,
    Literally,
    MaxRowLength,
    Model,
    NoHeader,
    Seed,
    TrustPickle,
)
from textlrp.cli.program import app
from textlrp.reports.marks import percentage


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PAGE", help="The .html page to write; its folder is made.")
    ] = Path("demo/report.html"),
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Train a classifier, explain some texts it has not seen, and write one page to look at.

    It takes 20 Newsgroups from $TEXTLRP_20NEWS (20news-bydate.tar.gz or its unpacked folder) or through
    scikit-learn; where it cannot be had, the sample posts that come with textlrp.
    """
    from textlrp import corpus

    corpus.demo(output, seed=seed, say=say, force=force)


@app.command()
def train(
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
        Literal["cnn", "boe", "svm"],
        typer.Option(
            metavar="KIND",
            help="The kind of model to train: cnn (a convolutional net), boe (a bag of embeddings), or svm (a bag of "
            "words with a linear SVM).",
        ),
    ] = "cnn",
    text: Annotated[
        str | None, typer.Option("--text", "--column", metavar="NAME", help="The column that holds the text.")
    ] = None,
    label: Label = None,
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
    from textlrp import corpus

    corpus.check_model_folder(output, inputs=corpus.inputs_of(source, files=[vectors]), force=force)
    skipped = [name for name in skip or ["headers"] if name != "none"]
    untrained = corpus.new_model(model, seed=seed, epochs=epochs, vectors=vectors, skip=skipped, tokenizer=tokenizer)
    layout = layout_asked(delimiter, no_header, columns, max_row_length)
    asked = {"text": text, "label": label, "id": id, "encoding": encoding, **layout}
    corpus.train_corpus(source, output, model=untrained, **asked, say=say, force=force)


@app.command()
def predict(
    model: Model,
    source: Input = None,
    text: Literally = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="A .jsonl or .csv file, or - for the terminal.")
    ] = "-",
    column: Column = None,
    label: Label = None,
    id: Id = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    columns: ColumnNames = None,
    max_row_length: MaxRowLength = None,
    force: Force = False,
    trust_pickle: TrustPickle = False,
) -> None:
    """Name the class of each text: a line with id, predicted class, score, and probability where there is one.

    The score is the one before the softmax. Where the texts have classes of their own, the accuracy follows.

    [bold]Examples[/bold]

    textlrp predict 20newsgroups-cnn --text "The shuttle reached its orbit."

    textlrp predict reviews-model new.csv --column review -o predicted.csv
    """
    check_input(source, text)
    layout = layout_asked(delimiter, no_header, columns, max_row_length)
    from textlrp import corpus

    inputs = corpus.inputs_of(source, models=[model])
    if output != "-":
        corpus.check_output(output, corpus.PREDICTION_FILES, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    documents = documents_of(source, text, column=column, label=label, id=id, encoding=encoding, layout=layout)
    outcomes: Counter[bool | None] = Counter()
    predictions = counted(corpus.predict(classifier, documents), outcomes)
    if output == "-":
        corpus.stream_table(predictions, sys.stdout, delimiter="\t")
    else:
        say(f"wrote {corpus.write_predictions(predictions, output, force=force)}")
    if labelled := outcomes[True] + outcomes[False]:
        print(f"accuracy: {percentage(outcomes[True] / labelled)} of {labelled:,} labelled texts", file=sys.stderr)
