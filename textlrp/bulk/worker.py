"""The main function of a worker process: receive messages from the parent process, send back results."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pyarrow as pa

from textlrp.bulk.alone import Alone
from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.messages import Begin, Introduce, Share, Size
from textlrp.bulk.shared_projections import share
from textlrp.errors import DataError, TextlrpError
from textlrp.models.classifier import Classifier


def work(connection: Connection, model: Classifier | str, options: BulkOptions, memory: int) -> None:
    """Answer messages until the parent closes the connection; an exception is sent back and ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends its workers
    try:
        _answer(connection, Alone(model, options, memory=memory))
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except TextlrpError as problem:
        with suppress(BrokenPipeError):
            connection.send(problem)
    except Exception as problem:  # noqa: BLE001  a user's tokenizer may raise anything
        said = f"a process stopped at a part it explained: {type(problem).__name__}: {problem}. What is done is kept."
        with suppress(BrokenPipeError):
            connection.send(DataError(said))


def _answer(connection: Connection, alone: Alone) -> None:
    folder = Path()
    for message in _messages(connection):
        match message:
            case Introduce():
                connection.send(alone.about)
            case Size(rows):
                connection.send(alone.size(rows))
            case Share():
                connection.send(share(alone.model, alone.memory))
            case Begin(shared, folder):
                alone.prepare(shared)
            case pa.Table() as part:
                connection.send(alone.write(part, folder))


def _messages(connection: Connection) -> Iterator[Any]:
    """Yield the messages until the parent closes the connection; read ahead, so that sending never waits for work."""
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
