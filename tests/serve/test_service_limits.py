"""Limits of a service: overload, slow clients, and memory."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest
from own_loop import run_alone
from services import toy_models
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from toys import TEXTS

from textlrp.records import Document
from textlrp.serve.admission import PIECE, Admission
from textlrp.serve.api_routes import answer_in_time
from textlrp.serve.batch_work import Job, JobKey
from textlrp.serve.micro_batches import MicroBatches
from textlrp.serve.problems import RequestProblem
from textlrp.serve.serve_options import BODIES, ServeOptions
from textlrp.serve.service_app import service_app
from textlrp.serve.service_metrics import service_metrics

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}
Pause = Callable[[], Awaitable[Any]]


async def ask(app: ASGIApp, messages: Sequence[bytes | None], pause: Pause | None = None) -> tuple[int, bytes, int]:
    """Send the parts of a body, waiting forever at None; return status, body and number of parts of the answer.

    ``pause`` is awaited whenever the client receives something.
    """
    rest = list(messages)
    status, parts = 0, []

    async def receive() -> Message:
        part = rest.pop(0) if rest else None
        if part is None:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": part, "more_body": bool(rest)}

    async def send(message: Message) -> None:
        nonlocal status
        if pause is not None:
            await pause()
        status = message.get("status", status)
        if message["type"] == "http.response.body":
            parts.append(message["body"])

    await app(dict(SCOPE), receive, send)
    return status, b"".join(parts), len(parts)


def app_that(answer: Callable[[], Awaitable[bytes]], **options: Any) -> Admission:
    """An application that answers every request by ``answer``, within the limits of a service."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        content = await answer()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": content})

    return Admission(app, ServeOptions(**options), service_metrics())


async def short() -> bytes:
    """An answer of two bytes."""
    return b"ok"


def test_more_requests_than_may_wait_are_answered_with_503() -> None:
    go = asyncio.Event()

    async def answer() -> bytes:
        await go.wait()
        return b"ok"

    async def run() -> list[int]:
        app = app_that(answer, max_waiting=3)
        waiting = [asyncio.create_task(ask(app, [b"x"])) for _ in range(3)]
        await asyncio.sleep(0)
        refused = [await ask(app, [b"x"]) for _ in range(2)]
        assert orjson.loads(refused[0][1])["title"] == "Service Unavailable"
        go.set()
        accepted = await asyncio.gather(*waiting)
        again = await ask(app, [b"x"])
        return [status for status, _, _ in (*refused, *accepted, again)]

    assert run_alone(run()) == [503, 503, 200, 200, 200, 200]


def test_long_bodies_that_wait_together_are_limited() -> None:
    go = asyncio.Event()

    async def answer() -> bytes:
        await go.wait()
        return b"ok"

    async def run() -> list[int]:
        app = app_that(answer, max_body=100)
        waiting = [asyncio.create_task(ask(app, [b"x" * 100])) for _ in range(BODIES)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = await ask(app, [b"x"])
        go.set()
        return [refused[0], *(status for status, _, _ in await asyncio.gather(*waiting))]

    assert run_alone(run()) == [503, *[200] * BODIES]


def test_a_slow_body_times_out_and_gives_its_place_back() -> None:
    app = app_that(short, timeout=0.05, max_waiting=1)
    assert run_alone(ask(app, [b"{", None]))[0] == 408
    assert run_alone(ask(app, [b"x"]))[0] == 200


def test_a_body_in_parts_is_read_up_to_the_limit() -> None:
    app = app_that(short, max_body=10)
    assert run_alone(ask(app, [b"12345", b"67890"]))[0] == 200
    assert run_alone(ask(app, [b"12345", b"67890", b"1"]))[0] == 413


def test_the_rest_of_a_long_body_is_discarded_so_that_the_client_sees_the_answer() -> None:
    app = app_that(short, max_body=10, timeout=0.2)
    received = []

    async def run(parts: int) -> int:
        found: list[int] = []

        async def receive() -> Message:
            received.append(parts)
            return {"type": "http.request", "body": b"12345", "more_body": len(received) < parts}

        async def send(message: Message) -> None:
            found.append(message.get("status", 0))

        received.clear()
        await app(dict(SCOPE), receive, send)
        return found[0]

    assert (run_alone(run(12)), len(received)) == (413, 12)
    assert run_alone(run(10**9)) == 413
    assert len(received) < 30  # a body that does not end is not read forever


def test_a_long_answer_is_sent_in_parts_while_the_client_reads() -> None:
    content = bytes(range(256)) * 1000

    async def long() -> bytes:
        return content

    app = app_that(long)
    assert run_alone(ask(app, [b"x"])) == (200, content, -(-len(content) // PIECE))


def test_a_client_that_does_not_read_loses_its_answer_and_its_place() -> None:
    async def long() -> bytes:
        return bytes(10 * PIECE)

    app = app_that(long, timeout=0.05, max_waiting=1)
    received = 0

    async def pause() -> None:
        nonlocal received
        received += 1
        await asyncio.sleep(60 if received > 3 else 0)

    status, body, _ = run_alone(ask(app, [b"x"], pause))
    assert (status, len(body)) == (200, 2 * PIECE)
    assert run_alone(ask(app_that(short), [b"x"]))[0] == 200
    assert run_alone(ask(app, [b"x"]))[0] == 200


def test_a_job_is_given_up_when_its_client_disconnects() -> None:
    go, computed = threading.Event(), []

    def work(jobs: Sequence[Job]) -> list[bytes]:
        assert go.wait(10)
        computed.extend(jobs)
        return [b"" for _ in jobs]

    def job() -> Job:
        return Job(JobKey(toy_models()[0], "predict"), (Document("1", "a"),))

    async def run() -> None:
        batches, gone, jobs = MicroBatches(work, lambda _: None), asyncio.Event(), [job(), job()]

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def stay() -> Message:
            await asyncio.sleep(60)
            return {}

        first = asyncio.create_task(answer_in_time(batches, jobs[0], stay, 60))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(answer_in_time(batches, jobs[1], receive, 60))
        await asyncio.sleep(0.01)
        gone.set()
        with pytest.raises(RequestProblem, match="closed the connection"):
            await second
        go.set()
        assert await first == b""
        assert computed == jobs[:1]
        batches.close()

    run_alone(run())


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    app: Any = service_app(toy_models(), ServeOptions(timeout=1e-6))
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {**SCOPE, "path": "/v1/explain", "headers": headers, "query_string": b"", "raw_path": b"/v1/explain"}
    sent: list[Message] = []
    sent_body: list[bool] = []

    async def receive() -> Message:
        if sent_body:
            await asyncio.sleep(60)
        sent_body.append(True)
        return {"type": "http.request", "body": json.dumps({"texts": TEXTS}).encode()}

    async def send(message: Message) -> None:
        sent.append(message)

    # the limit for the body and for sending is the same, but these two take no time here
    run_alone(app(scope, receive, send))
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
