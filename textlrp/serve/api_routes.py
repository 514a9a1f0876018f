"""The routes of the service. Open it to add one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import Receive

from textlrp.explainers.catalog import catalog
from textlrp.reports.live.live_page import LivePage
from textlrp.serve.access import NOTES
from textlrp.serve.answer_schemas import ExplainAnswer, ModelsAnswer, PredictAnswer, RulesAnswer, StatusAnswer
from textlrp.serve.batch_work import Job
from textlrp.serve.micro_batches import MicroBatches
from textlrp.serve.openapi_document import ALWAYS, WITH_BODY, body_of, error_responses, predict_example
from textlrp.serve.problems import RequestProblem, busy
from textlrp.serve.request_bodies import ExplainBody, PredictBody, example_explain
from textlrp.serve.request_checks import JSON, RequestRules, parse_body, prefers_html
from textlrp.serve.serve_options import ServeOptions
from textlrp.serve.service_metrics import ServiceMetrics

Responses = dict[int | str, dict[str, Any]]
"""What a route may answer, by status, for its OpenAPI description."""


async def answer_in_time(batches: MicroBatches, job: Job, receive: Receive, seconds: float) -> bytes:
    """Return the answer of a job. A job whose client disconnects, or that takes too long, is not computed any more.

    Raises :class:`RequestProblem` in these cases, and what computing the job raised.
    """
    answer = asyncio.ensure_future(batches.answer(job))
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait((answer, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        if gone.done():
            raise RequestProblem(400, "The client closed the connection.")
        raise busy(f"The answer took more than {seconds:g} seconds. Send fewer texts.")
    finally:
        answer.cancel()
        gone.cancel()


async def _disconnect(receive: Receive) -> None:
    """Wait until the client closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        await asyncio.sleep(0)


def notes_of(job: Job, options: ServeOptions) -> dict[str, Any]:
    """Return what the log tells of a job."""
    notes: dict[str, Any] = {"model": job.key.model.name, "texts": len(job.documents)}
    if options.log_texts:
        notes["content"] = [document.text for document in job.documents]
    return notes


def text_routes(rules: RequestRules, batches: MicroBatches) -> APIRouter:
    """Return ``POST /v1/explain`` and ``POST /v1/predict``."""
    router = APIRouter(prefix="/v1", tags=["texts"])
    errors = error_responses(*WITH_BODY)

    async def answer(request: Request, job: Job, media_type: str) -> Response:
        request.scope[NOTES].update(notes_of(job, rules.options))
        content = await answer_in_time(batches, job, request.receive, rules.options.timeout)
        return Response(content, media_type=media_type, headers={"Vary": "Accept"})

    html = {"text/html": {"schema": {"type": "string"}}}
    explained: Responses = {200: {"model": ExplainAnswer, "description": "The explanations.", "content": html}}

    @router.post(
        "/explain",
        response_class=Response,
        responses={**explained, **errors},
        openapi_extra=body_of(ExplainBody, example_explain()),
        summary="Explain texts: the relevance of each word for the score of a class",
    )
    async def explain_texts(request: Request) -> Response:
        """Answers with the fields of `Explanation.to_dict`, or with HTML if the header `Accept` prefers it."""
        body = parse_body(request, await request.body(), ExplainBody)
        as_html = prefers_html(request.headers.get("accept", JSON))
        return await answer(request, rules.explanation(body, as_html=as_html), "text/html" if as_html else JSON)

    @router.post(
        "/predict",
        response_class=Response,
        responses={200: {"model": PredictAnswer, "description": "The predictions."}, **errors},
        openapi_extra=body_of(PredictBody, predict_example()),
        summary="Predict the class of texts",
    )
    async def predict_texts(request: Request) -> Response:
        """Answers with the scores of all classes, and the probabilities if the model has them."""
        body = parse_body(request, await request.body(), PredictBody)
        return await answer(request, rules.prediction(body), JSON)

    return router


def list_routes(rules: RequestRules) -> APIRouter:
    """Return ``GET /v1/models`` and ``GET /v1/rules``."""
    router = APIRouter(prefix="/v1", tags=["lists"])
    errors = error_responses(*ALWAYS)
    models = orjson.dumps({"models": [model.describe() for model in rules.models.values()]})
    _, composites, methods = catalog()
    listed = {
        "rules": [dict(zip(("name", "start", "rules"), row, strict=True)) for row in composites.rows],
        "methods": [dict(zip(("name", "description", "sums_to"), row, strict=True)) for row in methods.rows],
    }

    @router.get("/models", response_class=Response, responses={200: {"model": ModelsAnswer}, **errors})
    async def list_models() -> Response:
        """List the models of the service, with their classes and the rules that explain them."""
        return Response(models, media_type=JSON)

    @router.get("/rules", response_class=Response, responses={200: {"model": RulesAnswer}, **errors})
    async def list_rules() -> Response:
        """List the LRP rules and the other attribution methods that textlrp has."""
        return Response(orjson.dumps(listed), media_type=JSON)

    return router


def probe_routes(metrics: ServiceMetrics, ready: Callable[[], bool]) -> APIRouter:
    """Return ``GET /healthz``, ``GET /readyz`` and ``GET /metrics``."""
    router = APIRouter(tags=["operation"])
    statuses: Responses = {200: {"model": StatusAnswer}}

    @router.get("/healthz", response_class=Response, responses={**statuses, **error_responses(421)})
    async def health() -> Response:
        """Tell whether the process runs."""
        return Response(b'{"status":"ok"}', media_type=JSON)

    @router.get("/readyz", response_class=Response, responses={**statuses, **error_responses(421, 503)})
    async def readiness() -> Response:
        """Tell whether the service accepts texts: its models are loaded and it is not being stopped."""
        if not ready():
            raise busy("The service is starting or stopping.")
        return Response(b'{"status":"ready"}', media_type=JSON)

    text: Responses = {200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}}

    @router.get("/metrics", response_class=Response, responses={**text, **error_responses(*ALWAYS)})
    async def prometheus() -> Response:
        """Return the metrics in the text format of Prometheus."""
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def page_routes(page: LivePage) -> APIRouter:
    """Return ``GET /``, the live page."""
    router = APIRouter(tags=["page"])
    headers = {"Content-Security-Policy": page.content_security_policy}

    @router.get("/", response_class=HTMLResponse, responses=error_responses(421))
    async def show_page() -> HTMLResponse:
        """Return the page on which you type a text and see its explanation."""
        return HTMLResponse(page.html, headers=headers)

    return router


def document_route(document: Mapping[str, Any]) -> APIRouter:
    """Return ``GET /openapi.json``, which answers with this document."""
    router = APIRouter()
    content = orjson.dumps(document)

    @router.get("/openapi.json", include_in_schema=False)
    async def show_document() -> Response:
        """Return the OpenAPI document."""
        return Response(content, media_type=JSON)

    return router
