"""What uvicorn leaves open: limits for the head of a request, and for connections; a stop that loses no request."""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 1 << 16
"""Bytes of the request line and headers, and of the trailers after a body."""
HEAD_SECONDS = 10.0
"""Time in which the request line and headers must arrive."""
MOST_CONNECTIONS = 1000
"""Open connections of a process."""
UNREAD_SECONDS = 60.0
"""Time after which the connection of a client that reads nothing is ended, on Linux."""
LINGER_SECONDS = 0.5
"""Time in which a request on an idle connection is still answered when the service stops."""

_REFUSALS = {
    408: b"HTTP/1.1 408 Request Timeout\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n",
}


class GuardedProtocol(HttpToolsProtocol):
    """A connection of uvicorn that is closed if the head of a request is too long or too slow.

    When the service stops, an idle connection stays open for :data:`LINGER_SECONDS`. So a request that is on its way
    is answered, with ``Connection: close``.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or refuse it if there are too many."""
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # closing alone would wait until the client reads
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * UNREAD_SECONDS))
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503)
            return
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        self._head_bytes += len(data)
        super().data_received(data)
        self._head_bytes = max(0, self._head_bytes)
        if self.transport.is_closing():
            return
        if self._head_bytes > HEAD_BYTES:
            if self._in_head:
                self._refuse(431)
            else:  # trailers, or chunks of nothing; an answer may be on its way
                self.transport.close()
        elif self._in_head and self._head_bytes and self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._stop_timer()
        self._in_head = False
        super().on_headers_complete()
        if self._stopping:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on. It has its own limit."""
        self._head_bytes -= len(body)
        super().on_body(body)

    def on_chunk_complete(self) -> None:
        """Count what is around each chunk by itself: a body may have any number of them."""
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        """Expect the head of the next request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def shutdown(self) -> None:
        """Close the connection as soon as it is idle."""
        self._stopping = True
        if self._idle():
            self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            super().shutdown()

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._idle() and not self.transport.is_closing():
            self.transport.close()

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(408)
        else:
            self.transport.close()

    def _refuse(self, status: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(_REFUSALS[status] + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
