"""Notice that a service is being stopped, before uvicorn closes its connections."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_noticed(stopping: threading.Event) -> Iterator[None]:
    """Set ``stopping`` when SIGTERM or Ctrl-C arrives, and then call the handler that was there before.

    uvicorn asks the open connections to close, but one that is accepted in the same moment is not among them. The
    service therefore closes every connection after its next response as soon as ``stopping`` is set. Outside of the
    main thread, as in tests, signals cannot be noticed.
    """
    stopping.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def notice(number: int, frame: FrameType | None) -> None:
        stopping.set()
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in before:
        signal.signal(number, notice)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
