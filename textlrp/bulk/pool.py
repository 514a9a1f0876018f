"""Processes of this machine that explain parts side by side. One that dies is replaced, and its part done again."""

from __future__ import annotations

import signal
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from textlrp.bulk.batches import BatchExplainer
from textlrp.bulk.parts import PART_ROWS, Written, part_of, write_part
from textlrp.bulk.sharing import SharedProjections
from textlrp.errors import DataError, TextlrpError
from textlrp.models.base import TextClassifier
from textlrp.processes import context, warm_up

PRELOAD = __name__
"""What processes have imported when they begin."""

TRIES = 3
"""How often a part is given to a process before the run stops."""

PATIENCE = 10
"""Seconds that processes have to end by themselves."""

AHEAD = 2
"""Parts that a process has at once: the one it works on, and the next."""


class Task(NamedTuple):
    """What a process needs to know: the model, the options of :class:`BatchExplainer`, where the files go.

    Where no projections are ``shared``, each process makes its own in at most ``memory`` bytes.
    """

    model: TextClassifier | str
    options: dict[str, Any]
    shared: SharedProjections | None
    memory: int
    folder: Path


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection
    parts: deque[pa.Table]


def explain_parts(parts: Iterator[pa.Table], task: Task, workers: int) -> Iterator[Written]:
    """Explain parts in ``workers`` processes, and tell of each when its file is written.

    Raises :class:`DataError` where a part brings down one process after another, and what the processes raise.
    """
    warm_up(PRELOAD)
    begin = context(PRELOAD)
    pool: list[_Worker] = []
    again: deque[pa.Table] = deque()
    tries: Counter[int] = Counter()

    def next_part() -> pa.Table | None:
        return again.popleft() if again else next(parts, None)

    def feed(worker: _Worker) -> None:
        while len(worker.parts) < AHEAD and (table := next_part()) is not None:
            worker.parts.append(table)
            with suppress(BrokenPipeError):  # it is dead: waiting for it says so
                worker.connection.send(table)

    try:
        for _ in range(workers):
            pool.append(_start(begin, task))
            feed(pool[-1])
        while any(worker.parts for worker in pool):
            for ready in wait([worker.connection for worker in pool if worker.parts]):
                worker = next(each for each in pool if each.connection is ready)
                try:
                    answer = worker.connection.recv()
                except (EOFError, OSError):
                    pool.remove(worker)
                    _mourn(worker, tries)
                    again.extend(worker.parts)
                    pool.append(_start(begin, task))
                    feed(pool[-1])
                    continue
                if isinstance(answer, Exception):
                    raise answer
                worker.parts.popleft()
                feed(worker)
                yield answer
    finally:
        _stop(pool)


def _start(begin: Any, task: Task) -> _Worker:
    ours, theirs = begin.Pipe()
    process = begin.Process(target=_work, args=(theirs, task), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, deque())


def _mourn(worker: _Worker, tries: Counter[int]) -> None:
    """Count a process's death against the part it worked on."""
    part = part_of(worker.parts[0])
    tries[part] += 1
    worker.connection.close()
    worker.process.join()
    if tries[part] >= TRIES:
        first = part * PART_ROWS + 1
        raise DataError(
            f"a process that explained the rows {first} to {first + len(worker.parts[0]) - 1} ended {TRIES} times "
            f"(exit code {worker.process.exitcode}), for want of memory perhaps; take fewer --workers or --top-k, or "
            "look at these rows. What is done is kept."
        )


def _stop(pool: list[_Worker]) -> None:
    """End the processes: each by itself after the part it works on, and those that take long at once."""
    for worker in pool:
        worker.connection.close()
    patience = time.monotonic() + PATIENCE
    for worker in pool:
        worker.process.join(max(0, patience - time.monotonic()))
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join()


def _work(connection: Connection, task: Task) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends the processes
    try:
        kept, _held = task.shared.attach() if task.shared is not None else (None, [])
        explainer = BatchExplainer(task.model, **task.options, memory=task.memory, kept=kept)
        while True:
            connection.send(write_part(explainer, connection.recv(), task.folder))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone, or needs us no more
    except TextlrpError as problem:
        with suppress(BrokenPipeError):
            connection.send(problem)
    except Exception as problem:  # noqa: BLE001  whatever a tokenizer of the user raises: it is said, not passed over
        said = f"a process stopped at a part it explained: {type(problem).__name__}: {problem}. What is done is kept."
        with suppress(BrokenPipeError):
            connection.send(DataError(said))
