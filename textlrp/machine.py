"""Processor cores, worker processes and progress bars.

Only the standard library and rich are imported, so that commands can start processes before they import torch. Open
this module to change how worker processes start, or when textlrp falls back to a single process.
"""

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
from importlib.util import find_spec
from types import FrameType, ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

KEPT_BYTES = 1 << 29
"""Default limit in bytes for cached projections: 512 MiB, enough for 160,000 words with 800 filters of width 1.

It is defined here so that code that only passes it on does not import torch.
"""


def cores() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_context(preload: str) -> Any:
    """Return a multiprocessing context whose processes are forked from a server that imported the module ``preload``.

    The processes start immediately and share the memory of the imported modules (:mod:`textlrp.forkserver_preload`).
    Forking the current process instead could deadlock, because it has threads. On systems without a forkserver
    (Windows), each process is spawned and imports everything itself.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload, "textlrp.forkserver_preload"])
    return context


def start_forkserver(preload: str) -> None:
    """Start the forkserver of :func:`process_context` now, so that it imports ``preload`` in the background.

    The forkserver and its forks ignore Ctrl-C, which could otherwise interrupt an import; they end with this process.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return
    from multiprocessing import forkserver, resource_tracker  # late, because Windows has no forkserver

    process_context(preload)
    resource_tracker.ensure_running()  # before the mask is set, because starting the tracker unblocks SIGINT
    # processes inherit the signal mask, so SIGINT stays blocked in the forkserver and in its forks
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ---- whether processes can be started


GUARD = 'if __name__ == "__main__":'


def usable_workers(workers: int) -> int:
    """Return ``workers``, or warn and return 1 if no worker process can be started.

    A worker process imports the running script as a module, unless this is a notebook or ``python -c``. A script that
    requests processes outside of :data:`GUARD` would therefore run again from its first line in each process.
    """
    if workers <= 1 or (reason := _why_no_process()) is None:
        return workers
    warnings.warn(f"{reason} Continuing in one process.", UserWarning, stacklevel=3)
    return 1


def _why_no_process() -> str | None:
    process = multiprocessing.current_process()
    if process.daemon:
        return "a daemonic process cannot start worker processes."
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is not None and getattr(main, "__spec__", None) is None and not os.path.exists(path):
        # a script from standard input
        return f"a worker process cannot import this program, because {path} is not a file. Save it as a script."
    if _is_starting(process) or _would_run_again(main):
        return (
            f"each worker process would run this script again from its first line, because the call is not under "
            f"`{GUARD}`. Add this line and indent the call below it to use several processes."
        )
    return None


def _is_starting(process: Any) -> bool:
    """Whether this is a worker process that is still importing the script of its parent."""
    return bool(getattr(process, "_inheriting", False))


def _would_run_again(main: ModuleType) -> bool:
    """Whether a worker process started now would import ``main`` and reach the current call again."""
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if name is not None and (name == "__main__" or name.endswith(".__main__")):
        return False  # multiprocessing.spawn does not import the __main__ of a package either
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
        return True  # the source cannot be parsed, so assume that there is no guard
    return not any(line in span for line in lines for span in guarded)


def _frames() -> Iterator[FrameType]:
    """The frames of the current thread and of the main thread."""
    identities = {threading.get_ident(), threading.main_thread().ident}
    for identity, top in sys._current_frames().items():
        frame: FrameType | None = top if identity in identities else None
        while frame is not None:
            yield frame
            frame = frame.f_back


def _guarded_lines(script: ast.Module) -> list[range]:
    """The line numbers of the body of each :data:`GUARD`."""
    return [
        range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1)
        for node in ast.walk(script)
        if isinstance(node, ast.If) and any(map(_compares_with_main, ast.walk(node.test)))
    ]


def _compares_with_main(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq)):
        return False
    sides = (node.left, node.comparators[0])
    return any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides) and any(
        isinstance(side, ast.Constant) and side.value == "__main__" for side in sides
    )


def progress_bar(*, transient: bool = False) -> Progress:
    """Return a progress bar on standard error.

    It shows nothing unless that is a terminal, or a notebook with ipywidgets, without which rich prints a warning.
    Each task needs a ``note``, the text after the bar. ``transient``: erase the bar when it is finished.
    """
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"), console=console, transient=transient,
        disable=not (console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)),
    )  # fmt: skip
