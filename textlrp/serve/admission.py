"""Limit what a service does at a time: waiting requests, their bodies, and the time of slow clients.

Open it to change when a request is answered with 408, 413 or 503.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textlrp.serve.problems import CLOSE, RETRY_AFTER, RequestProblem, busy
from textlrp.serve.serve_options import BODIES, ServeOptions
from textlrp.serve.service_metrics import ServiceMetrics

PIECE = 1 << 16
"""Bytes that are sent at a time: a client that does not read keeps no more than this in memory outside the queue."""
DISCARDED, DISCARD_SECONDS = 8, 1.0
"""How much of a body that is too long is read and discarded: times the longest allowed one, and for how long."""


class _UnreadAnswer(Exception):
    """The client did not read its answer in time."""


class Admission:
    """An ASGI application that reads the body of a POST request before it calls ``app``, within the limits.

    A request counts as waiting until its response was sent. So the memory of all requests is limited, and a client
    that reads slowly takes the place of one request only.
    """

    def __init__(self, app: ASGIApp, options: ServeOptions, metrics: ServiceMetrics) -> None:
        self._app, self._options, self._metrics = app, options, metrics
        self._requests = self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if self._requests >= self._options.max_waiting:
            problem = busy(f"The service is busy: {self._requests} requests are waiting. Try again later.")
            await problem.response()(scope, receive, send)
            return
        self._requests += 1
        self._metrics.waiting.inc()
        size = 0
        try:
            body = await self._read(Headers(scope=scope), receive)
            if self._bytes + len(body) > BODIES * self._options.max_body:
                raise busy("The service is busy: the waiting requests are too long. Try again later.")
            size = len(body)
            self._bytes += size
            await self._app(scope, _replay(body, receive), self._paced(send))
        except RequestProblem as problem:
            await problem.response()(scope, receive, send)
        except _UnreadAnswer:
            return
        finally:
            self._requests -= 1
            self._bytes -= size
            self._metrics.waiting.dec()

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        most, seconds = self._options.max_body, self._options.timeout
        too_long = RequestProblem(
            413,
            f"The body must have at most {most:,} bytes. Send several requests, or start the service with a larger "
            "--max-body.",
            headers=CLOSE,
        )
        stated = headers.get("content-length", "0")
        if stated.isdigit() and int(stated[:20]) > most:
            if "expect" not in headers:  # such a client has not begun to send
                await _discard(receive, DISCARDED * most)
            raise too_long
        parts, size = [], 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RequestProblem(400, "The client closed the connection.", headers=CLOSE)
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        parts.clear()
                        await _discard(receive, DISCARDED * most, message)
                        raise too_long
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise RequestProblem(
                408, f"The body must arrive within {seconds:g} seconds.", headers={**CLOSE, **RETRY_AFTER}
            ) from None

    def _paced(self, send: Send) -> Send:
        """Send a long answer in pieces, each only after the client has read most of the piece before."""

        async def in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._options.timeout):
                    await send(message)
            except TimeoutError:
                raise _UnreadAnswer from None

        async def sent(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= PIECE:
                await in_time(message)
                return
            for start in range(0, len(body), PIECE):
                more = start + PIECE < len(body) or message.get("more_body", False)
                await in_time({**message, "body": body[start : start + PIECE], "more_body": more})

        return sent


async def _discard(receive: Receive, most: int, message: Message | None = None) -> None:
    """Read up to ``most`` bytes of the rest of a body: a client that still sends would not see the answer."""
    size = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while size < most and (message is None or message.get("more_body", False)):
                message = await receive()
                size += len(message.get("body", b""))
    except TimeoutError:
        return


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives a body that was read before, and then what follows it."""
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return rest.pop() if rest else await receive()

    return replayed
