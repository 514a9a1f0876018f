"""The command ``textlrp serve``.

Modules that need torch or the extra ``serve`` are imported inside the function, so that ``--help`` and errors in
options stay fast.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Annotated

import typer

from textlrp.cli.shared_options import TrustPickleOption
from textlrp.errors import OptionError, missing_extra

LIMITS, ACCESS = "Limits", "Access"
"""Panels of ``--help``."""
TOKEN = "TEXTLRP_TOKEN"
"""The environment variable with the token of the service. An option could be seen in a process list."""
_PACKAGES = ("fastapi", "httptools", "orjson", "prometheus_client", "uvicorn")


def cli_serve(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="One or more models, as for textlrp explain. NAME=FOLDER gives a model another name. The first one "
            "answers requests that name none.",
        ),
    ],
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on. 127.0.0.1 is only this machine.")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Port; 0 for any free one.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=256, metavar="N", help="Number of processes. Each loads all models.")
    ] = 1,
    max_body: Annotated[
        int, typer.Option(min=1000, metavar="BYTES", help="Longest request.", rich_help_panel=LIMITS)
    ] = 1 << 20,
    max_text_length: Annotated[
        int, typer.Option(min=1, metavar="N", help="Longest text, in characters.", rich_help_panel=LIMITS)
    ] = 20_000,
    max_batch: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most texts in a request.", rich_help_panel=LIMITS)
    ] = 64,
    max_waiting: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Most requests of a worker that are processed or wait. Further ones are answered with 503.",
            rich_help_panel=LIMITS,
        ),
    ] = 64,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Longest time to receive a request, to compute its answer, and to send a part of it.",
            rich_help_panel=LIMITS,
        ),
    ] = 30.0,
    slow_methods: Annotated[
        bool,
        typer.Option(
            "--slow-methods",
            metavar="",
            help="Also offer integrated-gradients, occlusion, lime, shap, kernel-shap and smoothgrad, which evaluate "
            "the model many times for each text. Other requests wait meanwhile.",
            rich_help_panel=LIMITS,
        ),
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Accept this name in the header Host, '*' for all. Can be repeated. Default: localhost and --host.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Let pages of this origin, such as https://example.org, use the API; '*' for all. Can be repeated. "
            "Default: none.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    log_texts: Annotated[
        bool,
        typer.Option(
            "--log-texts", metavar="", help="Write the texts of requests to the log.", rich_help_panel=ACCESS
        ),
    ] = False,
    trust_pickle: TrustPickleOption = False,
) -> None:
    """Serve models over HTTP: a page to type texts on, and a JSON API.

    Open http://127.0.0.1:8000/ for the page. The API is described at /openapi.json. The log, one JSON object per
    request, goes to standard error.

    If the environment variable TEXTLRP_TOKEN is set, requests need the header 'Authorization: Bearer TOKEN'.

    [bold]Examples[/bold]

    textlrp serve 20newsgroups-cnn

    textlrp serve first=model-1/ second=model-2/ --port 8080 --workers 4
    """
    for package in _PACKAGES:
        try:
            import_module(package)
        except ImportError as error:
            raise missing_extra("textlrp serve", package, "serve") from error
    token = os.environ.get(TOKEN)
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
        raise OptionError(f"{TOKEN} must be a text of visible ASCII characters. Set it again, or unset it.")

    from textlrp.serve.serve_options import ServeOptions
    from textlrp.serve.server_run import run_service

    options = ServeOptions(
        host=host,
        port=port,
        workers=workers,
        token=token,
        max_body=max_body,
        max_text_length=max_text_length,
        max_batch=max_batch,
        max_waiting=max_waiting,
        timeout=timeout,
        cors_origins=tuple(cors_origin or ()),
        allowed_hosts=tuple(allowed_host or ()),
        slow_methods=slow_methods,
        log_texts=log_texts,
    )
    try:
        run_service(models, options, trust_pickle=trust_pickle)
    except KeyboardInterrupt:
        return
