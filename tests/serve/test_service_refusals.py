"""Requests that are refused: each with problem details, and none with a text in the log."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from pydantic import ValidationError
from services import toy_client

from textlrp.serve.access import host_name
from textlrp.serve.request_bodies import MOST_NUMBERS, ExplainBody
from textlrp.serve.request_log import FIELDS, JsonLines
from textlrp.serve.serve_options import ServeOptions

JSON = {"Content-Type": "application/json"}
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("content", "status", "part"),
    [
        (b"", 400, "JSON"),
        (b"{", 400, "JSON"),
        (DEEP, 400, "JSON"),
        (b'{"texts": ' + DEEP, 400, "JSON"),
        (b'{"texts": ["\xff"]}', 400, "JSON"),
        (b'{"texts": ["\\ud800"]}', 400, "JSON"),
        (b'\xef\xbb\xbf{"texts": ["a"]}', 400, "JSON"),
        (b"null", 422, "fields"),
        (b'{"texts": []}', 422, "fields"),
        (b'{"texts": "a"}', 422, "fields"),
        (b'{"texts": [1]}', 422, "fields"),
        (b'{"texts": ["a"], "unknown": 1}', 422, "fields"),
        (b'{"texts": ["a"], "start": "end"}', 422, "fields"),
        (b'{"texts": ["a"], "target": []}', 422, "fields"),
        (b'{"texts": ["a"], "target": true}', 422, "fields"),
        (b'{"texts": ["a"], "target": ' + b"9" * 5000 + b"}", 400, "JSON"),
        (b'{"texts": ["a"], "target": 1}', 422, "fields"),
        (b'{"texts": ["a"], "target": "nowhere"}', 422, "classes"),
        (b'{"texts": ["a"], "target": {"target": "med", "versus": "nowhere"}}', 422, "classes"),
        (b'{"texts": ["a"], "model": "none"}', 422, "model must be one of net, labels"),
        (b'{"texts": ["a"], "rule": "epsilom"}', 422, "closest name is 'epsilon'"),
        (b'{"texts": ["a"], "rule": "Gamma(0.5)"}', 422, "rule must be one of"),
        (b'{"texts": ["a"], "method": "lime"}', 422, "method must be one of"),
        (b'{"texts": [{"text": "a", "skip": [[0, 2]]}]}', 422, "texts.0.skip"),
        (b'{"texts": [{"text": "a", "skip": [[1, 0]]}]}', 422, "texts.0.skip"),
        (b'{"texts": [{"text": "a", "skip": [[-1, 0]]}]}', 422, "fields"),
        (b'{"texts": [{"text": "a", "skip": [[0, 1e99]]}]}', 422, "fields"),
        (b'{"texts": ["aaaaaaaaaaa"]}', 422, "at most 10 characters"),
        (b'{"texts": ["a", "a", "a"]}', 422, "at most 2 texts"),
    ],
)
def test_wrong_bodies(content: bytes, status: int, part: str) -> None:
    answer = toy_client(max_text_length=10, max_batch=2).post("/v1/explain", content=content, headers=JSON)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "about:blank"
    assert part in problem["detail"]
    if "fields" in part:
        assert problem["errors"]


def test_a_short_request_for_a_very_long_answer_is_refused() -> None:
    client = toy_client()
    texts = ["a " * 10_000] * 20
    classes = len(client.get("/v1/models").json()["models"][0]["labels"])
    most = MOST_NUMBERS // (100 * classes)
    answer = client.post("/v1/explain", json={"texts": texts, "target": ["all"] * 100})
    assert answer.status_code == 422
    detail = f"at most {most:,} characters together for {100 * classes} targets; got 400,000"
    assert detail in answer.json()["detail"]
    assert client.post("/v1/explain", json={"texts": texts[:1], "target": ["all"] * 2}).status_code == 200


def test_a_body_of_wrong_texts_is_not_checked_to_its_end() -> None:
    with pytest.raises(ValidationError) as found:
        ExplainBody.model_validate_json(b'{"texts": [' + b"1, " * 10_000 + b"1]}")
    assert found.value.error_count() < 10


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nowhere", {}, 404),
        ("POST", "/v1/explain/", {}, 404),
        ("GET", "/v1/explain", {}, 405),
        ("DELETE", "/v1/models", {}, 405),
        ("POST", "/v1/explain", {}, 415),
        ("POST", "/v1/explain", {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/explain", {"Content-Type": "application/json; charset=latin-1"}, 415),
        ("POST", "/v1/explain", {**JSON, "Content-Encoding": "gzip"}, 415),
        ("POST", "/v1/explain", {**JSON, "Content-Length": "99999999"}, 413),
        ("GET", "/v1/models", {"Host": "rebound.example"}, 421),
        ("GET", "/healthz", {"Host": "127.0.0.1.example"}, 421),
        ("GET", "/healthz", {"Host": ""}, 421),
    ],
)
def test_wrong_requests(method: str, path: str, headers: dict[str, str], status: int) -> None:
    answer = toy_client().request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert answer.headers["allow"]


def test_a_body_is_refused_as_soon_as_it_is_too_long() -> None:
    sent = []

    def pieces() -> Any:
        for number in range(1000):
            sent.append(number)
            yield b" " * 100

    answer = toy_client(max_body=1000).post("/v1/explain", content=pieces(), headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("given", "status"),
    [(None, 401), ("Bearer wrong", 401), ("Basic s3cret", 401), ("Bearer s3cre", 401), ("Bearer s3cretx", 401),
     ("Bearer \xe9", 401), ("Bearer s3cret", 200), ("bearer s3cret", 200)],
)  # fmt: skip
def test_a_token_is_required_if_there_is_one(given: str | None, status: int) -> None:
    client = toy_client(token="s3cret")
    headers = {} if given is None else {"Authorization": given.encode("latin-1")}
    for path in ("/v1/models", "/metrics", "/openapi.json"):
        answer = client.get(path, headers=headers)
        assert answer.status_code == status
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert client.get("/healthz", headers=headers).status_code == 200
    assert client.get("/", headers=headers).status_code == 200
    assert "s3cret" not in repr(ServeOptions(token="s3cret"))


def test_other_origins_are_refused_unless_they_are_allowed() -> None:
    ask = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in toy_client().get("/healthz", headers=ask).headers
    assert toy_client().options("/v1/explain", headers=ask).status_code == 405
    client = toy_client(cors_origins=("https://a.example",), token="s3cret")
    allowed = client.options("/v1/explain", headers={**ask, "Access-Control-Request-Headers": "authorization"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://a.example"
    other = client.get("/healthz", headers={"Origin": "https://b.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("host", "allowed", "given", "status"),
    [
        ("127.0.0.1", (), "LOCALHOST:8000", 200),
        ("127.0.0.1", (), "[::1]:8000", 200),
        ("0.0.0.0", (), "0.0.0.0:8000", 421),
        ("10.0.0.7", (), "10.0.0.7", 200),
        ("0.0.0.0", ("texts.example",), "texts.example:443", 200),
        ("0.0.0.0", ("*",), "anything.example", 200),
    ],
)
def test_hosts(host: str, allowed: tuple[str, ...], given: str, status: int) -> None:
    client = toy_client(host=host, allowed_hosts=allowed)
    assert client.get("/healthz", headers={"Host": given}).status_code == status


def test_a_host_without_a_port_is_itself() -> None:
    assert [host_name(name) for name in ("a", "a:1", "a:b", "[::2]", "::2")] == ["a", "a", "a:b", "::2", "::2"]


def test_the_log_has_no_text_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "textlrp.serve")
    body = {"texts": ["a secret diagnosis"]}
    toy_client().post("/v1/explain", json=body)
    toy_client().post("/v1/explain", json={**body, "target": "a secret diagnosis"})
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    assert [line["status"] for line in lines] == [200, 422]
    assert lines[0]["model"] == "net"
    assert (lines[0]["method"], lines[0]["route"], lines[0]["texts"]) == ("POST", "/v1/explain", 1)
    assert "secret" not in json.dumps(lines)
    caplog.clear()
    toy_client(log_texts=True).post("/v1/explain", json=body)
    assert "a secret diagnosis" in JsonLines().format(caplog.records[0])


def test_a_logged_exception_has_its_place_but_not_its_message() -> None:
    try:
        raise ValueError("a secret diagnosis")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed\n", (), sys.exc_info())
    setattr(record, FIELDS, {"status": 500})
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["status"], line["exception"]) == ("failed", 500, "ValueError")
    assert "test_service_refusals.py" in line["frames"][0]
    assert "secret" not in json.dumps(line)
    assert json.loads(JsonLines(log_texts=True).format(record))["reason"] == "a secret diagnosis"
