"""Who may use a service, and what each answer carries: hosts, token, security headers, log and metrics.

Each function wraps an ASGI application in another one.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textlrp.errors import must_be
from textlrp.serve.problems import RequestProblem
from textlrp.serve.request_log import FIELDS, SERVICE_LOGGER
from textlrp.serve.serve_options import OPEN_PATHS, ServeOptions
from textlrp.serve.service_metrics import ServiceMetrics

NOTES = "textlrp"
"""Key of an ASGI scope with what a route reports for the log: ``model``, ``texts`` (a number), ``content``."""
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
_COUNTED_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


def with_host_check(app: ASGIApp, options: ServeOptions) -> ASGIApp:
    """Refuse requests with an unknown ``Host``: a page of another site may have rebound its name to this address."""
    hosts = options.accepted_hosts()

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and hosts is not None:
            given = Headers(scope=scope).getlist("host")
            if len(given) != 1 or host_name(given[0]) not in hosts:
                hint = "Start the service with --allowed-host NAME to accept this name."
                what = f"one of {', '.join(sorted(hosts))}"
                problem = RequestProblem(421, must_be("Host", what, ", ".join(given), hint))
                await problem.response()(scope, receive, send)
                return
        await app(scope, receive, send)

    return checked


def host_name(host: str) -> str:
    """Return the name in a header ``Host``, in lower case, without the port and the brackets of IPv6.

    >>> host_name("Localhost:8000"), host_name("[::1]:80"), host_name("::1")
    ('localhost', '::1', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, colon, port = host.rpartition(":")
    return (name if colon and ":" not in name and port.isdigit() else host).lower()


def with_token(app: ASGIApp, token: str | None) -> ASGIApp:
    """Require ``Authorization: Bearer TOKEN``, compared in constant time; a ``token`` of None requires nothing."""
    if token is None:
        return app
    expected = token.encode()

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
            matches = hmac.compare_digest(given.strip().encode("latin-1", "replace"), expected)
            if scheme.lower() != "bearer" or not matches:
                detail = "Authorization must be 'Bearer TOKEN' with the token of the service."
                problem = RequestProblem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="textlrp"'})
                await problem.response()(scope, receive, send)
                return
        await app(scope, receive, send)

    return checked


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Let the pages of some origins use the API; without ``origins`` browsers refuse it to all other pages."""
    if not origins:
        return app
    return CORSMiddleware(
        app, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["Authorization", "Content-Type"]
    )


def observed(app: ASGIApp, metrics: ServiceMetrics, stopping: Callable[[], bool]) -> ASGIApp:
    """Add the security headers to each answer, write one line of log for it, and count it.

    While the service is ``stopping``, each answer closes its connection.
    """

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0
        notes = scope.setdefault(NOTES, {})

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if stopping():
                    headers["Connection"] = "close"
            await send(message)

        try:
            await app(scope, receive, sent)
        finally:
            _record_answer(scope, status or 500, time.perf_counter() - begun, notes, metrics)

    return answered


def _record_answer(
    scope: Scope, status: int, seconds: float, notes: Mapping[str, Any], metrics: ServiceMetrics
) -> None:
    """Log and count an answered request. Unknown paths and methods have one name each, so that metrics stay few."""
    route = getattr(scope.get("route"), "path", "unknown")
    method = scope["method"] if scope["method"] in _COUNTED_METHODS else "other"
    metrics.requests.labels(method, route, status).inc()
    metrics.seconds.labels(route).observe(seconds)
    if texts := notes.get("texts", 0):
        metrics.texts.labels(route).inc(texts)
    fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 2), **notes}
    SERVICE_LOGGER.info("request", extra={FIELDS: fields})
