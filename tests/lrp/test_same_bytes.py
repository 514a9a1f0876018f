"""The same call gives the same bytes: twice in one process, and in a process that compiles or loads the loops."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import textlrp
from textlrp.lrp import kernels

PROGRAM = """
import hashlib
import textlrp

RULES = ("zero", "epsilon", "gamma", "epsilon-gamma", "alpha2beta1", "z-plus", "w-square", "flat")
texts = ["the shuttle reached orbit", "doctors give a patient pills " * 5, "orbit"]
for name in ("20newsgroups-cnn", "20newsgroups-boe"):
    model = textlrp.load(name)
    for rule in RULES:
        both = []
        for _ in range(2):
            whys = [textlrp.explain(model, text, target="all", rule=rule) for text in texts]
            ledgers = [b"".join(part.tobytes() for part in why.ledger.values()) for why in whys]
            arrays = b"".join(why.relevance.tobytes() + why.scores.tobytes() for why in whys)
            both.append(hashlib.sha256(arrays + b"".join(ledgers)).hexdigest())
        print(name, rule, *both)
"""


@pytest.mark.slow
def test_the_same_call_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(textlrp.__file__).parents[1])}
    compiling, loading = (
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for _ in range(2)
    )
    assert len(compiling) == 16
    for line in compiling:
        first, second = line.split()[2:]
        assert first == second, line
    assert compiling == loading


@pytest.mark.parametrize("threads", [1, 2])
def test_signed_products_do_not_depend_on_threads(threads: int) -> None:
    import numba

    rng = np.random.default_rng(0)
    vectors, weight = rng.normal(size=(9, 33)).astype("f4"), rng.normal(size=(5, 2, 33)).astype("f4")
    words, where = rng.integers(0, 9, size=(7, 6)), rng.integers(0, 5, size=(7, 5))
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        together = kernels.signed_contributions(vectors, weight, words, where)
    finally:
        numba.set_num_threads(before)
    for n in range(7):
        alone = kernels.signed_contributions(vectors, weight, words[n : n + 1], where[n : n + 1])
        for side in range(2):
            assert np.array_equal(together[side][n], alone[side][0])
    products = np.array([weight[f, h] * vectors[words[0, where[0, f] + h]] for f in range(5) for h in range(2)])
    expected = products.clip(0).sum(axis=1).reshape(5, 2)
    known = np.array([[words[0, where[0, f] + h] > 0 for h in range(2)] for f in range(5)])
    np.testing.assert_allclose(together[0][0], expected * known, rtol=1e-5)
