"""Damage model folders while all compiled loops check array bounds; a script to run in a separate process.

numba's switch NUMBA_BOUNDSCHECK does not help here: compiled code in the cache ignores it, and an error inside a
parallel loop is lost. So the loops are compiled with checks, without cache and without parallel threads. First, a
word id out of range shows that the checks are active.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numba
import numpy as np

COMPILE = numba.njit


def checked_njit(*functions: Any, parallel: bool = False, cache: bool = False, **options: Any) -> Any:
    """``numba.njit`` with bounds checks, and without the options that would hide their errors."""
    if options.get("inline") != "always":
        options["boundscheck"] = True
    return COMPILE(*functions, **options)


numba.njit = checked_njit

from damage import damage_many, summary  # noqa: E402  # after numba.njit is replaced

from textlrp.lrp.kernels import means as mean_kernels  # noqa: E402
from textlrp.lrp.kernels import path_loops as path_kernels  # noqa: E402
from textlrp.lrp.kernels import windows as kernels  # noqa: E402


def show_that_bounds_are_checked() -> None:
    """Each family of loops must refuse a word id beyond its table."""
    table = np.ones((3, 4), dtype=np.float32)
    ids, starts = np.array([1, 2, 9]), np.array([0, 3])
    steps = np.array([0]), np.array([0, 1])
    calls = [
        lambda: kernels.winning_windows(table, ids, starts, 2),
        lambda: mean_kernels.mean_windows(table, np.zeros(2, dtype=np.float32), ids, starts, 2),
        lambda: path_kernels.path_windows(table, ids, starts, 2, *steps),
    ]
    raised = 0
    for call in calls:
        try:
            call()
        except IndexError:
            raised += 1
    print(f"{raised} of {len(calls)} loops raise IndexError for a word id out of range")


if __name__ == "__main__":
    show_that_bounds_are_checked()
    with tempfile.TemporaryDirectory() as place:
        ends, others = damage_many(Path(place), int(sys.argv[1]), int(sys.argv[2]))
    print(*others, summary(ends, others), sep="\n")
