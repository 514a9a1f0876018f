"""Prepare the forkserver process for forking. It imports this module last; the forks are worker processes.

- ``gc.freeze()`` hides the imported modules from the garbage collector. A collection writes to every object that it
  visits, so in a fork it would copy all memory pages that the fork shares with the forkserver.
- A fork reads from a pipe what it has to do. If its parent process was stopped before, the fork gets an ``EOFError``.
  It then ends without a traceback, because no process waits for its result.
"""

from __future__ import annotations

import gc
import sys
from types import TracebackType


def _hide_missing_parent(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, EOFError):  # the parent process ended before it sent the task
        sys.__excepthook__(kind, problem, trace)


sys.excepthook = _hide_missing_parent
gc.collect()
gc.freeze()
