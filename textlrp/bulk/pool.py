"""Explain shards in several worker processes. A worker that dies is replaced and its shards are explained again.

The parent process reads the corpus and distributes the shards. It does not import torch, which saves memory.

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
from textlrp.bulk.messages import BeginRun, GetMetadata, MeasureSize, ShareProjections
from textlrp.bulk.sendable import check_sendable
from textlrp.bulk.shards import SHARD_ROWS, Shards, ShardSummary, shard_number
from textlrp.errors import DataError
from textlrp.machine import process_context, start_forkserver
from textlrp.store.columns import RunMetadata

if TYPE_CHECKING:
    from textlrp.models.base import TextClassifier

PRELOAD = "textlrp.bulk.worker"
"""The module that the forkserver imports for all worker processes."""

MAX_DEATHS = 3
"""The run stops when this number of workers have died while they explained the same shard."""

STOP_TIMEOUT = 10
"""Seconds that a worker has to finish its shard before it is terminated."""

QUEUED_SHARDS = 2
"""Shards that a worker has at a time: the one that it explains, and the next one, so that it never waits."""


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection
    shards: deque[pa.Table]


@contextmanager
def worker_processes(
    model: TextClassifier | str, options: BulkOptions, *, workers: int, memory: int
) -> Iterator[ProcessPoolEngine]:
    """Start ``workers`` processes that load the model, and stop them when the context ends."""
    check_sendable(model)
    start_forkserver(PRELOAD)
    pool = ProcessPoolEngine(model, options, workers, memory)
    try:
        pool.start()
        yield pool
    finally:
        pool.stop()


class ProcessPoolEngine:
    """The engine that uses several processes of this machine; see :class:`textlrp.bulk.run.Engine`.

    ``memory``: limit in bytes for the projections of frequent words, which the processes share.
    """

    metadata: RunMetadata

    def __init__(self, model: TextClassifier | str, options: BulkOptions, workers: int, memory: int) -> None:
        self._worker_arguments = (model, options, memory)
        self._workers = workers
        self._context = process_context(PRELOAD)
        self._pool: list[_Worker] = []
        self._begin: BeginRun | None = None
        self._unfinished: deque[pa.Table] = deque()
        self._deaths: Counter[int] = Counter()

    def start(self) -> None:
        """Start all workers and wait until the first has loaded the model; raise its exception if loading fails."""
        for _ in range(self._workers):
            self._add()
        self.metadata = self._ask(GetMetadata(), "loaded the model")

    def size(self, rows: pa.Table) -> int:
        """The size in bytes of a file with the explanations of these rows."""
        first = int(rows["row"][0].as_py()) + 1
        size: int = self._ask(MeasureSize(rows), f"explained rows {first} to {first + len(rows) - 1}")
        return size

    def explain(self, shards: Shards, folder: Path) -> Generator[ShardSummary, None, None]:
        """Explain the shards; yield the summary of each one after its file is written.

        Raises :class:`DataError` if :data:`MAX_DEATHS` workers die at the same shard, and any exception of a worker.
        """
        shared = self._ask(ShareProjections(), "projected the frequent words")
        self._begin = BeginRun(shared, folder)
        try:
            for worker in self._pool:
                _send(worker, self._begin)
                self._feed(worker, shards)
            while any(worker.shards for worker in self._pool):
                for ready in wait([worker.connection for worker in self._pool if worker.shards]):
                    worker = next(each for each in self._pool if each.connection is ready)
                    try:
                        reply = worker.connection.recv()
                    except (EOFError, OSError):
                        self._replace(worker, shards)
                        continue
                    if isinstance(reply, Exception):
                        raise reply
                    worker.shards.popleft()
                    self._feed(worker, shards)
                    yield reply
        finally:
            if shared is not None:
                shared.release()

    def _add(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, *self._worker_arguments), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours, deque())
        self._pool.append(worker)
        if self._begin is not None:
            _send(worker, self._begin)
        return worker

    def _ask(self, message: GetMetadata | MeasureSize | ShareProjections, task: str) -> Any:
        """Send a message to the first worker, which has no shard yet, and return its reply.

        ``task``: what the worker does, in the past tense, for the error message if it dies.
        """
        worker = self._pool[0]
        _send(worker, message)
        try:
            reply = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            raise DataError(
                f"the process that {task} died (exit code {worker.process.exitcode}). It may have run out of memory. "
                "Use fewer workers (--workers), or check the input that it worked on."
            ) from None
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _feed(self, worker: _Worker, shards: Shards) -> None:
        """Send shards to a worker until it has :data:`QUEUED_SHARDS`, first those of workers that died."""
        while len(worker.shards) < QUEUED_SHARDS:
            shard = self._unfinished.popleft() if self._unfinished else next(shards, None)
            if shard is None:
                return
            worker.shards.append(shard)
            _send(worker, shard)

    def _replace(self, worker: _Worker, shards: Shards) -> None:
        """Count the death of a worker for the shard that it was explaining, and start another worker.

        Raises :class:`DataError` after :data:`MAX_DEATHS` deaths at this shard.
        """
        self._pool.remove(worker)
        shard = shard_number(worker.shards[0])
        self._deaths[shard] += 1
        worker.connection.close()
        worker.process.join()
        if self._deaths[shard] >= MAX_DEATHS:
            first, count = shard * SHARD_ROWS + 1, len(worker.shards[0])
            raise DataError(
                f"{MAX_DEATHS} processes died while they explained rows {first} to {first + count - 1} (exit code "
                f"{worker.process.exitcode}). They may have run out of memory. Use fewer workers (--workers) or a "
                "smaller top_k (--top-k), or check these rows. The files written so far are kept."
            )
        self._unfinished.extend(worker.shards)
        self._feed(self._add(), shards)

    def stop(self) -> None:
        """Stop the workers: each one after its current shard, or :data:`STOP_TIMEOUT` seconds later."""
        for worker in self._pool:
            worker.connection.close()
        deadline = time.monotonic() + STOP_TIMEOUT
        for worker in self._pool:
            worker.process.join(max(0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.terminate()
                worker.process.join()


def _send(worker: _Worker, message: Any) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the worker is dead; receiving its reply will raise
        worker.connection.send(message)


def _work(connection: Connection, model: TextClassifier | str, options: BulkOptions, memory: int) -> None:
    from textlrp.bulk.worker import work  # late, because it imports torch

    work(connection, model, options, memory)
