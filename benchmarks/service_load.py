"""Load of the service: explaining all classes over HTTP, compared with a bare FastAPI route that only predicts.

    python benchmarks/service_load.py [--seconds N] [--minutes N]

The baseline is FastAPI on uvicorn and httptools at its best: it parses the body by a pydantic model, calls the same
bundled CNN with the same cached projections, and answers with the scores of all classes. It has an ``async`` route,
which blocks the event loop, and a plain ``def`` route, which runs in FastAPI's threads; the faster one counts. Each
server and the clients have a process of their own; nothing but the loopback interface is used. Each request has one
text of 200 words, different from request to request. The rounds of all routes are interleaved.

``--minutes N`` adds N minutes at 80% of the throughput of ``/v1/explain``, and then one minute, or N if that is
less, at 300%. Every 50th response is compared with :func:`textlrp.explain`.

Needs the extra ``serve``. The clients write HTTP/1.1 themselves, so that they do not become the bottleneck on a
machine with few cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

MODEL = "20newsgroups-cnn"
WORDS, TEXTS, CLIENTS = 200, 64, 32
TOLERANCE = 1e-6
"""Largest relative difference of an answer."""


class Route(NamedTuple):
    """A route to measure: the name in the table, the port and the path."""

    name: str
    port: int
    path: str
    all_classes: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="seconds of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all measurements")
    parser.add_argument("--minutes", type=float, default=0, help="minutes at 80%% of the throughput")
    options = parser.parse_args()
    texts = texts_of_words()
    servers = [bare_server("async"), bare_server("def"), service()]
    try:
        for _, port, _ in servers:
            wait_for(port)
        bare_async, bare_def, ours = (port for _, port, _ in servers)
        routes = [
            Route("bare route, predict (async)", bare_async, "/predict"),
            Route("bare route, predict (def)", bare_def, "/predict"),
            Route("/v1/predict", ours, "/v1/predict"),
            Route("/v1/explain, all classes", ours, "/v1/explain", True),
        ]
        capacity = table(routes, texts, options.seconds, options.rounds)
        if options.minutes:
            endurance(routes[3], texts, capacity, options.minutes, servers[2][2])
    finally:
        for process, _, _ in servers:
            process.terminate()
            process.wait(30)


def texts_of_words() -> list[str]:
    """Different texts of 200 words, made of the words of the sample posts."""
    import textlrp

    words = " ".join(document.text for document in textlrp.load_sample_posts("all").documents).split()
    starts = range(0, TEXTS * WORDS, WORDS)
    return [" ".join(words[start % (len(words) - WORDS) :][:WORDS]) for start in starts]


# ---- servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


Server = tuple["subprocess.Popen[bytes]", int, int]


def bare_server(kind: str) -> Server:
    port = free_port()
    code = f"import bare_service; bare_service.run({kind!r}, {port})"
    folder = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    return process, port, process.pid


def service() -> Server:
    port = free_port()
    command = [sys.executable, "-m", "textlrp", "serve", MODEL, "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    return process, port, process.pid


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"no server on port {port}")


# ---- clients


class Answer(NamedTuple):
    """An answer: which text it is about, its status, its seconds, and its body."""

    row: int
    status: int
    seconds: float
    body: bytes


def requests_of(route: Route, texts: list[str]) -> list[bytes]:
    target = {"target": "all"} if route.all_classes else {}
    bodies = [json.dumps({"texts": [text], **target}).encode() for text in texts]
    head = f"POST {route.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return status, await reader.readexactly(length)


async def client(port: int, requests: list[bytes], first: int, until: float, keep: bool) -> list[Answer]:
    """Send one request after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    found = []
    row = first
    while time.perf_counter() < until:
        begun = time.perf_counter()
        status, body = await ask(reader, writer, requests[row % len(requests)])
        found.append(Answer(row % len(requests), status, time.perf_counter() - begun, body if keep else b""))
        row += 1
    writer.close()
    return found


async def clients(port: int, requests: list[bytes], count: int, seconds: float) -> list[Answer]:
    until = time.perf_counter() + seconds
    groups = await asyncio.gather(*(client(port, requests, 7 * n, until, False) for n in range(count)))
    return [answer for group in groups for answer in group]


def load(port: int, requests: list[bytes], count: int, seconds: float) -> list[Answer]:
    return asyncio.run(clients(port, requests, count, seconds))


