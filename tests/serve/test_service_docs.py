"""docs/how-to/service.md is true: its options, routes, statuses and examples are those of the service."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from services import toy_client

from textlrp.serve.openapi_document import WITH_BODY
from textlrp.serve.request_bodies import ExplainBody
from textlrp.serve.serve_options import ServeOptions

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "service.md").read_text(encoding="utf-8")


def test_the_limits_have_the_documented_defaults() -> None:
    rows = re.findall(r"^\| `--([a-z-]+) [A-Z]+` \| (\d+)", PAGE, re.M)
    defaults = {field.name: getattr(ServeOptions(), field.name) for field in fields(ServeOptions)}
    assert len(rows) == 5
    assert {name: float(value) for name, value in rows} == {
        name: float(defaults[name.replace("-", "_")]) for name, _ in rows
    }


def test_the_fields_and_statuses_are_documented() -> None:
    assert set(ExplainBody.model_fields) == set(re.findall(r"^\| `([a-z]+)` \|", PAGE, re.M))
    statuses = set(map(int, re.findall(r"\b\d{3}\b", " ".join(re.findall(r"^\| ([\d, ]+) \|", PAGE, re.M)))))
    assert set(WITH_BODY) <= statuses


def test_every_documented_route_exists() -> None:
    client = toy_client(max_waiting=61)
    routes = set(re.findall(r"`GET (/[\w./]*)`", PAGE))
    assert len(routes) == 7
    with client:
        assert {client.get(route).status_code for route in routes} == {200}


@pytest.mark.parametrize("body", re.findall(r"-d '(\{.*\})'", PAGE))
def test_the_examples_are_valid_requests(body: str) -> None:
    assert json.loads(body)["texts"]
    answer = toy_client().post("/v1/explain", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == (422 if "sci.spice" in body else 200)
