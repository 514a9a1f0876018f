"""Efficient MPRT: the entropy of histograms computed manually, and what randomized weights must do to it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from cases import every
from toys import LABELS, TEXTS, learner

from textlrp import explain
from textlrp.errors import DataError, ModelError, OptionError
from textlrp.evaluation.complexity_rise import efficient_mprt, histogram_entropy
from textlrp.evaluation.randomizing import cascade_layers, randomize_weights
from textlrp.explainers.methods import Random


@every(
    "values, bins, entropy",
    [
        ([0, 0, 0, 1], 2, -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))),
        ([0, 1, 2, 3], 4, math.log(4)),
        ([0, 0.1, 2, 2.1], 2, math.log(2)),
        ([5, 5, 5], 9, 0.0),
        ([5], 9, 0.0),
        ([], 9, 0.0),
    ],
)
def test_entropy_matches_manual_results(values: list[float], bins: int, entropy: float) -> None:
    assert histogram_entropy(np.array(values, dtype=float), bins=bins) == pytest.approx(entropy)


def test_entropy_does_not_depend_on_unit_and_zero() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert histogram_entropy(values * 8 + 4) == pytest.approx(histogram_entropy(values))
    peaked = np.where(np.arange(50) < 2, 9.0, values / 100)
    assert histogram_entropy(peaked) < histogram_entropy(values) - 1


def plain_rises(model: Any, texts: list[str], seed: int) -> list[float]:
    """The equation in plain loops: (entropy after - entropy before) / entropy before."""

    def entropy(values: list[float]) -> float:
        low, width = min(values), (max(values) - min(values)) / 100
        counts: dict[int, int] = {}
        for value in values:
            place = min(99, int((value - low) / width))
            counts[place] = counts.get(place, 0) + 1
        return -sum(n / len(values) * math.log(n / len(values)) for n in counts.values())

    other = randomize_weights(model, cascade_layers(model), seed=seed)
    found = []
    for text in texts:
        before = explain(model, text)
        after = explain(other, text, target=before.labels[before.predicted])
        both = [entropy(why.relevance[0][why.seen].astype(float).tolist()) for why in (before, after)]
        found.append((both[1] - both[0]) / both[0])
    return found


def test_rises_follow_the_equation() -> None:
    model = learner("boe").fit(TEXTS, LABELS)
    found = efficient_mprt(model, TEXTS[:6], seed=2)
    np.testing.assert_allclose(found.values, plain_rises(model, TEXTS[:6], 2), atol=1e-3)
    assert found.rise == pytest.approx(found.values.mean())
    assert (found.n_documents, found.n_excluded) == (6, 0)
    assert found.interval.low <= found.rise <= found.interval.high


def peaked_model() -> Any:
    """A bag of embeddings that needs a single word of each class; the other words have nearly no vector."""
    words = [f"filler{a}{b}" for a in "abcde" for b in "mnopqrst"]
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.permutation([*words, cue]).tolist()) for cue in ("engine", "doctor") * 8]
    model = learner("boe", embedding_dim=12).fit(texts, ["autos", "med"] * 8)
    for n, word in enumerate(model.vocabulary_.words, start=1):
        if word.startswith("filler"):
            model.weights_["embedding"][n] *= 0.01
    return model, texts


def test_a_method_that_depends_on_the_model_rises_and_random_relevance_does_not() -> None:
    model, texts = peaked_model()
    lrp = efficient_mprt(model, texts)
    assert lrp.interval.low > 0.2
    assert lrp.randomized > lrp.original
    chance = efficient_mprt(model, texts, method=Random(0))
    assert abs(chance.rise) < 0.05
    assert np.abs(chance.values).max() > 0  # two draws, not one draw twice
    assert lrp.rise > chance.rise + 0.2


def test_documents_without_complexity_are_left_out() -> None:
    model = learner("boe").fit(TEXTS, LABELS)
    found = efficient_mprt(model, [*TEXTS[:3], "engine", ""])
    assert (found.n_documents, found.n_excluded) == (3, 2)
    assert np.isnan(found.values[3:]).all()
    with pytest.raises(DataError, match="not one of the 1 documents"):
        efficient_mprt(model, ["engine"])
    with pytest.raises(ModelError, match="got a dict"):
        efficient_mprt({}, TEXTS)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="bins must be a whole number"):
        efficient_mprt(model, TEXTS, bins=0)
