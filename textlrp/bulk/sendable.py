"""Check that a model can be sent to worker processes, before any is started. Importable without torch."""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

from textlrp.errors import OptionError


def check_sendable(model: Any) -> None:
    """Raise :class:`OptionError` if a model with a function of the user cannot be sent to another process."""
    if not hasattr(model, "function"):
        return
    reason = _why_not(model)
    if reason:
        raise OptionError(
            f"workers must be 1 for this function, because it cannot be sent to another process ({reason}). Define "
            "it at the top level of a module, or pass WorkerOptions(workers=1)."
        )


def _why_not(model: Any) -> str:
    """Why a worker process could not get the model; "" if it can."""
    try:
        with open(os.devnull, "wb") as sink:
            pickle.dump(model, sink)
    except (pickle.PicklingError, AttributeError, TypeError) as problem:
        return str(problem).rstrip(".")
    main = sys.modules["__main__"]
    if getattr(model.function, "__module__", None) == "__main__" and not hasattr(main, "__file__"):
        return "it is defined in a notebook or an interactive session"
    return ""
