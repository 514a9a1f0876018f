"""Requests that try to break a service: wrong sizes, encodings, depth, types, headers, and bodies that never end."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 1e308, -1e-308, "", "all", "med", "\x00", "\u202e", "é" * 300,
    "a" * 5000, [], [[]], [None], [0] * 500, {}, {"target": "med"}, {"target": "med", "versus": "space", "more": 1},
    {"text": "a"}, {"text": 1}, {"text": "a", "skip": [[0, 1]]}, {"text": "a", "skip": [[1]]},
    {"text": "a", "skip": [[0, 2**40]]}, {"text": "a", "skip": [["0", "1"]]}, {"text": "a", "id": "x" * 1000},
    {"__proto__": {}}, "../../etc/passwd", "Gamma(0.5)", "Composite({0: Flat()})", "__import__('os')", "%s%n",
    "{{7*7}}",
)  # fmt: skip
FIELDS = ("texts", "target", "rule", "method", "start", "model", "unknown", "")
HEADERS = (
    "Content-Type: application/json; charset=utf-16", "Content-Type: text/html", "Content-Type: \x00",
    "Content-Type:", "Content-Type: application/json\r\nContent-Type: text/plain", "Content-Encoding: br",
    "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity",
    "Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: 1e3", "Content-Length: 0x10",
    "Content-Length: 5\r\nContent-Length: 6", "Expect: 100-continue", "Expect: everything", "Upgrade: websocket",
    "Connection: upgrade\r\nUpgrade: h2c", "Connection: close", "Host: evil.example", "Host: a\r\nHost: b", "Host:",
    "Authorization: Bearer \xff", "Accept: " + "text/html," * 1000, "Accept: text/html;q=nan", "Accept: \xe9",
    "Cookie: " + "a" * 60_000, "X: " + "a" * 200_000, "Origin: null", "Access-Control-Request-Method: POST",
    "\r\n\r\n", " folded: header", ": nothing", "X-\x7f: 1", "Range: bytes=0-", "X-HTTP-Method-Override: DELETE",
)  # fmt: skip
LINES = (
    "GET / HTTP/1.1", "GET /v1/models HTTP/1.0", "get /v1/models HTTP/1.1", "GET /v1/models HTTP/9.9", "GET", "",
    "POST /v1/explain HTTP/1.1 extra", "POST http://127.0.0.1/v1/explain HTTP/1.1", "CONNECT a:1 HTTP/1.1",
    "OPTIONS * HTTP/1.1", "GET /%00 HTTP/1.1", "GET /%ff%fe HTTP/1.1", "GET /\xff HTTP/1.1",
    "GET /../../etc HTTP/1.1",
    "GET //v1//models HTTP/1.1", "GET /v1/models?" + "a" * 70_000 + " HTTP/1.1", "TRACE / HTTP/1.1",
    "BREW /v1/explain HTTP/1.1", "PRI * HTTP/2.0", "\x16\x03\x01\x02\x00\x01", "GET /metrics;jsessionid=1 HTTP/1.1",
    "HEAD / HTTP/1.1", "PUT /v1/explain HTTP/1.1", "DELETE /healthz HTTP/1.1", "GET /v1/explain HTTP/1.1",
)  # fmt: skip
CHUNKS = (
    b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"-1\r\n\r\n", b"zz\r\nx\r\n", b"5;x=y\r\nhello\r\n",
    b"0\r\nTrailer: x\r\n\r\n", b"5\r\nhelloworld", b"2\r\n{}\r\n0\r\n\r\n", b"1\r\n{\r\n" * 1000,
)  # fmt: skip


def hostile_requests(count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield ``count`` requests as they are sent, each one different."""
    draw = random.Random(seed)
    kinds: tuple[Callable[[random.Random], bytes], ...] = (
        _wrong_fields, _wrong_fields, _wrong_json, _wrong_encoding, _deep, _large, _wrong_header, _wrong_line,
        _wrong_chunks, _unfinished, _noise,
    )  # fmt: skip
    for number in range(count):
        yield kinds[number % len(kinds)](draw)


def post(body: bytes, path: str = "/v1/explain", *headers: str, length: int | None = None) -> bytes:
    """A request with this body; the header ``Content-Length`` is ``length`` if that is given."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers]
    if not any(header.lower().startswith("content-type") for header in headers):
        lines.append("Content-Type: application/json")
    if not any(header.lower().startswith(("content-length", "transfer-encoding")) for header in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def _path(draw: random.Random) -> str:
    return draw.choice(("/v1/explain", "/v1/explain", "/v1/predict", "/v1/models", "/nowhere"))


def _wrong_fields(draw: random.Random) -> bytes:
    body: Any = {"texts": ["the doctor"]}
    for _ in range(draw.randint(1, 3)):
        body[draw.choice(FIELDS)] = draw.choice(VALUES)
    if draw.random() < 0.3:
        body["texts"] = [draw.choice(VALUES) for _ in range(draw.randint(0, 80))]
    return post(json.dumps(draw.choice((body, body, body, [body], draw.choice(VALUES)))).encode(), _path(draw))


def _wrong_json(draw: random.Random) -> bytes:
    text = bytearray(b'{"texts": ["the doctor", {"text": "a", "skip": [[0, 1]]}], "target": "all"}')
    for _ in range(draw.randint(1, 4)):
        text[draw.randrange(len(text))] = draw.choice(b'{}[],:"\\0e-\x00\x1f \xff')
    return post(bytes(text[: draw.randint(1, len(text))]), _path(draw))


def _wrong_encoding(draw: random.Random) -> bytes:
    text = '{"texts": ["naïve 🚀 ' + "".join(chr(draw.randrange(0x20, 0xD800)) for _ in range(20)) + '"]}'
    encoding = draw.choice(("utf-16", "utf-32", "utf-7", "utf-8-sig", "cp1252", "shift-jis"))
    surrogate = b'{"texts": ["\\ud83d"]}'
    return post(draw.choice((text.encode(encoding, "replace"), surrogate, b'{"texts": ["\xed\xa0\x80"]}')))


def _deep(draw: random.Random) -> bytes:
    opening = draw.choice((b"[", b'{"a":', b'{"texts":[', b'[{"target":'))
    return post(opening * draw.randint(100, 50_000), _path(draw))


def _large(draw: random.Random) -> bytes:
    text = draw.choice(("a ", "the doctor ", "a", "\\u0000", "🚀", ".", "\\n", "aé ")) * draw.randint(1000, 200_000)
    return post(f'{{"texts": ["{text}"], "target": "all"}}'.encode(), _path(draw))


def _wrong_header(draw: random.Random) -> bytes:
    return post(b'{"texts": ["a"]}', _path(draw), *draw.sample(HEADERS, draw.randint(1, 3)))


def _wrong_line(draw: random.Random) -> bytes:
    return f"{draw.choice(LINES)}\r\nHost: localhost\r\n\r\n".encode("latin-1")


def _wrong_chunks(draw: random.Random) -> bytes:
    return post(draw.choice(CHUNKS), _path(draw), "Transfer-Encoding: chunked")


def _unfinished(draw: random.Random) -> bytes:
    whole = post(b'{"texts": ["a"]}', _path(draw), length=draw.choice((17, 100, 1_000_000)))
    return whole[: draw.randint(1, len(whole))]


def _noise(draw: random.Random) -> bytes:
    return draw.randbytes(draw.randint(1, 2000))
