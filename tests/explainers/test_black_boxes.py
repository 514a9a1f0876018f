"""Explanations of functions of texts: exact on games that can be solved by hand, and the laws of all explanations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import gap

from textlrp.errors import ModelError, RuleError
from textlrp.explainers.explain import explain
from textlrp.explainers.method_table import METHODS
from textlrp.explainers.methods import KernelShap, Lime, Method, Occlusion, Random, Shap
from textlrp.explanation import Explanation
from textlrp.models.wrapping import wrap
from textlrp.records import Document

pytestmark = pytest.mark.usefixtures("shap_is_not_compiled")

ADDITIVE: tuple[Method, ...] = (Occlusion(), Shap(), KernelShap(samples=40))
"""Methods that give each word its exact weight if the score is a sum over words."""
ALL: tuple[Method, ...] = (*ADDITIVE, Lime(samples=60), Random())
CLASSES = ["no", "yes"]
WORDS = ("alpha", "beta", "gamma", "delta", "eta")

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def counted(weights: dict[str, float], bias: float = 0.5) -> Callable[[list[str]], Any]:
    """A function whose second score is a bias plus the weight of each occurrence of a word."""
    return lambda texts: [[0.0, bias + sum(weights.get(word, 0.0) for word in text.split())] for text in texts]


def game(seed: int, words: Sequence[str] = WORDS) -> tuple[Callable[[list[str]], Any], Callable[[Any], float]]:
    """A function with a random second score for each subset of distinct words, and the score of a subset."""
    values: dict[frozenset[str], float] = {}

    def value(subset: Any) -> float:
        key = frozenset(subset)
        if key not in values:
            bits = [int(word in key) for word in words]
            values[key] = float(np.random.default_rng([seed, *bits]).normal())
        return values[key]

    return (lambda texts: np.array([[0.0, value(text.split())] for text in texts])), value


def yes(function: Any, text: Any, method: Any, **options: Any) -> Explanation:
    why = explain(function, text, method=method, classes=CLASSES, target="yes", **options)
    assert isinstance(why, Explanation)
    return why


# ---- games that can be solved by hand


@few
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
    st.lists(st.integers(-4, 4), min_size=len(WORDS), max_size=len(WORDS)),
)
def test_each_occurrence_gets_its_weight_if_the_score_is_a_sum_over_words(
    words: list[str], numbers: list[int]
) -> None:
    weights = dict(zip(WORDS, map(float, numbers), strict=True))
    for method in ADDITIVE:
        why = yes(counted(weights), " ".join(words), method)
        np.testing.assert_allclose(why.relevance[0], [weights[word] for word in words], atol=1e-9)
        assert why.absorbed[0] == pytest.approx(0.5, abs=1e-9)  # the bias


def test_occlusion_is_the_score_less_that_of_the_text_without_the_word() -> None:
    function, value = game(0)
    why = yes(function, " ".join(WORDS), "occlusion")
    whole = set(WORDS)
    expected = [value(whole) - value(whole - {word}) for word in WORDS]
    np.testing.assert_allclose(why.relevance[0], expected, rtol=1e-13)


def shapley(value: Callable[[Any], float], words: Sequence[str]) -> list[float]:
    """The mean over all orders of what a word adds to the words before it: the definition."""
    orders = list(permutations(words))
    found = dict.fromkeys(words, 0.0)
    for order in orders:
        for n, word in enumerate(order):
            found[word] += (value(order[: n + 1]) - value(order[:n])) / len(orders)
    return [found[word] for word in words]


@every("seed", range(8))
def test_kernel_shap_gives_shapley_values_if_all_subsets_are_drawn(seed: int) -> None:
    for count in range(1, 6):
        function, value = game(seed)
        why = yes(function, " ".join(WORDS[:count]), KernelShap(samples=2048))
        np.testing.assert_allclose(why.relevance[0], shapley(value, WORDS[:count]), atol=1e-9)
        assert why.ledger["words", "baseline"][0] == pytest.approx(value(()), abs=1e-12)


@every("seed", range(8))
def test_shap_gives_owen_values(seed: int) -> None:
    """Only orders that keep the two words of each half together count, with the halves of a balanced tree."""
    function, value = game(seed)
    words = WORDS[:4]
    together = [order for order in permutations(words) if {*order[:2]} in ({*words[:2]}, {*words[2:]})]
    expected = dict.fromkeys(words, 0.0)
    for order in together:
        for n, word in enumerate(order):
            expected[word] += (value(order[: n + 1]) - value(order[:n])) / len(together)
    why = yes(function, " ".join(words), Shap(samples=500))
    np.testing.assert_allclose(why.relevance[0], [expected[word] for word in words], atol=1e-9)
    two = yes(function, "alpha beta", "shap")  # with two words these are all orders
    np.testing.assert_allclose(two.relevance[0], shapley(value, WORDS[:2]), atol=1e-9)


def test_lime_finds_the_signs_and_the_order_of_weights() -> None:
    weights = {"alpha": 3.0, "beta": -2.0, "gamma": 0.0, "delta": 1.0}
    why = yes(counted(weights), "alpha beta gamma delta", Lime(samples=500))
    np.testing.assert_allclose(why.relevance[0], list(weights.values()), atol=0.1)


def test_a_mask_takes_the_place_of_a_word() -> None:
    seen: list[str] = []

    def function(texts: list[str]) -> Any:
        seen.extend(texts)
        return [[0.0, float(len(text))] for text in texts]

    model = wrap(function, classes=CLASSES, masked="[MASK]")
    why = yes_of(model, "a bb")
    assert {"[MASK] bb", "a [MASK]"} <= {*seen}
    assert why.relevance.tolist() == [[1 - 6, 2 - 6]]


def yes_of(model: Any, text: Any, method: Any = "occlusion") -> Explanation:
    why = explain(model, text, method=method, target="yes")
    assert isinstance(why, Explanation)
    return why


# ---- laws


@every("method", ALL)
def test_relevance_plus_absorbed_is_score(method: Method) -> None:
    if isinstance(method, Random):
        return
    for seed in range(3):
        function, value = game(seed)
        for text in ("", "?", "alpha", "alpha beta", " ".join(WORDS)):
            why = yes(function, text, method)
            entries = [float(entry[0]) for entry in why.ledger.values()]
            assert gap(why.relevance[0].sum() + sum(entries) - why.scores[1], why.relevance[0], entries) < 1e-12
            assert why.scores[1] == value(text.split())


@every("method", ALL)
def test_a_batch_gives_what_single_texts_give(method: Method) -> None:
    function, _ = game(1)
    texts = [Document(f"d{n}", " ".join(WORDS[: n % 6])) for n in range(9)]
    together = list(explain(function, texts, method=method, classes=CLASSES, target="all"))
    for text, why in zip(texts, together, strict=True):
        alone = explain(function, text, method=method, classes=CLASSES, target="all")
        assert alone.relevance.tobytes() == why.relevance.tobytes()
        assert alone.to_json() == why.to_json()


@every("method", ALL)
def test_the_seed_decides_and_numpys_own_generator_is_left_alone(method: Method) -> None:
    function, _ = game(2, tuple(f"w{n}" for n in range(14)))
    text = " ".join(f"w{n}" for n in range(14))
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # type: ignore[union-attr, index]  # noqa: NPY002
    first, again = yes(function, text, method), yes(function, text, method)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[union-attr, index]  # noqa: NPY002
    assert first.relevance.tobytes() == again.relevance.tobytes()
    if hasattr(method, "seed") and not isinstance(method, Shap):  # shap draws only to break ties
        other = yes(function, text, type(method)(seed=7))  # type: ignore[call-arg]
        assert not np.array_equal(other.relevance, first.relevance)


@every("method", ALL)
def test_a_contrast_is_the_difference_of_its_two_maps(method: Method) -> None:
    function, _ = game(3)
    why = explain(function, "alpha beta gamma", method=method, classes=CLASSES, target=[("yes", "no"), "yes", "no"])
    np.testing.assert_allclose(why.relevance[0], why.relevance[1] - why.relevance[2], atol=1e-12)
    np.testing.assert_allclose(why.absorbed[0], why.absorbed[1] - why.absorbed[2], atol=1e-12)


# ---- other methods are refused


@every("method", ["lrp", *(name for name, entry in METHODS.items() if not entry.by_scores)])
def test_methods_that_need_layers_are_refused_in_one_sentence_before_the_function_is_called(method: str) -> None:
    def function(texts: list[str]) -> Any:
        raise AssertionError

    offered = r"method must be 'occlusion', 'lime', 'shap' or 'kernel-shap' for a function, .*; got .*Pass method="
    with pytest.raises(ModelError, match=offered):
        explain(function, "a text", method=method, classes=CLASSES)
    model = wrap(function, classes=CLASSES)
    batch = model.encode(["a text"])
    for refused in (lambda: model.trace(batch), lambda: model.input_point(batch, 0)):
        with pytest.raises(ModelError, match=offered):
            refused()


def test_exactly_these_methods_need_scores_only() -> None:
    by_scores = {name for name, entry in METHODS.items() if entry.by_scores}
    assert by_scores == {"occlusion", "random", "lime", "shap", "kernel-shap"}


def test_a_rule_is_refused() -> None:
    function, _ = game(0)
    with pytest.raises(RuleError, match="rule must be left out with method='occlusion'"):
        explain(function, "alpha", method="occlusion", rule="gamma", classes=CLASSES)
