"""The command ``textlrp similar``.

Modules that need torch are imported inside the function, so that ``--help`` and errors in options stay fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from textlrp.cli.explanation_options import RuleOption
from textlrp.cli.inputs import file_options, load_model, open_texts, print_line
from textlrp.cli.shared_options import (
    OUTPUT,
    ColumnNamesOption,
    ColumnOption,
    DelimiterOption,
    EncodingOption,
    ForceOption,
    IdOption,
    LimitOption,
    MaxRowLengthOption,
    ModelArgument,
    NoHeaderOption,
    SheetOption,
    SkipBadOption,
    SplitOption,
    TrustPickleOption,
)
from textlrp.errors import OptionError, must_be


def cli_similar(
    model: ModelArgument,
    source: Annotated[
        str | None,
        typer.Argument(metavar="CORPUS", help="Texts to search; see INPUT of textlrp explain. Not with --and."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The text to compare, or '-' to read it from standard input. Required."),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option("--and", metavar="TEXT", help="A second text: compare these two instead of searching a CORPUS."),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, metavar="N", help="Number of most similar documents to find.")
    ] = 5,
    similarity: Annotated[
        Literal["cosine", "dot"],
        typer.Option(help="Compare the embeddings of texts by their cosine, or by their dot product (dot)."),
    ] = "cosine",
    rule: RuleOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH",
            help="File to write: a page (.html), or one line of JSON for each document found (.jsonl).",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    limit: LimitOption = None,
    column: ColumnOption = None,
    id: IdOption = None,
    encoding: EncodingOption = None,
    delimiter: DelimiterOption = None,
    no_header: NoHeaderOption = False,
    columns: ColumnNamesOption = None,
    max_row_length: MaxRowLengthOption = None,
    sheet: SheetOption = None,
    split: SplitOption = None,
    skip_bad: SkipBadOption = False,
    force: ForceOption = False,
    trust_pickle: TrustPickleOption = False,
) -> None:  # fmt: skip
    """Find the documents of a corpus that are most similar to a text, or compare two texts, and show why.

    Two texts are similar if their embeddings are: what the last layer of the model reads. For each document found,
    the pairs of words are listed that the similarity comes from (BiLRP).

    [bold]Examples[/bold]

    textlrp similar 20newsgroups-cnn sample --text "The shuttle reached its orbit." -o similar.html

    textlrp similar 20newsgroups-boe --text "My doctor is ill." --and "The patient has a fever."
    """
    _check_texts(source, text, other)
    files = file_options(
        column, None, id, encoding, delimiter, no_header, columns, max_row_length,
        sheet=sheet, split=split, skip_bad=skip_bad,
    )  # fmt: skip
    from textlrp.models.given_files import inputs_of

    inputs = inputs_of(source, models=[model])

    from textlrp.cli.similar_run import SIMILAR_FILES, compare_texts, listed_lines, search_corpus, write_found
    from textlrp.files.written_file import check_output

    if output is not None:
        check_output(output, SIMILAR_FILES, inputs=inputs, force=force)
    classifier = load_model(model, trust_pickle=trust_pickle)
    (query,) = open_texts("-", None, files) if text == "-" else open_texts(None, text, files)
    cosine = similarity == "cosine"
    if other is not None:
        (second,) = open_texts(None, other, files)
        found = [compare_texts(classifier, query, second, rule=rule, normalize=cosine)]
    else:
        documents = open_texts(source, None, files, limit=limit, output=output, force=force)
        found = search_corpus(classifier, documents, query, k=top_k, rule=rule, normalize=cosine)
        documents.list_rejected()
    for line in listed_lines(found):
        print_line(line)
    if output is not None:
        write_found(found, output, searched=other is None, force=force)
        print_line(f"wrote {output}")


def _check_texts(source: str | None, text: str | None, other: str | None) -> None:
    """Raise :class:`OptionError` unless there is a text, and either a corpus or a second text."""
    if text is None:
        raise OptionError("there is no text to compare. Pass --text TEXT, or --text - for standard input.")
    if source is None and other is None:
        raise OptionError("there is nothing to compare the text with. Pass a CORPUS, or --and TEXT.")
    if source is not None and other is not None:
        raise OptionError(f"CORPUS and --and must not be given together; got CORPUS {source!r}. Remove one of them.")
    if source == "-":
        raise OptionError(must_be("CORPUS", "a file, a folder, 20newsgroups or sample", source, "Pass a path."))
