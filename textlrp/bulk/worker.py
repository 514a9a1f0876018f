"""The main function of a worker process: receive messages from the parent process, and send replies."""

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

from textlrp.bulk.alone import SingleProcessEngine
from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.messages import BeginRun, GetMetadata, MeasureSize, ShareProjections
from textlrp.bulk.shared_projections import share
from textlrp.errors import DataError, TextlrpError
from textlrp.models.classifier import Classifier


def work(connection: Connection, model: Classifier | str, options: BulkOptions, memory: int) -> None:
    """Reply to messages until the parent closes the connection; send an exception to the parent, and end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends its workers
    try:
        _reply(connection, SingleProcessEngine(model, options, memory=memory))
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except TextlrpError as problem:
        with suppress(BrokenPipeError):
            connection.send(problem)
    except Exception as problem:  # noqa: BLE001  a user's tokenizer may raise anything
        text = (
            f"a worker process failed: {type(problem).__name__}: {problem}. The files written so far are kept. Fix "
            "the problem, and repeat the call to continue the run."
        )
        with suppress(BrokenPipeError):
            connection.send(DataError(text))


def _reply(connection: Connection, engine: SingleProcessEngine) -> None:
    folder = Path()
    for message in _messages(connection):
        match message:
            case GetMetadata():
                connection.send(engine.metadata)
            case MeasureSize(rows):
                connection.send(engine.size(rows))
            case ShareProjections():
                connection.send(share(engine.model, engine.memory))
            case BeginRun(shared, folder):
                engine.prepare(shared)
            case pa.Table() as shard:
                connection.send(engine.write(shard, folder))


def _messages(connection: Connection) -> Iterator[Any]:
    """Yield the messages until the parent closes the connection.

    A thread receives them ahead of time, so that the parent never waits on a full pipe while this process works.
    """
    received: SimpleQueue[Any] = SimpleQueue()

    def read() -> None:
        try:
            with suppress(EOFError, OSError):
                while True:
                    received.put(connection.recv())
        finally:
            received.put(None)

    Thread(target=read, daemon=True).start()
    while (message := received.get()) is not None:
        yield message
