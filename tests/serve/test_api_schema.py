"""The service does what its OpenAPI document promises: schemathesis derives requests from the document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from services import toy_app

schemathesis = pytest.importorskip("schemathesis")
pytestmark = pytest.mark.slow
HOST = {"Host": "localhost"}
schema = schemathesis.openapi.from_asgi("/openapi.json", toy_app(max_text_length=200, max_batch=5), headers=HOST)


@schema.hook
def map_body(context: Any, body: Any) -> Any:
    """Change what a schema cannot express: ranges lie in the text, and rules and starts belong to LRP."""
    if not isinstance(body, dict):
        return body
    body = dict(body)
    if body.get("method", "lrp") != "lrp":
        body = {**body, "rule": None, "start": None}
    if isinstance(body.get("texts"), list):
        body["texts"] = [_with_inner_ranges(item) for item in body["texts"]]
    return body


def _with_inner_ranges(item: Any) -> Any:
    if not (isinstance(item, dict) and isinstance(item.get("text"), str) and isinstance(item.get("skip"), list)):
        return item
    most = len(item["text"])
    whole = all(isinstance(pair, list) and all(type(end) in (int, float) for end in pair) for pair in item["skip"])
    return {**item, "skip": [sorted(min(end, most) for end in pair) for pair in item["skip"]]} if whole else item


@schema.parametrize()
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
def test_the_service_keeps_its_openapi_document(case: Any) -> None:
    case.call_and_validate(headers=HOST)