def in_process(function: Any, *arguments: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


# ---- the table


def table(routes: list[Route], texts: list[str], seconds: float, rounds: int) -> float:
    """Print the table and return the throughput of the last route, in requests per second."""
    single: dict[str, list[float]] = {route.name: [] for route in routes}
    many: dict[str, list[float]] = {route.name: [] for route in routes}
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for number in range(rounds + 1):  # the first round warms up
            for route in routes:
                requests = requests_of(route, texts)
                alone = pool.apply(load, (route.port, requests, 1, seconds))
                together = pool.apply(load, (route.port, requests, CLIENTS, seconds))
                assert {answer.status for answer in (*alone, *together)} == {200}
                if number:
                    single[route.name] += [answer.seconds * 1000 for answer in alone]
                    many[route.name].append(len(together) / seconds)
    rival = min(statistics.median(single[route.name]) for route in routes[:2])
    best = max(statistics.median(many[route.name]) for route in routes[:2])
    print("| route | one client: median | 99th percentile | compared with bare | 32 clients | compared with bare |")
    print("|---|---|---|---|---|---|")
    for route in routes:
        middle, last = statistics.median(single[route.name]), float(np.percentile(single[route.name], 99))
        rate = statistics.median(many[route.name])
        print(
            f"| {route.name} | {middle:.2f} ms | {last:.2f} ms | {middle / rival:.2f} × | {rate:.0f} requests/s "
            f"| {rate / best:.2f} × |",
            flush=True,
        )
    return statistics.median(many[routes[-1].name])


# ---- endurance


def endurance(route: Route, texts: list[str], capacity: float, minutes: float, pid: int) -> None:
    """Send requests at fixed rates and print statuses, unequal answers and the memory of the server."""
    expected = in_process(expected_answers, texts)
    print("\n| load | seconds | requests/s | statuses | unequal answers | median | 99th percentile | memory |")
    print("|---|---|---|---|---|---|---|---|")
    for share, seconds in ((0.8, 60 * minutes), (3.0, min(60.0, 60 * minutes))):
        before = memory(pid)
        found = in_process(
            paced,
            route.port,
            requests_of(route, texts),
            share * capacity,
            seconds,
            64 if share < 1 else 256,
            expected,
        )
        statuses, wrong, times = found
        print(
            f"| {share:.0%} | {seconds:.0f} | {share * capacity:.0f} | {dict(statuses)} | {wrong} "
            f"| {statistics.median(times) * 1000:.1f} ms | {float(np.percentile(times, 99)) * 1000:.1f} ms "
            f"| {before:.0f} to {memory(pid):.0f} MB |",
            flush=True,
        )


def expected_answers(texts: list[str]) -> list[Any]:
    import textlrp

    return [why.relevance for why in textlrp.explain(textlrp.load(MODEL), texts, target="all")]


def paced(
    port: int, requests: list[bytes], rate: float, seconds: float, connections: int, expected: list[Any]
) -> tuple[Counter[int], int, list[float]]:
    return asyncio.run(paced_clients(port, requests, rate, seconds, connections, expected))


async def paced_clients(
    port: int, requests: list[bytes], rate: float, seconds: float, connections: int, expected: list[Any]
) -> tuple[Counter[int], int, list[float]]:
    """Send ``rate`` requests per second over some connections, and check every 50th answer."""
    statuses: Counter[int] = Counter()
    times: list[float] = []
    wrong = sent = 0
    begun = time.perf_counter()

    async def one() -> None:
        nonlocal wrong, sent
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        while True:
            number = sent
            sent += 1
            due = begun + number / rate
            if due > begun + seconds:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            start = time.perf_counter()
            status, body = await ask(reader, writer, requests[number % len(requests)])
            statuses[status] += 1
            if status == 200:
                times.append(time.perf_counter() - start)
                if number % 50 == 0:
                    wrong += not same(json.loads(body), expected[number % len(requests)])
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return statuses, wrong, times


def same(answer: Any, expected: Any) -> bool:
    found = np.array(answer["explanations"][0]["relevance"])
    return bool(
        found.shape == expected.shape and np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).sum()
    )


def memory(pid: int) -> float:
    """Resident memory of a process in MB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
    return float("nan")


if __name__ == "__main__":
    main()
