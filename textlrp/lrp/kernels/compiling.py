"""The decorator of the compiled loops: machine code is kept in the user's cache folder, never beside the source.

Open it when compiled code must be kept elsewhere, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from textlrp.user_cache import cache_path, is_writable


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with ``options``, its machine code kept from one process to the next.

    It is kept in ``$NUMBA_CACHE_DIR`` where that is set, else in ``compiled`` of the user's cache folder
    (:mod:`textlrp.user_cache`). Where that cannot be written, each process compiles for itself.
    """

    def compile_late(function: Callable[..., Any]) -> Any:
        settings: Any = numba.config
        before = settings.CACHE_DIR
        folder = Path(before) if before else cache_path("compiled")
        # numba reads this once, when it decorates; the user's own functions keep their own place
        settings.CACHE_DIR = str(folder)
        try:
            return numba.njit(cache=is_writable(folder), **options)(function)
        finally:
            settings.CACHE_DIR = before

    return compile_late
