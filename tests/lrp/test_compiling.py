"""Compiled loops: their machine code is stored in the user's cache folder, never next to the source."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import textlrp

OURS = "NUMBA_CACHE_DIR", "TEXTLRP_CACHE_DIR"

PROGRAM = """
import numba, numpy as np
from textlrp.lrp.kernels import windows as kernels
print(kernels.winning_windows(np.ones((2, 3)), np.zeros(4, np.int64), np.array([0, 4]), 1)[0].sum())
print(numba.config.CACHE_DIR == {before!r}, kernels._winning_windows.parallel.stats.cache_hits)
"""


def run(folder: Path, **environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    program = PROGRAM.format(before=environment.get("NUMBA_CACHE_DIR", ""))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=kept | {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
def test_machine_code_is_stored_in_the_users_cache_and_loaded_from_it(tmp_path: Path) -> None:
    assert run(tmp_path) == ["3.0", "True", "Counter()"]
    assert list((tmp_path / "cache" / "textlrp" / "compiled").rglob("*.nbi"))
    assert not list(Path(textlrp.__file__).parent.rglob("*.nbi"))
    assert run(tmp_path)[2] != "Counter()"
    for variable in OURS:
        elsewhere = tmp_path / variable
        assert run(tmp_path, **{variable: str(elsewhere)})[:2] == ["3.0", "True"]
        assert list(elsewhere.rglob("*.nbi"))


@pytest.mark.slow
def test_loops_compile_without_a_cache_if_it_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert run(tmp_path) == ["3.0", "True", "Counter()"]
