"""The service does what its OpenAPI document promises: schemathesis derives requests from the document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from services import toy_app, toy_models

from textlrp.serve.served_models import by_name

schemathesis = pytest.importorskip("schemathesis")
pytestmark = pytest.mark.slow
HOST = {"Host": "localhost"}
schema = schemathesis.openapi.from_asgi("/openapi.json", toy_app(max_text_length=200, max_batch=5), headers=HOST)

KNOWN = {
    "rule": {name for model in toy_models() for name in model.rules},
    "method": {name for model in toy_models() for name in model.methods},
}
"""The names that the schema allows."""


@schema.hook
def map_body(context: Any, body: Any) -> Any:
    """Change what a schema cannot express.

    Ranges lie in the text, rules and starts belong to LRP, and each model has its own rules and methods.
    """
    if not isinstance(body, dict):
        return body
    body = dict(body)
    model = by_name(toy_models()).get(str(body.get("model")), toy_models()[0])
    for field, names, default in (("rule", model.rules, None), ("method", model.methods, "lrp")):
        if isinstance(body.get(field), str) and body[field] in KNOWN[field] and body[field] not in names:
            body[field] = default
    if body.get("method", "lrp") != "lrp":
        valid = {"rule": KNOWN["rule"], "start": {"score", "centered"}}
        body = {
            field: value
            for field, value in body.items()
            if not (isinstance(value, str) and value in valid.get(field, ()))
        }
    if isinstance(body.get("texts"), list):
        body["texts"] = [_with_inner_ranges(item) for item in body["texts"]]
    return body


def _with_inner_ranges(item: Any) -> Any:
    """Clip the ranges of a text to its length; what the schema forbids stays wrong."""
    if not (isinstance(item, dict) and isinstance(item.get("text"), str) and isinstance(item.get("skip"), list)):
        return item
    most = len(item["text"])
    valid = all(isinstance(pair, list) and all(map(_is_offset, pair)) for pair in item["skip"])
    return {**item, "skip": [sorted(min(end, most) for end in pair) for pair in item["skip"]]} if valid else item


def _is_offset(end: Any) -> bool:
    return type(end) in (int, float) and 0 <= end < 2**31 and end == int(end)


@schema.parametrize()
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
def test_the_service_keeps_its_openapi_document(case: Any) -> None:
    case.call_and_validate(headers=HOST)
