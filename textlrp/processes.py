"""How worker processes begin: standard library alone, to be asked for before anything heavy is imported."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def context(preload: str) -> Any:
    """A multiprocessing context whose processes are forks of one that imported the module ``preload``.

    They share its memory (see :mod:`textlrp.frozen`) and begin at once; a fork of this process, which has threads,
    might hang. Where the system cannot fork, each process begins from nothing.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([preload, "textlrp.frozen"])
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
