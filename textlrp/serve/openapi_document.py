"""The OpenAPI document of a service: its routes, with the limits, models, classes and rules of this service.

Open it to change examples, or which errors a route lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from textlrp.serve.answer_schemas import ProblemFields
from textlrp.serve.problems import PROBLEM_TYPE
from textlrp.serve.request_bodies import ExplainBody, PredictBody, example_explain
from textlrp.serve.request_checks import JSON, RequestRules

_SCHEMA_REFERENCE = "#/components/schemas/{model}"
_ERRORS: Mapping[int, str] = {
    400: "The body is not JSON, or the client closed the connection.",
    401: "The token is missing or wrong.",
    408: "The body did not arrive in time.",
    413: "The body is too long.",
    415: "The body is not application/json.",
    421: "The header Host has an unknown name.",
    422: "A field has a wrong value.",
    503: "The service is busy. Retry-After has the seconds to wait.",
}
ALWAYS = (401, 421)
WITH_BODY = (400, 401, 408, 413, 415, 421, 422, 503)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors of a route for its OpenAPI description."""
    schema = {"$ref": _SCHEMA_REFERENCE.format(model=ProblemFields.__name__)}
    return {
        status: {"description": _ERRORS[status], "content": {PROBLEM_TYPE: {"schema": schema}}} for status in statuses
    }


def body_of(body: type[BaseModel], example: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request body of a route for its OpenAPI description."""
    schema = {"$ref": _SCHEMA_REFERENCE.format(model=body.__name__)}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema, "example": example}}}}


def predict_example() -> dict[str, Any]:
    """Return an example of a body for ``POST /v1/predict``."""
    return {"texts": example_explain()["texts"]}


def openapi_document(app: FastAPI, rules: RequestRules) -> dict[str, Any]:
    """Return the OpenAPI document of an application, with the limits and names of its ``rules``."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _, definitions = models_json_schema(
        [(ExplainBody, "validation"), (PredictBody, "validation"), (ProblemFields, "serialization")],
        ref_template=_SCHEMA_REFERENCE,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions["$defs"])
    for body in (ExplainBody, PredictBody):
        _add_limits(schemas[body.__name__]["properties"], rules)
    labels = list(dict.fromkeys(label for model in rules.models.values() for label in model.labels))
    _name_classes(schemas["ExplainBody"]["properties"]["target"], [*labels, "all"])
    for field in schemas["Contrast"]["properties"].values():
        field["enum"] = labels
    schemas["TextItem"]["properties"]["text"]["maxLength"] = rules.options.max_text_length
    if rules.options.token is not None:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _add_limits(properties: dict[str, Any], rules: RequestRules) -> None:
    models = list(rules.models.values())
    texts = properties["texts"]
    texts["maxItems"] = rules.options.max_batch
    for choice in texts["items"]["anyOf"]:
        if choice.get("type") == "string":
            choice["maxLength"] = rules.options.max_text_length
    _allow_only(properties["model"], list(rules.models))
    if "rule" in properties:
        _allow_only(properties["rule"], [name for model in models for name in model.rules])
        properties["method"]["enum"] = sorted({name for model in models for name in model.methods})


def _name_classes(target: dict[str, Any], names: list[str]) -> None:
    """Restrict the texts in a target, and in a list of targets, to some names."""
    for choice in target["anyOf"]:
        if choice.get("type") == "string":
            choice["enum"] = names
        elif choice.get("type") == "array":
            _name_classes(choice["items"], names)


def _allow_only(field: dict[str, Any], names: list[str]) -> None:
    """Restrict the text in an optional field to some names."""
    for choice in field["anyOf"]:
        if choice.get("type") == "string":
            choice["enum"] = list(dict.fromkeys(names))
