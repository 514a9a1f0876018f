"""The decorator of all compiled loops, which caches machine code in the user's cache folder.

Open this module if the compiled code must be stored elsewhere or not at all, and for loops in forked processes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
from numba.np.ufunc.parallel import threading_layer

from textlrp.user_cache import cache_path, is_writable


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator ``numba.njit`` with ``options`` and a cache on disk.

    The machine code is stored in ``$NUMBA_CACHE_DIR`` if that is set, and otherwise in the folder ``compiled`` of the
    user's cache folder (:mod:`textlrp.user_cache`). If that folder is not writable, each process compiles the loops
    again. With ``parallel=True`` the decorator returns a :class:`ParallelLoop`.
    """

    def compile_late(function: Callable[..., Any]) -> Any:
        before = _numba_settings().CACHE_DIR
        folder = Path(before) if before else cache_path("compiled")
        loop = _cached_njit(function, folder, options)
        if not options.get("parallel"):
            return loop
        # a folder of its own, because numba's key of a cached function does not contain its options
        return ParallelLoop(loop, _cached_njit(function, folder / "sequential", {**options, "parallel": False}))

    return compile_late


@dataclass(frozen=True, slots=True)
class ParallelLoop:
    """A loop that runs on several threads, or on one thread in a process whose threads were lost in a fork.

    A fork copies only the thread that calls it. In the child, numba's parallel loops either wait forever for the
    threads of the parent or end the process. Both loops give the same result, bit for bit.
    """

    parallel: Callable[..., Any]
    sequential: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return (self.sequential if _THREADS_LOST.is_set() else self.parallel)(*arguments)


_THREADS_LOST = threading.Event()
"""Set in a process that was forked from one in which numba had already started its threads."""


def _after_fork() -> None:
    try:
        threading_layer()  # type: ignore[no-untyped-call]
    except ValueError:  # numba has not started threads yet, so the child can start its own
        return
    _THREADS_LOST.set()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)


def _numba_settings() -> Any:
    return numba.config


def _cached_njit(function: Callable[..., Any], folder: Path, options: dict[str, Any]) -> Any:
    settings = _numba_settings()
    before = settings.CACHE_DIR
    # numba reads this setting only while it decorates; it is reset for functions that are not ours
    settings.CACHE_DIR = str(folder)
    try:
        return numba.njit(cache=is_writable(folder), **options)(function)
    finally:
        settings.CACHE_DIR = before
