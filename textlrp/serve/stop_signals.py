"""Notice that a service is being stopped, before uvicorn closes its connections."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class StopNotice:
    """Whether a service is being stopped.

    Not a :class:`threading.Event`: if a second signal arrives while the handler of the first one sets an event, both
    wait forever for its lock.
    """

    noticed: bool = False


@contextmanager
def stop_noticed(stopping: StopNotice) -> Iterator[None]:
    """Set ``stopping.noticed`` when SIGTERM or Ctrl-C arrives, and then call the handler that was there before.

    uvicorn asks the open connections to close, but one that is accepted in the same moment is not among them. The
    service therefore closes every connection after its next response as soon as it is set. Outside of the main
    thread, as in tests, signals cannot be noticed.
    """
    stopping.noticed = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def notice(number: int, frame: FrameType | None) -> None:
        stopping.noticed = True
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
