"""A process that explains parts: it is told what to do by the one that reads the corpus and keeps the folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pyarrow as pa

from textlrp.bulk.explainer import BatchExplainer
from textlrp.bulk.messages import Begin, Introduce, Share, Size
from textlrp.bulk.parts import size_of, write_part
from textlrp.bulk.shared_projections import attach, share
from textlrp.errors import DataError, TextlrpError
from textlrp.models.base import Classifier
from textlrp.models.loading import load


def work(connection: Connection, model: Classifier | str, options: dict[str, Any]) -> None:
    """Answer messages until the other end is closed; the last answer is an exception where there was one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends the processes
    try:
        _answer(connection, load(model) if isinstance(model, str) else model, options)
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except TextlrpError as problem:
        with suppress(BrokenPipeError):
            connection.send(problem)
    except Exception as problem:  # noqa: BLE001  whatever a tokenizer of the user raises: it is said, not passed over
        said = f"a process stopped at a part it explained: {type(problem).__name__}: {problem}. What is done is kept."
        with suppress(BrokenPipeError):
            connection.send(DataError(said))


def _answer(connection: Connection, model: Classifier, options: dict[str, Any]) -> None:
    explainer = BatchExplainer(model, memory=0, **options)
    folder = Path()
    held: list[SharedMemory] = []
    for message in _messages(connection):
        match message:
            case Introduce():
                connection.send(explainer.about)
            case Size(rows):
                connection.send(size_of(explainer, rows))
            case Share(memory):
                connection.send(share(model, memory))
            case Begin(shared, memory, folder):
                kept, held = attach(shared) if shared is not None else (None, held)
                explainer = BatchExplainer(model, memory=memory, kept=kept, **options)
            case pa.Table() as part:
                connection.send(write_part(explainer, part, folder))


def _messages(connection: Connection) -> Iterator[Any]:
    """The messages until the other end is closed, read ahead: who sends one waits for no part to be done."""
    came: SimpleQueue[Any] = SimpleQueue()

    def read() -> None:
        try:
            with suppress(EOFError, OSError):
                while True:
                    came.put(connection.recv())
        finally:
            came.put(None)

    Thread(target=read, daemon=True).start()
    while (message := came.get()) is not None:
        yield message
