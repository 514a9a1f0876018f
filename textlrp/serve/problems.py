"""Errors of the API as problem details (RFC 9457, ``application/problem+json``).

Open it to change how an error is worded or which status it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from textlrp.errors import TextlrpError

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "1"}
"""Seconds after which a client of a busy service may try again."""
CLOSE = {"Connection": "close"}
"""Sent with an answer before the end of the request."""


class RequestProblem(TextlrpError):
    """A request that cannot be answered: ``status``, a sentence, and for each wrong field its path and a sentence."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, tuple(errors), headers

    def response(self) -> Response:
        """Return the answer to the request."""
        status = HTTPStatus(self.status)
        body: dict[str, Any] = {
            "type": "about:blank", "title": status.phrase, "status": self.status, "detail": self.detail,
        }  # fmt: skip
        if self.errors:
            body["errors"] = self.errors
        headers = None if self.headers is None else dict(self.headers)
        content = orjson.dumps(_encodable(body))
        return Response(content, self.status, headers=headers, media_type=PROBLEM_TYPE)


def _encodable(value: Any) -> Any:
    """Replace half of a surrogate pair in any text: UTF-8 cannot encode it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {key: _encodable(each) for key, each in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, (list, tuple)) else value


def busy(detail: str) -> RequestProblem:
    """Return the problem of a service that cannot take a request now: 503 with ``Retry-After``."""
    return RequestProblem(503, detail, headers=RETRY_AFTER)


def add_problem_handlers(app: FastAPI) -> None:
    """Let an application answer all errors with problem details."""
    app.add_exception_handler(TextlrpError, _known_problem)
    app.add_exception_handler(HTTPException, _of_starlette)
    app.add_exception_handler(Exception, _unexpected)


def _known_problem(_: Request, problem: Exception) -> Response:
    found = problem if isinstance(problem, RequestProblem) else RequestProblem(422, str(problem))
    return found.response()


def _of_starlette(request: Request, problem: Exception) -> Response:
    """Answer a request for an unknown path or with a wrong method."""
    assert isinstance(problem, HTTPException)
    details = {404: "There is no such path. /openapi.json lists all.", 405: "This path has other methods; see Allow."}
    detail = details.get(problem.status_code, str(problem.detail))
    return RequestProblem(problem.status_code, detail, headers=problem.headers).response()


def _unexpected(_: Request, __: Exception) -> Response:
    return RequestProblem(500, "The service failed. Its log has the reason.").response()
