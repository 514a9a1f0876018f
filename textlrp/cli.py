"""The command line: ``textlrp demo | train | predict | explain | report``.

Each command is a public function of :mod:`textlrp.corpus` with words around it. That module brings torch,
so it is imported only when a command runs.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer
from rich.console import Console
from typer.main import get_command

import textlrp
from textlrp.errors import DataError, OptionError, TextlrpError
from textlrp.records import Document
from textlrp.reports.marks import percentage
from textlrp.reports.terminal import print_explanation, printable

if TYPE_CHECKING:
    from textlrp.corpus import Prediction

app = typer.Typer(
    name="textlrp",
    help="Which words made a text classifier choose a category? Train one, or take a bundled one, and see.",
    epilog="Begin with: textlrp demo. Each command has its own --help, with examples.",
    rich_markup_mode="rich",
    add_completion=False,
)

# ---- the options that several commands share

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A folder that 'textlrp train' wrote, or a bundled model: 20newsgroups-cnn or 20newsgroups-boe.",
    ),
]
Input = Annotated[
    str | None,
    typer.Argument(
        metavar="INPUT",
        help="A .csv, .tsv, .jsonl or .parquet file, a folder of texts, - for one text from standard input, "
        "or the test posts of 20newsgroups or sample.",
    ),
]
Literally = Annotated[
    str | None, typer.Option("--text", metavar="TEXT", help="One text, written here in place of INPUT.")
]
Column = Annotated[str | None, typer.Option("--column", metavar="NAME", help="The column that holds the text.")]
Label = Annotated[str | None, typer.Option("--label", metavar="NAME", help="The column that holds the class.")]
Id = Annotated[str | None, typer.Option("--id", metavar="NAME", help="The column that names the documents.")]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of files that are not UTF-8, such as latin-1 or cp1252.")
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="The same seed on the same machine gives the same model.")
]


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        print(f"textlrp {textlrp.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


# ---- the commands


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PAGE", help="The .html page to write; its folder is made.")
    ] = Path("demo/report.html"),
    seed: Seed = 0,
) -> None:
    """Train a classifier, explain some texts it has not seen, and write one page to look at.

    It takes 20 Newsgroups from $TEXTLRP_20NEWS (20news-bydate.tar.gz or its unpacked folder) or through
    scikit-learn; where it cannot be had, the sample posts that come with textlrp.
    """
    from textlrp import corpus

    corpus.demo(output, seed=seed, say=_say)


@app.command()
def train(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CORPUS",
            help="A .csv, .tsv, .jsonl or .parquet file, a folder of class folders, 20newsgroups, or sample.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to save the model.")],
    model: Annotated[
        Literal["cnn", "boe", "svm"],
        typer.Option(help="A convolutional net, a bag of embeddings, or a bag of words with a linear SVM."),
    ] = "cnn",
    text: Annotated[
        str | None, typer.Option("--text", "--column", metavar="NAME", help="The column that holds the text.")
    ] = None,
    label: Label = None,
    id: Id = None,
    encoding: Encoding = None,
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
    epochs: Annotated[int | None, typer.Option(min=1, help="The most passes over the training texts.")] = None,
    seed: Seed = 0,
) -> None:
    """Train a classifier on texts that have a class each, and save it.

    Ctrl-C ends the training and keeps the best so far.

    [bold]Examples[/bold]

    textlrp train reviews.csv --text review --label stars -o reviews-model

    textlrp train 20newsgroups --model boe -o news-model
    """
    from textlrp import corpus

    skipped = [name for name in skip or ["headers"] if name != "none"]
    untrained = corpus.new_model(model, seed=seed, epochs=epochs, vectors=vectors, skip=skipped)
    corpus.train_corpus(source, output, model=untrained, text=text, label=label, id=id, encoding=encoding, say=_say)


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
) -> None:
    """Name the class of each text: a line with id, predicted class, score, and probability where there is one.

    The score is the one before the softmax. Where the texts have classes of their own, the accuracy follows.

    [bold]Examples[/bold]

    textlrp predict 20newsgroups-cnn --text "The shuttle reached its orbit."

    textlrp predict reviews-model new.csv --column review -o predicted.csv
    """
    _check_input(source, text)
    from textlrp import corpus

    if output != "-":
        corpus.check_output(output, corpus.PREDICTION_FILES)
    classifier = textlrp.load(model)
    documents = _documents(source, text, column=column, label=label, id=id, encoding=encoding)
    outcomes: Counter[bool | None] = Counter()
    predictions = _counted(corpus.predict(classifier, documents), outcomes)
    if output == "-":
        corpus.stream_table(predictions, sys.stdout, delimiter="\t")
    else:
        _say(f"wrote {corpus.write_predictions(predictions, output)}")
    if labelled := outcomes[True] + outcomes[False]:
        print(f"accuracy: {percentage(outcomes[True] / labelled)} of {labelled:,} labelled texts", file=sys.stderr)


@app.command()
def explain(
    model: Model,
    source: Input = None,
    text: Literally = None,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help="The class to explain, or all; may be repeated. Else the predicted one."),
    ] = None,
    versus: Annotated[str | None, typer.Option(metavar="CLASS", help="Why the target and not this class.")] = None,
    rule: Annotated[str, typer.Option(help="How relevance flows back: epsilon, zero or arras2017.")] = "epsilon",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A .html, .jsonl or .parquet file, not the terminal."),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Words on each side in the terminal: 10, or 4 with several targets.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The most texts of INPUT, evenly spaced.")] = None,
    column: Column = None,
    label: Label = None,
    id: Id = None,
    encoding: Encoding = None,
) -> None:
    """Show which words speak for a class and which against it.

    [bold]Examples[/bold]

    textlrp explain 20newsgroups-cnn --text "My doctor says the vaccine is safe."

    textlrp explain 20newsgroups-cnn - --target sci.med --versus sci.space < post.txt

    textlrp explain reviews-model new.csv --target all -o why.html
    """
    _check_input(source, text)
    from textlrp import corpus

    if output is not None:
        corpus.check_output(output, corpus.EXPLANATION_FILES)
    classifier = textlrp.load(model)
    documents = _documents(source, text, column=column, label=label, id=id, encoding=encoding, limit=limit)
    whys = corpus.explain_corpus(classifier, documents, targets=target or (), versus=versus, rule=rule)
    if output is not None:
        _say(f"wrote {corpus.write_explanations(whys, output)}")
        return
    console = Console()
    for why in whys:
        print_explanation(why, console, top_k=top_k)


@app.command()
def report(
    model: Model,
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="A file, a folder, -, 20newsgroups or sample; see textlrp explain."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PAGE", help="The .html page to write.")],
    limit: Annotated[int, typer.Option(min=1, help="The most texts on the page, evenly spaced.")] = 100,
    column: Column = None,
    label: Label = None,
    id: Id = None,
    encoding: Encoding = None,
) -> None:
    """Write a page that lists texts, each with the words that made the model choose its class.

    [bold]Examples[/bold]

    textlrp report 20newsgroups-cnn sample -o report.html

    textlrp report reviews-model new.csv --column review --limit 500 -o report.html
    """
    from textlrp import corpus

    corpus.check_output(output, (".html",))
    classifier = textlrp.load(model)
    documents = _documents(source, None, column=column, label=label, id=id, encoding=encoding, limit=limit)
    page = textlrp.write_report(corpus.explain_corpus(classifier, documents), output, title=Path(source).name)
    _say(f"wrote {page}")


# ---- input and output


def _check_input(source: str | None, text: str | None) -> None:
    if source is not None and text is not None:
        raise OptionError(f"both INPUT ({source}) and --text came; give one of them.")
    if source is None and text is None:
        raise OptionError("no text came; give an INPUT, - for standard input, or --text TEXT.")


def _documents(
    source: str | None,
    text: str | None,
    *,
    column: str | None,
    label: str | None,
    id: str | None,
    encoding: str | None,
    limit: int | None = None,
) -> Iterable[Document]:
    if text is not None:
        return [Document("text", text)]
    if source is None or source == "-":
        return [Document("standard input", _standard_input(encoding or "utf-8"))]
    from textlrp import corpus

    opened = corpus.open_corpus(source, "test", text=column, label=label, id=id, encoding=encoding)
    if limit is None:
        return opened
    if len(opened) > limit:
        _say(f"taking {limit:,} of the {len(opened):,} texts, evenly spaced; --limit takes more")
    return corpus.spread(opened, limit)


def _standard_input(encoding: str) -> str:
    try:
        return sys.stdin.buffer.read().decode(encoding)
    except LookupError:
        raise OptionError(f"encoding={encoding!r} is not known; utf-8, latin-1, cp1252 and utf-16 are.") from None
    except UnicodeError:
        raise DataError(
            f"standard input is not {encoding.upper()}; pass the right encoding=, latin-1 for instance."
        ) from None


def _counted(predictions: Iterable[Prediction], outcomes: Counter[bool | None]) -> Iterator[Prediction]:
    for prediction in predictions:
        outcomes[prediction.right] += 1
        yield prediction


def _say(line: str) -> None:
    print(printable(line), flush=True)


# ---- the way out


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0 done, 2 something in it is wrong, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_a_letter(stream)
    with warnings.catch_warnings():
        # what textlrp warns of is a UserWarning; the rest is between libraries
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = _warn
        try:
            code = _run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # python flushes once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except OSError as problem:
            return _complain(f"{problem.filename or 'the system'}: {problem.strerror or problem}.")
    return code


USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""What the parser raises on a wrong option; typer has no public name for it."""


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = get_command(app).main(arguments, prog_name="textlrp", standalone_mode=False)
    except TextlrpError as problem:
        return _complain(_OPTION.sub(_as_option, str(problem)))
    except USAGE_ERROR as problem:
        wrong: Any = problem
        command = wrong.ctx.command_path if wrong.ctx else "textlrp"
        return _complain(f"{wrong.format_message().rstrip('.')}. See {command} --help.")
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    if code == 130:
        return _complain("stopped; nothing was written.", code=130)
    return code if isinstance(code, int) else 0


_OPTION = re.compile(r"\b(encoding|text|label|id)=")


def _as_option(match: re.Match[str]) -> str:
    """A function's option as the command line writes it; the text's column is ``--column`` in every command."""
    return f"--{match[1].replace('text', 'column')}="


def _complain(sentence: str, *, code: int = 2) -> int:
    print(f"textlrp: {printable(sentence)}", file=sys.stderr)
    return code


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"textlrp: warning: {printable(str(message))}", file=sys.stderr)


def _never_fail_on_a_letter(stream: object) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
