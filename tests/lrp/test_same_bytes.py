"""The same call gives the same bytes: twice in one process, and in a process that compiles or loads the loops."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import textlrp
from textlrp.lrp.kernels import window_relevance
from textlrp.models.base import TextClassifier

TEXTS = ("the shuttle reached orbit", "doctors give a patient pills " * 5, "orbit")

PROGRAM = """
import hashlib, textlrp
model = textlrp.load("20newsgroups-cnn")
for rule in ("epsilon", "gamma", "alpha2beta1"):
    for _ in range(2):
        whys = [textlrp.explain(model, text, target="all", rule=rule) for text in {texts!r}]
        print(rule, hashlib.sha256(b"".join(why.relevance.tobytes() for why in whys)).hexdigest())
"""


@pytest.mark.slow
def test_a_process_that_compiles_and_one_that_loads_the_loops_give_the_same_bytes(tmp_path: Path) -> None:
    source = str(Path(textlrp.__file__).parents[1])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": source}
    command = [sys.executable, "-c", PROGRAM.format(texts=TEXTS)]
    compiling, loading = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    )
    assert len(compiling) == 6
    assert compiling[::2] == compiling[1::2]
    assert compiling == loading


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma", "epsilon-gamma", "alpha2beta1", "z-plus", "flat"])
@pytest.mark.parametrize("name", ["20newsgroups-cnn", "20newsgroups-boe"])
def test_the_same_call_twice_gives_the_same_bytes(name: str, rule: str) -> None:
    model = loaded(name)
    for text in TEXTS:
        first, second = (textlrp.explain(model, text, target="all", rule=rule) for _ in range(2))
        assert first.scores.tobytes() == second.scores.tobytes()
        assert first.relevance.tobytes() == second.relevance.tobytes()
        assert first.ledger.keys() == second.ledger.keys()
        assert all(entry.tobytes() == second.ledger[key].tobytes() for key, entry in first.ledger.items())


@cache
def loaded(name: str) -> TextClassifier:
    return textlrp.load(name)


@pytest.mark.parametrize("threads", [1, 2])
def test_signed_products_do_not_depend_on_threads(threads: int) -> None:
    import numba

    rng = np.random.default_rng(0)
    vectors, weight = rng.normal(size=(9, 33)).astype("f4"), rng.normal(size=(5, 2, 33)).astype("f4")
    words, where = rng.integers(0, 9, size=(7, 6)), rng.integers(0, 5, size=(7, 5))
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        whole_batch = window_relevance.signed_contributions(vectors, weight, words, where)
    finally:
        numba.set_num_threads(before)
    for n in range(7):
        alone = window_relevance.signed_contributions(vectors, weight, words[n : n + 1], where[n : n + 1])
        for sign in range(2):
            assert np.array_equal(whole_batch[sign][n], alone[sign][0])
    products = np.array([weight[f, h] * vectors[words[0, where[0, f] + h]] for f in range(5) for h in range(2)])
    expected = products.clip(0).sum(axis=1).reshape(5, 2)
    known = np.array([[words[0, where[0, f] + h] > 0 for h in range(2)] for f in range(5)])
    np.testing.assert_allclose(whole_batch[0][0], expected * known, rtol=1e-5)
