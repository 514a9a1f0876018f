"""The command line: ``textlrp demo | train | predict | explain | report | rules | filters | words | evaluate``."""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import typer
from typer.main import get_command

from textlrp.cli.demo_command import cli_demo
from textlrp.cli.evaluate_command import cli_evaluate
from textlrp.cli.explain_command import cli_explain
from textlrp.cli.filters_command import cli_filters
from textlrp.cli.predict_command import cli_predict
from textlrp.cli.program import app
from textlrp.cli.report_command import cli_report
from textlrp.cli.rules_command import cli_rules
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
    "rules": cli_rules,
    "filters": cli_filters,
    "words": cli_words,
    "evaluate": cli_evaluate,
}
"""Each command by its name, in the order of ``textlrp --help``."""

for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0 done, 2 something in it is wrong, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_a_letter(stream)
    with warnings.catch_warnings(), _seldom_collected():
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


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let the garbage collector run less often while a command runs, and not at all as the process ends.

    What is imported makes half a million objects that stay. To look through them again and again, and once more
    before they are all thrown away, takes as long as torch takes to import.
    """
    before = gc.get_threshold()
    gc.set_threshold(200_000, *before[1:])
    atexit.unregister(gc.freeze)  # once, however often a process runs a command
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        gc.set_threshold(*before)


USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""What the parser raises on a wrong option; typer has no public name for it."""


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = get_command(app).main(arguments, prog_name="textlrp", standalone_mode=False)
    except StoppedError as stopped:
        return _complain(str(stopped), code=130)
    except TextlrpError as problem:
        return _complain(_OPTION.sub(_as_option, str(problem)).replace("pass force=True", "pass --force"))
    except USAGE_ERROR as problem:
        wrong: Any = problem
        command = wrong.ctx.command_path if wrong.ctx else "textlrp"
        return _complain(f"{wrong.format_message().rstrip('.')}. See {command} --help.")
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    if code == 130:
        return _complain("stopped; nothing was written.", code=130)
    return code if isinstance(code, int) else 0


_OPTION = re.compile(r"\b(encoding|text|label|id|engine|address|device|top_k|delimiter|columns|max_row_length)=")


def _as_option(match: re.Match[str]) -> str:
    """A function's option as the command line writes it; the text's column is ``--column`` in every command."""
    return f"--{match[1].replace('text', 'column').replace('_', '-')}="


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
    print(f"textlrp: warning: {printable(_OPTION.sub(_as_option, str(message)))}", file=sys.stderr)


def _never_fail_on_a_letter(stream: object) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
