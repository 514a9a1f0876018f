"""Check a request against the models and limits of the service, and convert it to a job.

Open it for the conditions of a request that its schema cannot express.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from fastapi import Request
from pydantic import BaseModel, ValidationError

from textlrp.errors import DataError, RuleError, closest, must_be
from textlrp.explainers.targets import Named, resolve_targets
from textlrp.records import Document, no_ranges
from textlrp.serve.batch_work import Job, JobKey
from textlrp.serve.problems import RequestProblem
from textlrp.serve.request_bodies import MOST_NUMBERS, AnyTarget, Contrast, ExplainBody, PredictBody, TextItem
from textlrp.serve.serve_options import ServeOptions
from textlrp.serve.served_models import ServedModel
from textlrp.text.skip import merge_ranges

JSON = "application/json"
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What a request must fit: the models by name and the options of the service."""

    models: Mapping[str, ServedModel]
    options: ServeOptions

    def prediction(self, body: PredictBody) -> Job:
        """Return the job of ``POST /v1/predict``."""
        model = self._model(body.model)
        return Job(JobKey(model, "predict"), self._documents(body.texts))

    def explanation(self, body: ExplainBody, *, as_html: bool) -> Job:
        """Return the job of ``POST /v1/explain``; raises as :func:`textlrp.explain`."""
        model = self._model(body.model)
        if body.rule is not None and body.rule not in model.rules:
            raise RuleError(_one_of("rule", body.rule, model.rules))
        if body.method not in model.methods:
            raise RuleError(_one_of("method", body.method, model.methods))
        documents = self._documents(body.texts)
        target = library_target(body.target)
        _check_answer_length(documents, target, model)
        key = JobKey(model, "explain", body.rule, body.method, body.start)
        return Job(key, documents, target, as_html)

    def _model(self, name: str | None) -> ServedModel:
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise RequestProblem(422, _one_of("model", name, list(self.models)))
        return self.models[name]

    def _documents(self, texts: Sequence[str | TextItem]) -> tuple[Document, ...]:
        most, longest = self.options.max_batch, self.options.max_text_length
        if len(texts) > most:
            raise DataError(
                f"texts must be at most {most} texts; got {len(texts)}. Send several requests, or start the service "
                "with a larger --max-batch."
            )
        return tuple(_document(row, text, longest) for row, text in enumerate(texts))


def parse_body(request: Request, content: bytes, body: type[Body]) -> Body:
    """Parse the JSON of a request.

    Raises :class:`RequestProblem`: 415 for another media type, 400 for no valid JSON, 422 for wrong fields.
    """
    media_type = request.headers.get("content-type", "")
    kind, _, parameters = media_type.partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if kind.strip().lower() != JSON or charset not in ("", "charset=utf-8"):
        raise RequestProblem(415, must_be("Content-Type", repr(JSON), media_type, f"Send the header {_HEADER}."))
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RequestProblem(415, "Content-Encoding must be absent. Send the body without compression.")
    try:
        return body.model_validate_json(content)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        raise RequestProblem(400, f"The body must be JSON in UTF-8; {found[0]['msg']}.")
    errors = [{"field": ".".join(map(str, each["loc"])), "message": each["msg"]} for each in found[:_LISTED_ERRORS]]
    raise RequestProblem(422, "The body has wrong fields; see errors.", errors=errors)


_HEADER = f"Content-Type: {JSON}"
_LISTED_ERRORS = 20


def _one_of(field: str, got: str, names: Sequence[str]) -> str:
    return must_be(field, f"one of {', '.join(names) or 'none'}", got) + closest(got, names)


def _document(row: int, item: str | TextItem, longest: int) -> Document:
    text = item if isinstance(item, str) else item.text
    if len(text) > longest:
        raise DataError(
            f"texts.{row} must have at most {longest:,} characters; got {len(text):,}. Split the text, or start the "
            "service with a larger --max-text-length."
        )
    if isinstance(item, str):
        return Document(str(row + 1), text)
    for start, end in item.skip:
        if not start <= end <= len(text):
            raise DataError(
                f"texts.{row}.skip must be ranges with 0 <= start <= end <= {len(text)}, the length of the text; got "
                f"{[start, end]}."
            )
    skip = merge_ranges(np.array(item.skip, dtype=np.int32).reshape(-1, 2)) if item.skip else no_ranges()
    return Document(str(row + 1) if item.id is None else item.id, text, skip=skip)


def _check_answer_length(documents: Sequence[Document], target: Any, model: ServedModel) -> None:
    """Refuse a request whose answer would need too much memory, and raise TargetError for an unknown class."""
    classes = model.classifier.classes_
    (found,) = resolve_targets(target, classes, np.zeros((1, len(classes))))
    targets = len(classes) if target is None and model.multilabel else len(found)
    characters = sum(len(document.text) for document in documents)
    if characters * targets > MOST_NUMBERS:
        raise DataError(
            f"texts must have at most {MOST_NUMBERS // targets:,} characters together for {targets} targets; got "
            f"{characters:,}. Send several requests, or name fewer targets."
        )


def library_target(target: AnyTarget | None) -> Any:
    """Return the ``target`` of :func:`textlrp.explain` for that of a request."""
    if target is None or target == "all":
        return target
    if isinstance(target, list):
        return ["all" if each == "all" else _named(each) for each in target]
    return _named(target)


def _named(target: str | Contrast) -> Any:
    if isinstance(target, Contrast):
        return Named(target.target), Named(target.versus)
    return Named(target)


def prefers_html(accept: str) -> bool:
    """Whether a header ``Accept`` prefers ``text/html`` to JSON.

    >>> prefers_html("text/html"), prefers_html("*/*"), prefers_html("application/json, text/html;q=0.9")
    (True, False, False)
    """
    html = json = 0.0
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = _weight(parameters)
        html = max(html, weight if kind == "text/html" else 0.0)
        json = max(json, weight if kind in (JSON, "application/*", "*/*") else 0.0)
    return html > json


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
