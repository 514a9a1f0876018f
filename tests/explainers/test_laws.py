"""The laws of an explanation, for all models, both poolings, all presets and both precisions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from cases import covering, every
from laws import difference, entries, gap, score_gap
from reference import (
    LRP_0,
    LRP_EPSILON,
    RECIPES,
    Convolution,
    Explained,
    Feature,
    PlainCNN,
    Recipe,
    Recipes,
    bag_of_embeddings,
    bag_of_words,
    cnn,
    gradient_times_input,
    table_bounds,
)
from toys import READ, TEXTS, VARIANTS, fitted, scrambled

from textlrp.explainers import streams as streams_module
from textlrp.explainers.explain import explain
from textlrp.explanation import Explanation
from textlrp.lrp import trace as trace_module
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZPlus
from textlrp.lrp.shares import Rule
from textlrp.lrp.starts import Start
from textlrp.models import abilities as abilities_module
from textlrp.models.base import TextClassifier
from textlrp.records import Status

LAW_1 = {"float32": 5e-6, "float64": 1e-13}
DISTINCT = [name for name in PRESETS if name == next(other for other in PRESETS if PRESETS[other] == PRESETS[name])]
"""The presets that differ from each other; the other names are aliases of these."""
FEW = (
    "zero", "epsilon", "arras2017", "alpha2-beta1", "lrp.alpha_1_beta_0_IB", "epsilon-gamma-box", "deep_taylor",
    "flat",
)  # fmt: skip
"""Presets that have every rule at least once."""
OTHERS = tuple(name for name in DISTINCT if name not in FEW)


def every_pair(names: str, *others: tuple[str, ...]) -> pytest.MarkDecorator:
    """Every variant with every preset, and every pair of values of the other axes; only ``FEW`` presets are fast."""
    slow = [pytest.param(*row, marks=pytest.mark.slow) for row in covering(VARIANTS, OTHERS, *others)]
    return pytest.mark.parametrize(names, [*covering(VARIANTS, FEW, *others), *slow])


each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_rule = every_pair("variant, rule")
each_rule_and_dtype = every_pair("variant, rule, dtype", tuple(LAW_1))
each_dtype = pytest.mark.parametrize("dtype", LAW_1)


def explanations(
    variant: str, rule: Any, dtype: str = "float64", target: Any = "all", start: Start | None = None
) -> list[Explanation]:
    return list(explain(fitted(variant, dtype), READ, rule=rule, start=start, target=target))


def bytes_of(explanation: Explanation) -> tuple[Any, ...]:
    ledger = {key: entry.tobytes() for key, entry in explanation.ledger.items()}
    return explanation.scores.tobytes(), explanation.relevance.tobytes(), ledger, explanation.targets


# ---- law 1


WORDS = sorted({word for text in TEXTS for word in text.split()} | {"zebra", "quux"})


@cache
def random_texts(seed: int, count: int) -> list[str]:
    """Texts of up to 30 words, known and unknown ones, with repeated phrases."""
    draw = np.random.default_rng(seed)
    texts = []
    for length in draw.integers(0, 31, size=count):
        words = list(draw.choice(WORDS, size=length))
        if length > 6:
            words[length // 2 : length // 2 + 3] = words[:3]
        texts.append(" ".join(words))
    return texts


@each_rule_and_dtype
def test_relevance_plus_absorbed_is_score(variant: str, rule: str, dtype: str) -> None:
    for seed in range(5):  # texts of all kinds, and 10 random ones for each of 5 nets
        model = scrambled(fitted(variant, dtype), seed)
        for explanation in explain(model, [*READ, *random_texts(seed, 10)], rule=rule, target="all"):
            assert explanation.relevance.dtype == explanation.scores.dtype == dtype
            assert {entry.dtype for entry in explanation.ledger.values()} <= {np.dtype(dtype)}
            assert score_gap(explanation) < LAW_1[dtype]


@each_rule
def test_every_entry_of_the_ledger_counts(variant: str, rule: str) -> None:
    found = explanations(variant, rule)
    for key in {key for explanation in found for key in explanation.ledger}:
        assert max(score_gap(explanation, without=key) for explanation in found) > 1e-9, key


ON_EVERY_LAYER: dict[Rule, Recipe] = {
    Epsilon(0.3): Recipe(0.3),
    Epsilon(0.3, bias="spread"): Recipe(0.3, spread=True),
    Gamma(0.5, stabilizer=0.1): Recipe(0.1, rule="gamma", gamma=0.5),
    AlphaBeta(2.0, 1.0): Recipe(rule="alpha-beta"),
    AlphaBeta(2.0, 1.0, bias="ignore", stabilizer=0.1): Recipe(0.1, rule="alpha-beta", ignore_bias=True),
    ZPlus(0.1): Recipe(0.1, rule="z-plus"),
    WSquare(0.1): Recipe(0.1, rule="w-square"),
    Flat(0.1): Recipe(0.1, rule="flat"),
}
"""Rules for all layers, including those that only sum."""


@each_variant
@every("rule", ON_EVERY_LAYER)
def test_the_law_with_one_rule_on_every_layer(variant: str, rule: Rule) -> None:
    recipe = ON_EVERY_LAYER[rule]
    kinds: dict[str | int, Rule] = dict.fromkeys({"boe": ["bag"], "cnn-mean": ["mean"]}.get(variant, []), rule)
    composite = Composite(kinds, default=rule)
    assert max(map(score_gap, explanations(variant, composite))) < 1e-13
    assert_plain(variant, composite, Recipes(recipe, recipe, adding=recipe), target=1)


@each_variant
def test_with_a_spread_bias_only_ignored_words_absorb(variant: str) -> None:
    for explanation in explanations(variant, "arras2017"):
        if explanation.seen.any():
            causes = {cause for _, cause in explanation.ledger}
            assert causes <= {"ignored"} | ({"empty"} if variant == "cnn-mean" else set())


# ---- law 3


@each_rule_and_dtype
def test_a_batch_gives_what_single_documents_give(variant: str, rule: str, dtype: str) -> None:
    model = fitted(variant, dtype)
    for text, together in zip(READ, explanations(variant, rule, dtype), strict=True):
        alone = explain(model, text, target="all", rule=rule)
        assert difference(together, alone) < LAW_1[dtype]


@each_variant
@each_dtype
def test_the_order_of_a_batch_changes_nothing(variant: str, dtype: str) -> None:
    forward = explanations(variant, "arras2017", dtype)
    backward = list(explain(fitted(variant, dtype), READ[::-1], target="all", rule="arras2017"))[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert difference(one, other) < LAW_1[dtype]


@each_variant
def test_batches_of_a_block_and_lists_of_targets_change_nothing(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = explanations(variant, "arras2017")
    monkeypatch.setattr(abilities_module, "PADDED_WORDS", 20)
    monkeypatch.setattr(streams_module, "BLOCK", 5)
    monkeypatch.setattr(trace_module, "BACKWARD_ELEMENTS", 1)
    for one, other in zip(explanations(variant, "arras2017"), whole, strict=True):
        assert difference(one, other) < 1e-13


@each_variant
def test_one_target_or_all_makes_no_difference(variant: str) -> None:
    model = fitted(variant, "float64")
    for k, name in enumerate(model.classes_):
        for alone, together in zip(explain(model, READ, target=name), explanations(variant, "epsilon"), strict=True):
            assert (
                gap(alone.relevance[0] - together.relevance[k], together.relevance[k], entries(together, k)) < 1e-13
            )


# ---- law 4: the plain loops


def plain(model: Any, ids: list[int], target: int, recipes: Recipes, start: str) -> Explained:
    """The same model in the plain loops of ``reference``; for "centered", the model with centered scores."""
    weights = model.weights_
    output = weights["output.weight"], weights["output.bias"]
    if start == "centered":
        output = output[0] - output[0].mean(axis=0), output[1] - output[1].mean()
    if model.kind == "cnn":
        vectors = weights["embedding"][np.array(ids, dtype=np.int64)]
        bounds = table_bounds(weights["embedding"])
        return cnn(
            vectors, [i > 0 for i in ids], convolutions(model), *output, model.pooling, target, recipes, bounds
        )
    guard = min(recipes.dense.epsilon, LRP_EPSILON.epsilon)
    if recipes.dense == LRP_0._replace(epsilon=guard):  # a linear model's score needs no stabilizer
        recipes = recipes._replace(dense=LRP_0)
    documents, counts = model.vocabulary_.documents, model.vocabulary_.counts
    if model.kind == "boe":
        idf = [0.0, *((np.log((1 + documents) / (1 + counts)) + 1) ** model.idf_power).tolist()]
        return bag_of_embeddings(ids, weights["embedding"], idf, *output, target, recipes)
    return bag_of_words(ids, features(model, output[0]), output[1], model.sublinear_tf, target, recipes)


def convolutions(model: Any) -> dict[int, Convolution]:
    """The weights (F, D, H) of each width, reshaped independently from (D, H × F)."""
    found = {}
    for width in model.widths:
        flat, bias = model.weights_[f"conv{width}.weight"], model.weights_[f"conv{width}.bias"]
        weight = np.zeros((len(bias), flat.shape[0], width))
        for f in range(len(bias)):
            for h in range(width):
                weight[f, :, h] = flat[:, h * len(bias) + f]
        found[width] = Convolution(weight, bias)
    return found


def features(model: Any, weight: Any) -> list[Feature]:
    words: list[tuple[int, ...]] = [(word,) for word in range(1, len(model.vocabulary_) + 1)]
    base = len(model.vocabulary_) + 1
    words += [divmod(key, base) for key in model.weights_["keys2"].tolist()]
    columns = zip(words, model.weights_["idf"].tolist(), weight.T, strict=True)
    return [Feature(*column) for column in columns]


def word_ids(model: TextClassifier) -> Iterator[list[int]]:
    batch = model.encode(READ)
    for ids, length in zip(batch.ids, batch.lengths, strict=True):
        yield ids[:length].tolist()


def assert_plain(variant: str, rule: Any, recipes: Recipes, target: int, start: Start = "score") -> None:
    """Assert that the closed form of one class equals the loops, for each word and each cause."""
    model = fitted(variant, "float64")
    batch = model.encode(READ)
    found_all = explanations(variant, rule, target=model.classes_[target], start=start)
    for n, (ids, found) in enumerate(zip(word_ids(model), found_all, strict=True)):
        expected = plain(model, ids, target, recipes, start)
        np.testing.assert_allclose(found.scores - found.mean_score, expected.scores, rtol=1e-12, atol=1e-12)
        size = expected.relevance, list(expected.ledger.values())
        on_words = found.relevance[0, batch.readings[n].positions]
        assert gap(on_words - expected.relevance, *size) < 1e-12
        for key in expected.ledger.keys() | found.ledger.keys():
            entry = found.ledger[key][0] if key in found.ledger else 0.0
            assert gap(entry - expected.ledger.get(key, 0.0), *size) < 1e-12, key


@each_rule
def test_the_closed_form_equals_plain_loops(variant: str, rule: str) -> None:
    assert_plain(variant, rule, RECIPES[rule], target=DISTINCT.index(rule) % 3)


@each_variant
@pytest.mark.parametrize(
    "rule",
    [pytest.param(rule, marks=[pytest.mark.slow] * (rule not in ("epsilon", "alpha2-beta1"))) for rule in DISTINCT],
)
def test_the_closed_form_of_a_centered_start_equals_plain_loops(variant: str, rule: str) -> None:
    assert_plain(variant, rule, RECIPES[rule], target=DISTINCT.index(rule) % 3, start="centered")


@pytest.mark.slow
@pytest.mark.parametrize("target", [0, 1, 2])
@each_rule
def test_the_closed_form_of_every_class_equals_plain_loops(variant: str, rule: str, target: int) -> None:
    assert_plain(variant, rule, RECIPES[rule], target)


def test_every_preset_has_its_loops_and_equal_presets_have_equal_ones() -> None:
    assert RECIPES.keys() == PRESETS.keys()
    for name, composite in PRESETS.items():
        for other, recipes in RECIPES.items():
            assert (composite == PRESETS[other]) == (RECIPES[name] == recipes), (name, other)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_lrp_0_is_gradient_times_input(pooling: str) -> None:
    model: Any = fitted(f"cnn-{pooling}", "float64")
    net = PlainCNN(convolutions(model), model.weights_["output.weight"], model.weights_["output.bias"], pooling)
    batch = model.encode(READ)
    for n, (ids, found) in enumerate(zip(word_ids(model), explanations(f"cnn-{pooling}", "zero"), strict=True)):
        for k in range(3):
            expected = gradient_times_input(net, model.weights_["embedding"][np.array(ids, dtype=np.int64)], k)
            on_words = found.relevance[k, batch.readings[n].positions]
            assert gap(on_words - expected, expected, entries(found, k)) < 1e-10


def test_repeated_phrases_are_won_by_their_first_occurrence() -> None:
    model = fitted("cnn-max", "float64")
    found = explain(model, "the probe the probe the probe the probe", rule="zero", target="all")
    words = found.relevance.reshape(3, 4, 2)
    assert words[:, 0].any()
    assert not words[:, 2:].any()  # a window of width 3 reaches into the second phrase, not beyond


# ---- law 5 and 6


@each_variant
@every("rule", FEW)
def test_a_model_is_the_same_before_and_after(variant: str, rule: str) -> None:
    model = copy.deepcopy(fitted(variant))
    model.predict(READ)
    before = {name: weight.tobytes() for name, weight in model.weights_.items()}
    fingerprint, counts = model.fingerprint_, model.vocabulary_.counts.tobytes()  # must not change, like the reader
    attributes = {name: id(value) for name, value in vars(model).items()}
    list(explain(model, READ, rule=rule, target="all"))
    explain(model, READ[0], rule=rule, dtype="float64")
    assert {name: weight.tobytes() for name, weight in model.weights_.items()} == before
    assert {name: id(value) for name, value in vars(model).items()} == attributes
    assert (model.fingerprint_, model.vocabulary_.counts.tobytes()) == (fingerprint, counts)


@each_variant
@each_dtype
def test_the_same_call_gives_the_same_bytes(variant: str, dtype: str) -> None:
    first = [bytes_of(e) for e in explanations(variant, "epsilon", dtype)]
    again = [bytes_of(e) for e in explain(copy.deepcopy(fitted(variant, dtype)), iter(READ), target="all")]
    assert first == again


# ---- what is not read


@each_rule
def test_ignored_tokens_have_no_relevance(variant: str, rule: str) -> None:
    statuses: set[int] = set()
    for explanation in explanations(variant, rule):
        assert not explanation.relevance[:, ~explanation.seen].any()
        statuses |= set(explanation.status.tolist())
    assert statuses == {Status.READ, Status.SKIPPED, Status.NOT_A_WORD, Status.UNKNOWN}


@each_variant
@every("rule", FEW)
@each_dtype
@every("text", ["", "   ", "42 %", "xylophone zebra", "From: a\nSubject: b\n\n"])
def test_without_a_known_word_the_score_is_absorbed(variant: str, rule: str, dtype: str, text: str) -> None:
    explanation = explain(fitted(variant, dtype), text, rule=rule, target="all")
    assert not explanation.seen.any()
    assert not explanation.relevance.any()
    np.testing.assert_allclose(
        explanation.absorbed, explanation.start_scores, rtol=1e-5 if dtype == "float32" else 1e-12
    )


@each_variant
def test_words_beyond_the_limit_are_cut_off(variant: str) -> None:
    model = copy.deepcopy(fitted(variant)).set_params(max_tokens=3)
    cut = explain(model, "the doctor gave me a pill", target="all")
    assert cut.status.tolist() == [0, 0, 0, 4, 4, 4]
    whole = explain(fitted(variant), "the doctor gave", target="all")
    assert cut.relevance[:, :3].tobytes() == whole.relevance.tobytes()


# ---- contrasts


@each_rule_and_dtype
def test_a_contrast_is_the_difference_of_two_maps(variant: str, rule: str, dtype: str) -> None:
    both = explanations(variant, rule, dtype, target=["med", "space"])
    for contrast, alone in zip(explanations(variant, rule, dtype, ("med", "space")), both, strict=True):
        size = alone.relevance, [alone.ledger[key] for key in alone.ledger]
        assert contrast.targets == ((1, 2),)
        assert gap(contrast.relevance[0] - (alone.relevance[0] - alone.relevance[1]), *size) < LAW_1[dtype]
        for key in alone.ledger.keys() | contrast.ledger.keys():
            expected = alone.ledger[key][0] - alone.ledger[key][1]
            assert gap(contrast.ledger.get(key, np.zeros(1))[0] - expected, *size) < LAW_1[dtype]
        assert score_gap(contrast) < LAW_1[dtype]
        assert contrast.target_scores[0] == contrast.scores[1] - contrast.scores[2]


@each_variant
def test_two_classes(variant: str) -> None:
    model = fitted(variant, "float64", 2)
    for explanation in explain(model, READ, target="all"):
        assert explanation.scores.shape == (2,)
        assert score_gap(explanation) < 1e-13
