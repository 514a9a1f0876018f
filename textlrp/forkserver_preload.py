"""Imported last by a process that others are forked from: what its forks are spared.

Looking at an object writes to it, and so the collector would give each fork its own copy of all that was imported
before it; it leaves that alone. And a fork whose parent was stopped before it said what is to be done ends without a
word, for nobody waits for it.
"""

from __future__ import annotations

import gc
import sys
from types import TracebackType


def _silent_without_parent(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, EOFError):  # what was to be read is not there
        sys.__excepthook__(kind, problem, trace)


sys.excepthook = _silent_without_parent
gc.collect()
gc.freeze()
