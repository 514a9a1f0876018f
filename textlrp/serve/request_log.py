"""Structured logs: one JSON object per line, on standard error. Texts are never logged unless the user asks for it.

Open it for the fields of a line.
"""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

SERVICE_LOGGER = logging.getLogger("textlrp.serve")
FIELDS = "request"
"""Attribute of a log record with the further fields of its line."""


class JsonLines(logging.Formatter):
    """Formats a log record as one line of JSON.

    An exception is logged as its type and the lines of code that it passed. Its message may quote a text and is only
    logged with ``log_texts``.
    """

    def __init__(self, *, log_texts: bool = False) -> None:
        super().__init__()
        self._log_texts = log_texts

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage().strip(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            problem = record.exc_info[1]
            frames = traceback.extract_tb(problem.__traceback__)
            line["exception"] = type(problem).__name__
            line["frames"] = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
            if self._log_texts:
                line["reason"] = str(problem)
        return orjson.dumps(line, default=str).decode()


def log_config(*, log_texts: bool = False) -> dict[str, Any]:
    """Return the configuration of :mod:`logging` for a service and for uvicorn."""
    logger = {"handlers": ["lines"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines, "log_texts": log_texts}},
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "loggers": {SERVICE_LOGGER.name: logger, "uvicorn": logger},
    }
