"""Real explanations of every kind fit the JSON Schema of the documentation, and damaged ones do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from cases import every
from explanations import make_explanation, with_phrases
from toys import LABELS, TEXTS, fitted

import textlrp
from textlrp import store
from textlrp.explanation import Explanation
from textlrp.records import Pieces

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "explanation.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
OPTIONAL = {"thresholds", "true_labels", "pieces", "own_prediction"}


def real() -> list[Explanation]:
    text = TEXTS[3] + " Pill, 42!"
    several = textlrp.BagOfEmbeddingsClassifier(embedding_dim=4, max_epochs=2, random_state=0)
    several.fit(TEXTS, [(label, "all") if number % 2 else (label,) for number, label in enumerate(LABELS)])
    pieces = Pieces(("doc", "##tor"), np.array([[0, 3], [3, 6]]), np.array([0, 0]), np.zeros((1, 2), np.float32))
    return [
        textlrp.explain(fitted("cnn"), text, target="all", phrases=2),
        textlrp.explain(fitted("cnn"), text, target=("med", "autos"), rule="alpha2-beta1"),
        textlrp.explain(fitted("svm"), text),
        textlrp.explain(fitted("boe"), "", method="gradient-x-input", dtype="float64"),
        textlrp.explain(several, textlrp.Document("id", text, ("med", "all")), target="all"),
        with_phrases(make_explanation(targets=(2, (0, 1)), target_notes=("", "a note"))),
        make_explanation("The doctor", pieces=pieces, own_prediction=1),
        make_explanation("", probabilities=None, labels=("no", "yes")),
    ]


@pytest.fixture(scope="module")
def explanations() -> list[Explanation]:
    return real()


def test_the_schema_is_a_schema_with_a_description_of_each_field() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert all("description" in field for field in SCHEMA["properties"].values())


def test_explanations_of_every_kind_fit(explanations: list[Explanation], tmp_path: Path) -> None:
    path = store.write(explanations, tmp_path / "all.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in [*lines, *(each.to_dict() for each in explanations)]:
        VALIDATOR.validate(line)
    used = set().union(*lines)
    assert used == set(SCHEMA["properties"]), "each field must be in one of the explanations"
    assert set(SCHEMA["required"]) == used - OPTIONAL


def _without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda line: line.pop(name)


def _with(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda line: line.update(fields)


@every(
    "damage",
    [
        *(_without(name) for name in SCHEMA["required"]),
        _with(more=1), _with(text=None), _with(targets=[]), _with(targets=["sci.med"]), _with(targets=[[0, 1, 2]]),
        _with(status=[5]), _with(spans=[[0]]), _with(start="middle"), _with(relevance=[0.5]), _with(counts=[-2]),
        _with(ledger=[{"step": "output"}]), _with(phrases=[{"start": 0}]), _with(dtype="int8"), _with(labels=[]),
        _with(pieces={"forms": []}), _with(own_prediction=-1), _with(true_label=3), _with(probabilities=[-0.5]),
    ],
)  # fmt: skip
def test_a_damaged_explanation_does_not_fit(damage: Callable[[dict[str, Any]], Any]) -> None:
    line = make_explanation().to_dict()
    VALIDATOR.validate(line)
    damage(line)
    assert not VALIDATOR.is_valid(line)
