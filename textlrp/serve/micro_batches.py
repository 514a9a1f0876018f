"""Micro-batching: what arrives while the worker thread is busy is computed together next.

There is no timer. An idle service computes a request immediately, and a busy one collects requests by itself. Models
run in one thread, so that the event loop never waits for them. All state belongs to the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from textlrp.serve.batch_work import Job

BATCHED_TEXTS = 64
"""Texts of a batch of several jobs. A larger batch saves nothing more and delays the first answer."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A job whose client awaits the answer. ``alone``: a batch with it failed, so it is computed by itself."""

    job: Job
    answer: asyncio.Future[bytes]
    alone: bool = False


class MicroBatches:
    """Computes the answers of jobs in one thread, several jobs with the same key together.

    ``work`` returns the answers of jobs with the same key. If it fails, each job is computed by itself, so that a job
    fails only by its own texts. ``observe`` is called with the number of texts of each batch.
    """

    def __init__(self, work: Callable[[Sequence[Job]], list[bytes]], observe: Callable[[int], None]) -> None:
        self._work, self._observe = work, observe
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[_Waiting] = deque()
        self._running = False

    async def answer(self, job: Job) -> bytes:
        """Return the answer of a job; raises what computing it raised."""
        waiting = _Waiting(job, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not self._running:
            self._start()
        return await waiting.answer

    def close(self) -> None:
        """Stop the thread after its current batch. Another job starts a new one."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def _start(self) -> None:
        batch = self._next_batch()
        self._running = bool(batch)
        if batch:
            jobs = [each.job for each in batch]
            self._observe(sum(len(job.documents) for job in jobs))
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="textlrp")
            running = asyncio.get_running_loop().run_in_executor(self._thread, _answers_or_error, self._work, jobs)
            running.add_done_callback(partial(self._finish, batch))

    def _next_batch(self) -> list[_Waiting]:
        """Remove the oldest job and all with the same key from the queue, up to :data:`BATCHED_TEXTS` texts."""
        batch: list[_Waiting] = []
        rest: deque[_Waiting] = deque()
        texts = 0
        for each in self._waiting:
            if each.answer.done():  # its client no longer waits
                continue
            size = len(each.job.documents)
            fits = texts + size <= BATCHED_TEXTS and not (each.alone or (batch and batch[0].alone))
            if not batch or (fits and each.job.key == batch[0].job.key):
                batch.append(each)
                texts += size
            else:
                rest.append(each)
        self._waiting = rest
        return batch

    def _finish(self, batch: list[_Waiting], running: asyncio.Future[list[bytes]]) -> None:
        problem = asyncio.CancelledError() if running.cancelled() else running.exception()
        if problem is None:
            for each, answer in zip(batch, running.result(), strict=True):
                if not each.answer.done():
                    each.answer.set_result(answer)
        elif len(batch) > 1:
            for each in batch:
                each.alone = True
            self._waiting.extendleft(reversed(batch))
        elif not batch[0].answer.done():
            batch[0].answer.set_exception(problem)
        self._start()


def _answers_or_error(work: Callable[[Sequence[Job]], list[bytes]], jobs: Sequence[Job]) -> list[bytes]:
    """Call ``work``. A future cannot have a StopIteration, such as of a user's tokenizer, and would never be done."""
    try:
        return work(jobs)
    except StopIteration as problem:
        raise RuntimeError("the computation raised StopIteration") from problem
