"""The service as a process: hostile requests, SIGTERM under load, and several workers."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from hostile_requests import hostile_requests, post
from own_loop import run_alone
from services import RunningService, running_service
from toys import TEXTS, fitted

pytestmark = pytest.mark.slow
KILLS, CLIENTS, HOSTILE = 8, 16, 500


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a toy model."""
    folder = tmp_path_factory.mktemp("models") / "net"
    fitted("cnn-max").save(folder)
    return str(folder)


def body(row: int) -> bytes:
    return json.dumps({"texts": [TEXTS[row % len(TEXTS)]] * 4, "target": "all"}).encode()


# ---- SIGTERM


class Lost(Exception):
    """A request was accepted but not answered completely."""


async def requests_until_refused(port: int, answered: Counter[int], first: int) -> None:
    """Send requests on kept connections until the service accepts none; raise if an answer is incomplete."""
    row = first
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        try:
            while True:
                writer.write(post(body(row)))
                row += 1
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
                try:
                    await reader.readexactly(length)
                except (asyncio.IncompleteReadError, ConnectionError) as problem:
                    raise Lost from problem
                answered[int(head[9:12])] += 1
                if b"connection: close" in head.lower():
                    break
        except asyncio.IncompleteReadError as problem:
            if problem.partial:
                raise Lost from problem
        except ConnectionError:
            pass  # refused before it was read; the log of the service shows whether that is true
        finally:
            writer.close()


async def stop_under_load(service: RunningService) -> Counter[int]:
    answered: Counter[int] = Counter()
    clients = [asyncio.create_task(requests_until_refused(service.port, answered, 5 * n)) for n in range(CLIENTS)]
    await asyncio.sleep(0.5)
    assert await asyncio.to_thread(service.stop) in (0, -15)
    await asyncio.gather(*clients)
    return answered


@pytest.mark.parametrize("workers", [1, 2])
def test_no_accepted_request_is_lost_when_the_service_stops(saved: str, tmp_path: Path, workers: int) -> None:
    for number in range(KILLS if workers == 1 else 3):
        with running_service([saved], tmp_path / f"{number}.log", "--workers", str(workers)) as service:
            answered = run_alone(stop_under_load(service))
        lines = service.lines()
        logged = Counter(line["status"] for line in lines if line.get("route") == "/v1/explain")
        assert logged == answered, f"run {number}"
        assert set(answered) <= {200, 503}
        assert answered[200] > CLIENTS
        assert not any("exception" in line for line in lines)


# ---- hostile requests


def status_of(port: int, request: bytes) -> int | None:
    """Send bytes on a connection of their own; return the status of the answer, None without one."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        try:
            connection.sendall(request)
            head = connection.recv(64)
        except (ConnectionError, TimeoutError):
            return None
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    return int(found[1]) if found else None


def test_hostile_requests_are_refused_and_the_service_stays_well(saved: str, tmp_path: Path) -> None:
    options = ("--timeout", "1", "--max-body", "200000")
    with running_service([saved], tmp_path / "log", *options) as service:
        with ThreadPoolExecutor(8) as threads:
            found = Counter(threads.map(lambda each: status_of(service.port, each), hostile_requests(HOSTILE)))
        answer = httpx2.post(f"http://127.0.0.1:{service.port}/v1/explain", json={"texts": [TEXTS[0]]})
        assert answer.status_code == 200
        service.stop()
    print(dict(found))
    assert {status for status in found if status and status >= 500} <= {503}
    assert found[None] < HOSTILE / 4
    assert min(found[status] for status in (400, 404, 408, 413, 415, 422)) > 0
    lines = service.lines()  # raises if a line is not JSON, such as that of a traceback
    assert not any("exception" in line or line["level"] == "error" for line in lines)


def test_a_head_that_does_not_end_is_closed(saved: str, tmp_path: Path) -> None:
    with running_service([saved], tmp_path / "log") as service:
        begun = time.monotonic()
        assert status_of(service.port, b"GET / HTTP/1.1\r\nX: ") == 408
        assert time.monotonic() - begun < 15
        assert refused_after(service.port, b"GET / HTTP/1.1\r\n", b"X: " + b"a" * 1000 + b"\r\n", 200)


def refused_after(port: int, begin: bytes, line: bytes, most: int) -> bool:
    """Whether the service closes a connection before it has read the head of ``most`` lines."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        try:
            connection.sendall(begin)
            for _ in range(most):
                connection.sendall(line)
                time.sleep(0.005)
        except ConnectionError:
            return True
    return False


# ---- workers


def test_several_workers_share_the_port_and_the_metrics(saved: str, tmp_path: Path) -> None:
    with running_service([saved], tmp_path / "log", "--workers", "2", token="s3cret") as service:
        address = f"http://127.0.0.1:{service.port}"
        assert httpx2.get(f"{address}/v1/models").status_code == 401
        headers = {"Authorization": "Bearer s3cret"}
        for _ in range(40):
            answer = httpx2.post(f"{address}/v1/predict", json={"texts": [TEXTS[0]]}, headers=headers)
            assert answer.status_code == 200
        metrics = httpx2.get(f"{address}/metrics", headers=headers).text
        assert 'textlrp_texts_total{route="/v1/predict"} 40.0' in metrics
        service.stop()
    assert not any("exception" in line for line in service.lines())
