"""Assemble the application of a service from its parts. Open it for their order."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from textlrp.serve.access import observed, with_cors, with_host_check, with_token
from textlrp.serve.admission import Admission
from textlrp.serve.api_routes import document_route, list_routes, page_routes, probe_routes, text_routes
from textlrp.serve.batch_work import answers
from textlrp.serve.html_answers import page_of_models
from textlrp.serve.micro_batches import MicroBatches
from textlrp.serve.openapi_document import openapi_document
from textlrp.serve.problems import add_problem_handlers
from textlrp.serve.request_checks import RequestRules
from textlrp.serve.serve_options import ServeOptions
from textlrp.serve.served_models import ServedModel, by_name
from textlrp.serve.service_metrics import service_metrics
from textlrp.serve.stop_signals import StopNotice, stop_noticed
from textlrp.version import __version__


def service_app(models: Sequence[ServedModel], options: ServeOptions) -> ASGIApp:
    """Return the ASGI application that serves some models.

    From the outside in: log and headers, host, cross-origin requests, token, limits, routes.
    """
    metrics = service_metrics()
    batches = MicroBatches(answers, metrics.observe_batch)
    rules = RequestRules(by_name(models), options)
    started, stopping = threading.Event(), StopNotice()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with stop_noticed(stopping):
            started.set()
            yield
        started.clear()
        batches.close()

    # The pages /docs and /redoc of FastAPI load scripts from another server. Its /openapi.json lacks the limits.
    app = FastAPI(
        title="textlrp",
        version=__version__,
        description="Which words support the prediction of a text classifier, and which oppose it.",
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    add_problem_handlers(app)
    for router in (
        text_routes(rules, batches),
        list_routes(rules),
        probe_routes(metrics, lambda: started.is_set() and not stopping.noticed),
        page_routes(page_of_models(models)),
    ):
        app.include_router(router)
    app.include_router(document_route(openapi_document(app, rules)))
    inner = with_cors(with_token(Admission(app, options, metrics), options.token), options.cors_origins)
    return observed(with_host_check(inner, options), metrics, lambda: stopping.noticed)
