"""Explain parts in several worker processes. A worker that dies is replaced and its parts are explained again.

The parent process reads the corpus and distributes parts; it does not import torch, which saves memory.

Why not `concurrent.futures`: a dead process breaks its whole executor, which reports neither the task of that process
nor its exit code, and the named semaphores of an executor outlive a run that is killed.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from textlrp.bulk.bulk_options import BulkOptions
from textlrp.bulk.messages import Begin, Introduce, Share, Size
from textlrp.bulk.parts import PART_ROWS, Parts, Written, part_of
from textlrp.errors import DataError
from textlrp.machine import context, warm_up
from textlrp.store.columns import About

if TYPE_CHECKING:
    from textlrp.models.base import TextClassifier

PRELOAD = "textlrp.bulk.worker"
"""The module that worker processes have imported when they start."""

TRIES = 3
"""How many workers may die while they explain the same part before the run stops."""

PATIENCE = 10
"""Seconds that a worker has to finish its part before it is terminated."""

AHEAD = 2
"""Parts that a worker has at a time: the one it explains, and the next."""


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection
    parts: deque[pa.Table]


@contextmanager
def processes(model: TextClassifier | str, options: BulkOptions, *, workers: int, memory: int) -> Iterator[Processes]:
    """Start ``workers`` processes that load the model; end them with the context."""
    warm_up(PRELOAD)
    pool = Processes(model, options, workers, memory)
    try:
        pool.start()
        yield pool
    finally:
        pool.stop()


class Processes:
    """The engine of several processes of this machine; see :class:`textlrp.bulk.run.Engine`.

    ``memory``: the most bytes that the projections they share may take.
    """

    about: About

    def __init__(self, model: TextClassifier | str, options: BulkOptions, workers: int, memory: int) -> None:
        self._asked = (model, options, memory)
        self._workers = workers
        self._context = context(PRELOAD)
        self._pool: list[_Worker] = []
        self._begin: Begin | None = None
        self._again: deque[pa.Table] = deque()
        self._tries: Counter[int] = Counter()

    def start(self) -> None:
        """Start all workers and wait until the first has loaded the model; raises what loading raises."""
        for _ in range(self._workers):
            self._add()
        self.about = self._ask(Introduce(), "loaded the model")

    def size(self, rows: pa.Table) -> int:
        """How many bytes the explanations of these rows take."""
        first = int(rows["row"][0].as_py()) + 1
        size: int = self._ask(Size(rows), f"explained the rows {first} to {first + len(rows) - 1}")
        return size

    def explain(self, parts: Parts, folder: Path) -> Generator[Written, None, None]:
        """Explain parts; yield a summary of each when its file is written.

        Raises :class:`DataError` if :data:`TRIES` workers die at the same part, and any exception of a worker.
        """
        shared = self._ask(Share(), "projected the frequent words")
        self._begin = Begin(shared, folder)
        try:
            for worker in self._pool:
                _send(worker, self._begin)
                self._feed(worker, parts)
            while any(worker.parts for worker in self._pool):
                for ready in wait([worker.connection for worker in self._pool if worker.parts]):
                    worker = next(each for each in self._pool if each.connection is ready)
                    try:
                        answer = worker.connection.recv()
                    except (EOFError, OSError):
                        self._replace(worker, parts)
                        continue
                    if isinstance(answer, Exception):
                        raise answer
                    worker.parts.popleft()
                    self._feed(worker, parts)
                    yield answer
        finally:
            if shared is not None:
                shared.release()

    def _add(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, *self._asked), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours, deque())
        self._pool.append(worker)
        if self._begin is not None:
            _send(worker, self._begin)
        return worker

    def _ask(self, message: Introduce | Size | Share, doing: str) -> Any:
        """Send a message to the first worker, which has no part yet, and wait for its answer."""
        worker = self._pool[0]
        _send(worker, message)
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            raise DataError(
                f"the process that {doing} ended (exit code {worker.process.exitcode}), for want of memory perhaps; "
                "take fewer --workers, or look at what it worked on."
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _feed(self, worker: _Worker, parts: Parts) -> None:
        while len(worker.parts) < AHEAD:
            table = self._again.popleft() if self._again else next(parts, None)
            if table is None:
                return
            worker.parts.append(table)
            _send(worker, table)

    def _replace(self, worker: _Worker, parts: Parts) -> None:
        """Count the death of a worker against the part it was explaining, and start another."""
        self._pool.remove(worker)
        part = part_of(worker.parts[0])
        self._tries[part] += 1
        worker.connection.close()
        worker.process.join()
        if self._tries[part] >= TRIES:
            first = part * PART_ROWS + 1
            raise DataError(
                f"a process that explained the rows {first} to {first + len(worker.parts[0]) - 1} ended {TRIES} "
                f"times (exit code {worker.process.exitcode}), for want of memory perhaps; take fewer --workers or "
                "--top-k, or look at these rows. What is done is kept."
            )
        self._again.extend(worker.parts)
        self._feed(self._add(), parts)

    def stop(self) -> None:
        """End the workers: each after the part it is explaining, or when :data:`PATIENCE` runs out."""
        for worker in self._pool:
            worker.connection.close()
        patience = time.monotonic() + PATIENCE
        for worker in self._pool:
            worker.process.join(max(0, patience - time.monotonic()))
            if worker.process.is_alive():
                worker.process.terminate()
                worker.process.join()


def _send(worker: _Worker, message: Any) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the worker is dead; receiving its answer will show that
        worker.connection.send(message)


def _work(connection: Connection, model: TextClassifier | str, options: BulkOptions, memory: int) -> None:
    from textlrp.bulk.worker import work  # late: torch comes with it

    work(connection, model, options, memory)
