"""The command line: ``textlrp demo | train | predict | explain | report | render | rules | filters | words |
evaluate | shortcuts | similar | card | serve``.

:func:`main` runs a command line and turns every error of textlrp into one line on standard error. A command has a
module ``…_command`` with its options and help; open this one to add a command, or to change how errors, warnings,
pipes and Ctrl-C are handled.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import typer
from typer.main import get_command

from textlrp.cli.card_command import cli_card
from textlrp.cli.demo_command import cli_demo
from textlrp.cli.evaluate_command import cli_evaluate
from textlrp.cli.explain_command import cli_explain
from textlrp.cli.filters_command import cli_filters
from textlrp.cli.predict_command import cli_predict
from textlrp.cli.program import app
from textlrp.cli.render_command import cli_render
from textlrp.cli.report_command import cli_report
from textlrp.cli.rules_command import cli_rules
from textlrp.cli.serve_command import cli_serve
from textlrp.cli.shortcuts_command import cli_shortcuts
from textlrp.cli.similar_command import cli_similar
from textlrp.cli.terminal import printable
from textlrp.cli.train_command import cli_train
from textlrp.cli.words_command import cli_words
from textlrp.errors import StoppedError, TextlrpError

_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": cli_demo,
    "train": cli_train,
    "predict": cli_predict,
    "explain": cli_explain,
    "report": cli_report,
    "render": cli_render,
    "rules": cli_rules,
    "filters": cli_filters,
    "words": cli_words,
    "evaluate": cli_evaluate,
    "shortcuts": cli_shortcuts,
    "similar": cli_similar,
    "card": cli_card,
    "serve": cli_serve,
}
"""Name and function of each command, in the order of ``textlrp --help``."""


def _unwrapped(docstring: str | None) -> str:
    """Join the lines of each paragraph: Typer keeps line breaks, which would break lines twice in a terminal."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)


for _name, _command in _COMMANDS.items():
    app.command(_name, help=_unwrapped(_command.__doc__))(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    The code is 0 for success, 2 for an error, 130 after Ctrl-C, and 1 if the reader of a pipe closed it.
    """
    for stream in (sys.stdout, sys.stderr):
        _escape_unencodable(stream)
    with warnings.catch_warnings(), _relaxed_garbage_collection():
        # warnings of textlrp are UserWarnings; all others are about libraries and do not concern the user
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        warnings.filterwarnings("ignore", module="openpyxl")
        warnings.showwarning = _print_warning
        try:
            code = _run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes standard output again on exit, which would fail once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except OSError as problem:
            return _print_error(f"{problem.filename or 'the system'}: {problem.strerror or problem}.")
    return code


@contextmanager
def _relaxed_garbage_collection() -> Iterator[None]:
    """Run the garbage collector less often during a command, and not at all when the process ends.

    The imported modules create half a million objects that live until the end. Scanning them again and again, and
    once more at exit, takes as long as importing torch.
    """
    before = gc.get_threshold()
    gc.set_threshold(200_000, *before[1:])
    atexit.unregister(gc.freeze)  # register it only once, even if a process runs many commands
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        gc.set_threshold(*before)


USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Raised by the parser for a wrong option; Typer has no public name for it."""


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = _without_help_type().main(arguments, prog_name="textlrp", standalone_mode=False)
    except StoppedError as stopped:
        return _print_error(str(stopped), code=130)
    except TextlrpError as problem:
        return _print_error(_with_options(str(problem)))
    except USAGE_ERROR as problem:
        usage: Any = problem
        command = usage.ctx.command_path if usage.ctx else "textlrp"
        return _print_error(f"{usage.format_message().rstrip('.')}. See {command} --help.")
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package in ("", "textlrp"):
            raise
        return _print_error(
            f"this command needs the package {package}, which is not installed. Run: pip install textlrp"
        )
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    if code == 130:
        return _print_error("stopped by Ctrl-C before anything was finished.", code=130)
    return code if isinstance(code, int) else 0


def _without_help_type() -> Any:
    """Return the program, without the type ``<bool>`` that Typer prints for its option ``--help``."""
    program: Any = get_command(app)
    for command in (program, *program.commands.values()):
        command.get_help_option(typer.Context(command)).metavar = ""
    return program


_OPTIONS = (
    "encoding|engine|address|device|top_k|delimiter|label_separator|columns|max_row_length|sheet|split|target|versus"
    "|format|rule|start|method|phrases|palette|evaluation|tokenizer|skip|workers|precision|measure|min_words|steps|sample|keep_formulas"
)
_PARAMETER = re.compile(rf"\b({_OPTIONS}|text|label|id)=")
_FLAG = re.compile(r"\b([Pp]ass) (force|skip_bad|keep_formulas)=True")
_SUBJECT = re.compile(rf"^({_OPTIONS})(?= must )")


def _with_options(message: str) -> str:
    """Replace the parameters of functions in a message by the options of the command line.

    ``encoding='x'`` becomes ``--encoding='x'``, and ``encoding=`` becomes ``--encoding``. A message that begins with
    ``top_k must`` begins with ``--top-k must``, and ``force=True`` becomes ``--force``. The parameter ``text=``, the
    name of a column, becomes ``--column``, which every command that reads files has.
    """
    message = _FLAG.sub(lambda match: f"{match[1]} --{match[2].replace('_', '-')}", message)
    message = _SUBJECT.sub(lambda match: f"--{match[1].replace('_', '-')}", message)
    message = _PARAMETER.sub(lambda match: f"--{match[1].replace('text', 'column').replace('_', '-')}=", message)
    return re.sub(r"(--[a-z-]+)=(?=[\s.,;]|$)", r"\1", message)


def _print_error(sentence: str, *, code: int = 2) -> int:
    print(f"textlrp: {printable(sentence)}", file=sys.stderr)
    return code


def _print_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning on one line; has the signature of :func:`warnings.showwarning`."""
    print(f"textlrp: warning: {printable(_with_options(str(message)))}", file=sys.stderr)


def _escape_unencodable(stream: object) -> None:
    """Print a character that the encoding of the terminal lacks as an escape, instead of failing."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
