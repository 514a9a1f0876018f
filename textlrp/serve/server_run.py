"""Run a service with uvicorn, in this process or in several workers."""

from __future__ import annotations

import gc
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import numba
import torch
import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from textlrp.errors import OptionError, must_be
from textlrp.machine import cores
from textlrp.models.loading import load_classifier
from textlrp.models.model_folder import check_model
from textlrp.serve.guarded_protocol import GuardedProtocol
from textlrp.serve.request_log import SERVICE_LOGGER, log_config
from textlrp.serve.serve_options import LOCAL_HOSTS, ServeOptions
from textlrp.serve.served_models import load_served, named_places
from textlrp.serve.service_app import service_app
from textlrp.serve.service_metrics import SHARED_FOLDER


def run_service(models: Sequence[str], options: ServeOptions, *, trust_pickle: bool = False) -> None:
    """Serve models until SIGTERM or Ctrl-C; requests that were accepted are answered before.

    Raises :class:`OptionError` if the address cannot be used, and the errors of :func:`textlrp.load`.
    """
    for place in named_places(models).values():
        check_model(place)
    make = partial(loaded_app, tuple(models), options, trust_pickle)
    if options.workers == 1:
        with bound_socket(options) as listener:
            config = _config(make(), options)
            _announce(listener, options)
            uvicorn.Server(config).run(sockets=[listener])
        return
    with bound_socket(options) as listener:
        for place in named_places(models).values():  # uvicorn starts a worker that fails again, without end
            load_classifier(place, trust_pickle=trust_pickle)
        with tempfile.TemporaryDirectory(prefix="textlrp-metrics-") as folder:
            os.environ[SHARED_FOLDER] = folder  # read by the workers, which are started below
            config = _config(make, options)  # configures logging
            _announce(listener, options)
            Multiprocess(config, sockets=[listener]).run()


def loaded_app(models: Sequence[str], options: ServeOptions, trust_pickle: bool) -> ASGIApp:
    """Load the models in this process and return the application."""
    if options.workers > 1:
        threads = max(1, cores() // options.workers)
        torch.set_num_threads(threads)
        numba.set_num_threads(min(threads, numba.get_num_threads()))
    served = load_served(models, slow_methods=options.slow_methods, trust_pickle=trust_pickle)
    app = service_app(served, options)
    gc.collect()
    gc.freeze()  # what was loaded lives until the end: scanning it again would delay answers
    return app


def _config(app: ASGIApp | partial[ASGIApp], options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, partial),
        workers=options.workers,
        interface="asgi3",
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=log_config(log_texts=options.log_texts),
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_worker_healthcheck=60,  # importing torch on a busy machine may take longer than the default
        timeout_graceful_shutdown=int(3 * options.timeout) + 1,
    )


def bound_socket(options: ServeOptions) -> socket.socket:
    """Return a socket that is bound to the address of a service; raises :class:`OptionError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as on_error:
            listener = on_error.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            on_error.pop_all()
    except (OSError, UnicodeError) as problem:  # UnicodeError: no host can have this name
        got = f"{options.host}:{options.port}"
        reason = problem.strerror if isinstance(problem, OSError) else "not a name of a host"
        what = f"an address that can be used ({reason})"
        raise OptionError(must_be("host and port", what, got, "Pass --port 0 for any free port.")) from None
    listener.set_inheritable(True)
    return listener


def _announce(listener: socket.socket, options: ServeOptions) -> None:
    port = listener.getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    SERVICE_LOGGER.info("serving http://%s:%d; Ctrl-C stops it", host, port)
    if sys.stdout.isatty():  # a line that is easier to read than the log
        print(f"Open http://{host}:{port}/ in a browser. Ctrl-C stops the service.", flush=True)
    if options.host not in LOCAL_HOSTS and options.token is None:
        SERVICE_LOGGER.warning(
            "other machines can use the service without a token. Set the environment variable TEXTLRP_TOKEN."
        )
