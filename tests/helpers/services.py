"""Services of toy models for the tests of ``textlrp.serve``, in this process and in a process of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from own_loop import run_alone
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from toys import LABELS, NAMES, TEXTS, fitted

from textlrp.models.estimators import BagOfWordsClassifier
from textlrp.serve.serve_options import ServeOptions
from textlrp.serve.served_models import ServedModel, served_model
from textlrp.serve.service_app import service_app

HOST = "http://127.0.0.1:8000"


@cache
def toy_models() -> tuple[ServedModel, ...]:
    """A CNN called ``net``, and a multi-label bag of words called ``labels``."""
    several = [tuple({label, NAMES[row % 3]}) for row, label in enumerate(LABELS)]
    bag = BagOfWordsClassifier(tokenizer="words", min_df=1, min_df_ngrams=1).fit(TEXTS, several)
    return served_model("net", fitted("cnn-max")), served_model("labels", bag)


@cache
def toy_app(**options: Any) -> ASGIApp:
    """The application of :func:`toy_models` with these options. It is cached, so its metrics count all tests."""
    return service_app(toy_models(), ServeOptions(**options))


@cache
def toy_client(**options: Any) -> TestClient:
    """A client of :func:`toy_app`; an error that the service does not expect is raised in the test."""
    return TestClient(toy_app(**options), base_url=HOST)


def together(app: ASGIApp, bodies: Sequence[Any], path: str = "/v1/explain") -> list[httpx2.Response]:
    """Post all bodies at the same time and return the answers in order."""

    async def post_all() -> list[httpx2.Response]:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HOST) as client:
            return list(await asyncio.gather(*(client.post(path, json=body) for body in bodies)))

    return run_alone(post_all())


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service in a process of its own. ``log`` is the file with its lines."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def stop(self) -> int:
        """Send SIGTERM, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running_service(
    models: Sequence[str], log: Path, *options: str, token: str | None = None
) -> Iterator[RunningService]:
    """Run ``textlrp serve`` on a free port until the end of the block."""
    environment = {key: value for key, value in os.environ.items() if key != "TEXTLRP_TOKEN"}
    if token is not None:
        environment["TEXTLRP_TOKEN"] = token
    command = [sys.executable, "-m", "textlrp", "serve", *models, "--port", "0", *options]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    try:
        yield RunningService(process, _port_of(process, log), log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        found = [line for line in log.read_text(encoding="utf-8").splitlines() if "serving http" in line]
        if found:
            port = int(json.loads(found[0])["message"].partition(";")[0].rpartition(":")[2])
            if _is_ready(port):
                return port
        time.sleep(0.1)
    raise AssertionError(f"the service did not start:\n{log.read_text(encoding='utf-8')}")


def _is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False
