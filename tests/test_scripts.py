"""Three scripts that each train an external PyTorch module and explain it from token ids."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from laws import score_gap

from textlrp.explanation import Explanation

SCRIPTS = Path(__file__).parent / "scripts"


def explanations_of(name: str, **options: Any) -> list[Explanation]:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return list(script.main(**options))


@pytest.mark.parametrize(
    ("name", "options"), [("branches", {"epochs": 1}), ("bilstm", {}), ("residual", {})], ids=lambda value: str(value)
)
def test_an_external_module_is_explained_with_one_call(name: str, options: dict[str, Any]) -> None:
    lines = (SCRIPTS / f"{name}.py").read_text().splitlines()
    assert len(lines) < 60
    whys = explanations_of(name, **options)
    assert len(whys) >= 3
    for why in whys:
        assert score_gap(why) < 1e-5
        assert np.abs(why.relevance).max() > 0
        assert "".join(why.tokens)


def test_the_most_relevant_words_are_those_of_their_class() -> None:
    sums: dict[str, dict[str, float]] = {}
    for name in ("bilstm", "residual"):
        for why in explanations_of(name):
            predicted = why.labels[why.predicted]
            for row in why.words():
                sums.setdefault(predicted, {})[row.word] = sums.get(predicted, {}).get(row.word, 0.0) + row.relevance
    assert max(sums["travel"], key=lambda word: sums["travel"][word]) in {"bus", "sea", "train"}
    assert sums["garden"]["roses"] > max(sums["garden"]["boil"], sums["garden"]["evening"])
    assert max(sums["good"], key=lambda word: sums["good"][word]) in {"warm", "film"}
    assert max(sums["bad"], key=lambda word: sums["bad"][word]) in {"yawned", "dull", "good", "not"}
