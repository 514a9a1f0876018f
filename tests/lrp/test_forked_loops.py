"""The compiled loops and torch work in a process that was forked after they ran, for example in ``nlp.pipe``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_all_loops_and_explanations_are_the_same_in_a_forked_process() -> None:
    paths = os.pathsep.join([str(TESTS), str(TESTS / "helpers"), str(TESTS.parent)])
    threads = {"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, str(TESTS / "helpers" / "forked_loops.py")],
        env=os.environ | threads | {"PYTHONPATH": paths},
        capture_output=True, text=True, check=True, timeout=400,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "loops 7 without a call []",
        "sequential loops that differ []",
        "threads 2",
        "loops that differ in the child [] explanations agree True",
        "status of the child 0",
    ]
