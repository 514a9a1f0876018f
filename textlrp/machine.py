"""Processor cores, worker processes and progress bars: standard library and rich, imported before anything heavy."""

from __future__ import annotations

import ast
import multiprocessing
import os
import signal
import sys
import threading
import tokenize
import warnings
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

KEPT_BYTES = 1 << 29
"""Memory for kept projections in bytes: 512 MiB, enough for 160,000 words at 800 filters of one word. It is here so
that code that only passes it on needs no torch."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def context(preload: str) -> Any:
    """A multiprocessing context whose processes are forks of one that imported the module ``preload``.

    They share its memory (:mod:`textlrp.forkserver_preload`) and begin at once; a fork of this process, which has
    threads, might hang. Where the system cannot fork, each process begins from nothing.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([preload, "textlrp.forkserver_preload"])
    return found


def warm_up(preload: str) -> None:
    """Let the process that others are forked from import its module now, beside what this one does meanwhile.

    It and its forks never hear Ctrl-C, which would reach it while it imports; they end when this process does.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return
    from multiprocessing import forkserver, resource_tracker  # late: not on every system

    context(preload)
    resource_tracker.ensure_running()  # first, for it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ---- whether a process can begin


GUARD = 'if __name__ == "__main__":'


def usable(workers: int) -> int:
    """``workers``, or 1 with one warning where no process can be started.

    A new process imports the script that is running (not a notebook, ``python -c`` or standard input). A script that
    asks for processes outside of :data:`GUARD` would run again from its top in each of them.
    """
    if workers <= 1 or (reason := _why_none()) is None:
        return workers
    warnings.warn(f"{reason} The work is done in one process.", UserWarning, stacklevel=3)
    return 1


def _why_none() -> str | None:
    process = multiprocessing.current_process()
    if process.daemon:
        return "this is a daemonic process, which cannot start others."
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is not None and getattr(main, "__spec__", None) is None and not os.path.exists(path):
        return f"a new process cannot import this program: {path} is not a file."  # a script from standard input
    if _begins(process) or _runs_again(main):
        return (
            f"each new process would run this script again from its top, for the call is not under the line "
            f"`{GUARD}`. Add the line and indent the call below it to use several processes."
        )
    return None


def _begins(process: Any) -> bool:
    """Whether this process still imports the script of the one that started it."""
    return bool(getattr(process, "_inheriting", False))


def _runs_again(main: ModuleType) -> bool:
    """Whether a process started now would import ``main`` and so come to the running call again."""
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if name is not None and (name == "__main__" or name.endswith(".__main__")):
        return False  # as multiprocessing.spawn has it
    path = getattr(main, "__file__", None)
    if path is None:
        return False
    lines = [frame.f_lineno for frame in _frames() if frame.f_globals is vars(main)]
    if not lines:
        return False
    try:
        with tokenize.open(path) as file:
            guarded = _guarded_lines(ast.parse(file.read()))
    except (OSError, SyntaxError, UnicodeError, ValueError):
        return True  # not a source file, so nobody knows
    return not any(line in span for line in lines for span in guarded)


def _frames() -> Iterator[FrameType]:
    """The frames of this thread, and those of the main one."""
    identities = {threading.get_ident(), threading.main_thread().ident}
    for identity, top in sys._current_frames().items():
        frame: FrameType | None = top if identity in identities else None
        while frame is not None:
            yield frame
            frame = frame.f_back


def _guarded_lines(script: ast.Module) -> list[range]:
    """The lines below each :data:`GUARD`."""
    return [
        range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1)
        for node in ast.walk(script)
        if isinstance(node, ast.If) and any(map(_asks_for_main, ast.walk(node.test)))
    ]


def _asks_for_main(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq)):
        return False
    sides = (node.left, node.comparators[0])
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides) and any(
        isinstance(side, ast.Constant) and side.value == "__main__" for side in sides
    )


def progress_bar() -> Progress:
    """A bar on standard error, silent where that is no terminal or notebook; its tasks have a ``note`` to show."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"), console=console, disable=not (console.is_terminal or console.is_jupyter),
    )  # fmt: skip
