"""The decorator of the compiled loops: machine code is kept in the user's cache folder, never beside the source.

Open it when compiled code must be kept elsewhere, or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from platformdirs import user_cache_path


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with ``options``, its machine code kept from one process to the next.

    It is kept in ``$NUMBA_CACHE_DIR`` where that is set, else in ``textlrp/compiled`` of the user's cache folder.
    Where that cannot be written, each process compiles for itself.
    """

    def compile_late(function: Callable[..., Any]) -> Any:
        settings: Any = numba.config
        before = settings.CACHE_DIR
        folder = Path(before) if before else user_cache_path("textlrp") / "compiled"
        # numba reads this once, when it decorates; the user's own functions keep their own place
        settings.CACHE_DIR = str(folder)
        try:
            return numba.njit(cache=_writable(folder), **options)(function)
        finally:
            settings.CACHE_DIR = before

    return compile_late


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
