"""A stand-in for ``textlrp serve``: it answers the requests of the live page, over HTTP or inside a test.

    python tests/helpers/live_service.py [PORT]      serve the bundled models on 127.0.0.1, without any limits

``answer`` is the service without HTTP: Playwright's routes call it in tests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from textlrp.errors import TextlrpError
from textlrp.explanation import Explanation
from textlrp.records import Document
from textlrp.reports.live.live_fragment import live_fragment
from textlrp.reports.live.live_page import LiveModel, live_page

Explain = Callable[[str, Sequence[Document], Any, str | None], Sequence[Explanation]]
"""Explains (model name, documents, target, rule) and returns one explanation for each document."""


def documents_of(body: Mapping[str, Any]) -> list[Document]:
    """Return the documents of a request."""
    found = []
    for n, text in enumerate(body["texts"]):
        fields = {"text": text} if isinstance(text, str) else text
        skip = np.array(fields.get("skip", []), np.int32).reshape(-1, 2)
        found.append(Document(f"text {n + 1}", fields["text"], skip=skip))
    return found


def target_of(body: Mapping[str, Any]) -> Any:
    """Return the target of a request as :func:`textlrp.explain` takes it."""
    target = body.get("target")
    return (target["target"], target["versus"]) if isinstance(target, dict) else target


def answer(body: Mapping[str, Any], explain: Explain) -> str:
    """Return the HTML answer to a request."""
    return live_fragment(explain(body["model"], documents_of(body), target_of(body), body.get("rule")))


def bundled() -> tuple[list[LiveModel], Explain]:
    """Return the bundled models, and a function that explains with them."""
    import textlrp

    loaded = {name: textlrp.load(name) for name in ("20newsgroups-cnn", "20newsgroups-boe")}
    models = [
        LiveModel(name, tuple(map(str, model.classes_)), ("epsilon", "gamma", "alpha2beta1"), "epsilon", False)
        for name, model in loaded.items()
    ]

    def explain(name: str, documents: Sequence[Document], target: Any, rule: str | None) -> Sequence[Explanation]:
        return list(textlrp.explain(loaded[name], documents, target=target, rule=rule))

    return models, explain


def server(port: int = 0) -> ThreadingHTTPServer:
    """Return a server for the bundled models on 127.0.0.1; ``serve_forever`` runs it."""
    models, explain = bundled()
    page = live_page(models)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one packet for header and content

        def do_GET(self) -> None:
            found = self.path.partition("#")[0] == "/"
            self.send(200 if found else 404, "text/html; charset=utf-8", page.html if found else "Not found")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                self.send(200, "text/html; charset=utf-8", answer(body, explain))
            except TextlrpError as error:
                problem = {"title": "Unprocessable request", "status": 422, "detail": str(error)}
                self.send(422, "application/problem+json", json.dumps(problem))

        def send(self, status: int, kind: str, content: str) -> None:
            data = content.encode("utf-8", "replace")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Security-Policy", page.content_security_policy)
            self.end_headers()
            try:
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):  # the page asked again and no longer waits
                self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    running = server(int(sys.argv[1]) if len(sys.argv) > 1 else 8001)
    print(f"http://{running.server_address[0]}:{running.server_address[1]}/", flush=True)
    running.serve_forever()
