"""Micro-batching: what is computed together, in which order, and what happens if it fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_loop import run_alone
from services import toy_models

from textlrp.errors import DataError
from textlrp.records import Document
from textlrp.serve.batch_work import Job, JobKey
from textlrp.serve.micro_batches import BATCHED_TEXTS, MicroBatches


def job(texts: Sequence[str], key: int = 0) -> Job:
    return Job(
        JobKey(toy_models()[0], "explain", ("epsilon", "gamma")[key]), tuple(Document(text, text) for text in texts)
    )


def texts_of(jobs: Sequence[Job]) -> list[bytes]:
    """The work of these tests: the texts of each job, joined."""
    return ["|".join(document.text for document in job.documents).encode() for job in jobs]


def answers_of(
    work: Callable[[Sequence[Job]], list[bytes]], jobs: Sequence[Job], sizes: list[int] | None = None
) -> list[Any]:
    """The answers or exceptions of jobs that arrive at the same moment."""

    async def all_answers() -> list[Any]:
        batches = MicroBatches(work, [].append if sizes is None else sizes.append)
        found: list[Any] = await asyncio.gather(*map(batches.answer, jobs), return_exceptions=True)
        batches.close()
        return found

    return run_alone(all_answers())


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 70), st.integers(0, 1), st.booleans()), max_size=30))
def test_each_job_gets_its_own_answer_or_its_own_error(kinds: list[tuple[int, int, bool]]) -> None:
    jobs = [job([f"{row} {n} {'bad' if bad else ''}" for n in range(size)], key)
            for row, (size, key, bad) in enumerate(kinds)]  # fmt: skip

    def work(batch: Sequence[Job]) -> list[bytes]:
        assert len({each.key for each in batch}) == 1
        assert len(batch) == 1 or sum(len(each.documents) for each in batch) <= BATCHED_TEXTS
        if any("bad" in document.text for each in batch for document in each.documents):
            raise DataError("a text is bad")
        return texts_of(batch)

    for each, (_, _, bad), found in zip(jobs, kinds, answers_of(work, jobs), strict=True):
        assert isinstance(found, DataError) if bad else found == texts_of([each])[0]


def test_what_waits_is_computed_together() -> None:
    sizes: list[int] = []
    jobs = [job([str(n)], n % 2) for n in range(20)]
    assert answers_of(texts_of, jobs, sizes) == texts_of(jobs)
    assert sizes == [1, 10, 9]  # the first starts at once; then the oldest key, then what is left of the first


def test_a_job_whose_client_left_is_not_computed() -> None:
    computed: list[str] = []
    started, go = threading.Event(), threading.Event()

    def work(batch: Sequence[Job]) -> list[bytes]:
        started.set()
        assert go.wait(10)
        computed.extend(document.text for each in batch for document in each.documents)
        return texts_of(batch)

    async def run() -> None:
        batches = MicroBatches(work, lambda _: None)
        first = asyncio.create_task(batches.answer(job(["first"])))
        second = asyncio.create_task(batches.answer(job(["second"])))
        third = asyncio.create_task(batches.answer(job(["third"])))
        await asyncio.to_thread(started.wait, 10)
        second.cancel()
        first.cancel()
        await asyncio.sleep(0)
        go.set()
        assert await third == b"third"
        batches.close()

    run_alone(run())
    assert computed == ["first", "third"]


def test_the_event_loop_is_free_while_a_batch_is_computed() -> None:
    go = threading.Event()

    def work(batch: Sequence[Job]) -> list[bytes]:
        assert go.wait(10)
        return texts_of(batch)

    async def run() -> bytes:
        batches = MicroBatches(work, lambda _: None)
        answer = asyncio.create_task(batches.answer(job(["a"])))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not answer.done()
        go.set()  # only possible because the loop still runs
        found = await answer
        batches.close()
        return found

    assert run_alone(run()) == b"a"


@pytest.mark.parametrize("problem", [ZeroDivisionError, MemoryError, StopIteration])
def test_an_unexpected_error_is_raised_to_its_client(problem: type[Exception]) -> None:
    def work(batch: Sequence[Job]) -> list[bytes]:
        if any(each.documents[0].text == "bad" for each in batch):
            raise problem
        return texts_of(batch)

    async def all_in_time() -> list[Any]:
        batches = MicroBatches(work, lambda _: None)
        jobs = [job(["a"]), job(["bad"]), job(["b"])]
        async with asyncio.timeout(5):
            found: list[Any] = await asyncio.gather(*map(batches.answer, jobs), return_exceptions=True)
        batches.close()
        return found

    first, bad, last = run_alone(all_in_time())
    assert (first, last) == (b"a", b"b")
    assert isinstance(bad, RuntimeError if problem is StopIteration else problem)
