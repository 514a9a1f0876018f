"""The decorator of all compiled loops, which caches machine code in the user's cache folder.

Open this module if the compiled code must be stored elsewhere, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from textlrp.user_cache import cache_path, is_writable


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator ``numba.njit`` with ``options`` and a cache on disk.

    The machine code is stored in ``$NUMBA_CACHE_DIR`` if that is set, and otherwise in the folder ``compiled`` of the
    user's cache folder (:mod:`textlrp.user_cache`). If that folder is not writable, each process compiles the loops
    again.
    """

    def compile_late(function: Callable[..., Any]) -> Any:
        settings: Any = numba.config
        before = settings.CACHE_DIR
        folder = Path(before) if before else cache_path("compiled")
        # numba reads this setting only while it decorates; it is reset for functions that are not ours
        settings.CACHE_DIR = str(folder)
        try:
            return numba.njit(cache=is_writable(folder), **options)(function)
        finally:
            settings.CACHE_DIR = before

    return compile_late
