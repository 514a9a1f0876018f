"""A connection of the service: clients that send or read in a way that would occupy it without end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest
import uvicorn
from own_loop import run_alone
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from textlrp.serve import guarded_protocol
from textlrp.serve.guarded_protocol import HEAD_BYTES, GuardedProtocol

ANSWER = b"x" * 300_000
CHUNKED = b"%s / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def read_and_answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a POST with its body, and every other request with :data:`ANSWER`."""
    body, more = b"", scope["method"] == "POST"
    while more:
        message = await receive()
        more = message.get("more_body", False)
        body += message.get("body", b"")
    content = body or ANSWER
    length = str(len(content)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": content})


async def listen() -> tuple[asyncio.Server, ServerState, int]:
    """Start a server of guarded connections; return it, the state with its connections, and its port."""
    config = uvicorn.Config(read_and_answer, interface="asgi3", ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: GuardedProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    return server, state, server.sockets[0].getsockname()[1]


async def closed(state: ServerState, seconds: float = 5) -> bool:
    """Whether all connections are closed within some seconds."""
    for _ in range(int(100 * seconds)):
        if not state.connections:
            return True
        await asyncio.sleep(0.01)
    return False


def closed_after(content: bytes, line: bytes, most: int, *, answered: bytes = b"") -> bool:
    """Whether a connection is closed if a line is sent up to ``most`` times after ``content`` and its answer."""

    async def run() -> bool:
        server, state, port = await listen()
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(content)
            if answered:
                await reader.readuntil(answered)
            with contextlib.suppress(ConnectionError):
                for _ in range(most):
                    writer.write(line)
                    await writer.drain()
            ended = await closed(state)
            writer.close()
            return ended

    return run_alone(run())


@pytest.mark.parametrize(("method", "answered"), [(b"GET", ANSWER[-100:]), (b"POST", b"")], ids=["GET", "POST"])
def test_endless_trailers_close_the_connection(method: bytes, answered: bytes) -> None:
    line = b"x: " + b"a" * 10_000
    assert closed_after(CHUNKED % method + b"0\r\n", line + b"\r\n", 200, answered=answered)
    assert closed_after(CHUNKED % method + b"0\r\n", line, 200, answered=answered)  # a line without an end


def test_a_body_of_many_small_chunks_is_read() -> None:
    chunks, size = 20_000, 10

    async def run() -> bytes:
        server, _, port = await listen()
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(CHUNKED % b"POST" + b"a\r\n0123456789\r\n" * chunks + b"0\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(chunks * size)
            writer.close()
            return head[:12] + body

    assert 5 * chunks > HEAD_BYTES
    assert run_alone(run()) == b"HTTP/1.1 200" + b"0123456789" * chunks


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux ends such a connection")
def test_a_client_that_reads_nothing_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_protocol, "UNREAD_SECONDS", 0.3)

    async def run() -> Any:
        server, state, port = await listen()
        async with server:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", port))
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
                await asyncio.sleep(0.2)
                return len(state.connections), await closed(state)

    assert run_alone(run()) == (1, True)
