"""Processes of this machine that explain parts side by side. One that dies is replaced, and its part done again.

This end reads, hands out and counts; it needs no torch, and so takes little memory beside the processes.
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

from textlrp.bulk.messages import Begin, Introduce, Share, Size
from textlrp.bulk.parts import PART_ROWS, Parts, Written, part_of
from textlrp.errors import DataError
from textlrp.machine import context, warm_up
from textlrp.rows import About

if TYPE_CHECKING:
    from textlrp.models.base import TextClassifier

PRELOAD = "textlrp.bulk.worker"
"""What processes have imported when they begin."""

TRIES = 3
"""How often a part is given to a process before the run stops."""

PATIENCE = 10
"""Seconds that processes have to end by themselves."""

AHEAD = 2
"""Parts that a process has at once: the one it works on, and the next."""


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection
    parts: deque[pa.Table]


@contextmanager
def processes(
    model: TextClassifier | str, options: dict[str, Any], *, workers: int, memory: int
) -> Iterator[Processes]:
    """``workers`` processes with the model loaded; they end with the context."""
    warm_up(PRELOAD)
    pool = Processes(model, options, workers, memory)
    try:
        pool.start()
        yield pool
    finally:
        pool.stop()


class Processes:
    """What explains parts in processes of this machine; see :class:`textlrp.bulk.run.Engine`.

    ``options`` are those of :class:`BatchExplainer`; ``memory``: bytes that the projections they share may take.
    """

    about: About

    def __init__(self, model: TextClassifier | str, options: dict[str, Any], workers: int, memory: int) -> None:
        self._asked = (model, options)
        self._workers, self._memory = workers, memory
        self._context = context(PRELOAD)
        self._pool: list[_Worker] = []
        self._begin: Begin | None = None
        self._again: deque[pa.Table] = deque()
        self._tries: Counter[int] = Counter()

    def start(self) -> None:
        """Let all processes load the model; raises what that raises."""
        for _ in range(self._workers):
            self._add()
        self.about = self._ask(Introduce(), "loaded the model")

    def size(self, rows: pa.Table) -> int:
        """How many bytes the explanations of these rows take."""
        first = int(rows["row"][0].as_py()) + 1
        size: int = self._ask(Size(rows), f"explained the rows {first} to {first + len(rows) - 1}")
        return size

    def explain(self, parts: Parts, folder: Path) -> Generator[Written, None, None]:
        """Explain parts, and tell of each when its file is written.

        Raises :class:`DataError` where a part brings down one process after another, and what the processes raise.
        """
        shared = self._ask(Share(self._memory), "projected the frequent words")
        self._begin = Begin(shared, self._memory, folder)
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
        """The answer of the first process, which has no part yet."""
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
        """Bury a process that died, count it against the part it worked on, and begin another."""
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
        """End the processes: each by itself after the part it works on, and those that take long at once."""
        for worker in self._pool:
            worker.connection.close()
        patience = time.monotonic() + PATIENCE
        for worker in self._pool:
            worker.process.join(max(0, patience - time.monotonic()))
            if worker.process.is_alive():
                worker.process.terminate()
                worker.process.join()


def _send(worker: _Worker, message: Any) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # it is dead: waiting for its answer says so
        worker.connection.send(message)


def _work(connection: Connection, model: TextClassifier | str, options: dict[str, Any]) -> None:
    from textlrp.bulk.worker import work  # late: torch comes with it

    work(connection, model, options)
