"""The fused sweep equals propagation through the trace: word by word, cause by cause, for every preset."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import gap, score_gap
from numpy.typing import NDArray
from plain_nets import plain_module
from reference import RECIPES, Convolution, cnn, table_bounds
from toys import READ, fitted

from textlrp.errors import RuleError
from textlrp.explainers.explain import explain
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.fused import FusedRelevance, propagate_fused
from textlrp.lrp.presets import PRESETS
from textlrp.lrp.rules import Epsilon, Gamma, ZBox
from textlrp.lrp.shares import Rule
from textlrp.lrp.starts import started
from textlrp.lrp.trace import Trace, by_dimension, one_hot_seed, propagate
from textlrp.models.convnet import ConvNet, new_convnet, plain_weights
from textlrp.models.packing import Packed, pack
from textlrp.models.wrapping import wrap

WORDS, D, F, C = 9, 4, 5, 3
LAW = {"float32": 1e-5, "float64": 1e-12}
WIDTHS = ((1,), (2,), (3,), (5,), (1, 2, 3), (2, 5))
TEXTS: tuple[list[int], ...] = (
    [1, 2, 3, 1, 2, 3, 4],
    [],
    [0],
    [5],
    [0, 0, 0],
    [6, 0, 7, 8],
    [1, 2],
    [0, 8, 8, 8, 8, 8, 8, 0, 4, 3, 2, 1],
)
"""A repeated phrase, no word, one word, only unknown words, unknown words in between, short and long texts."""

DISTINCT = [name for name in PRESETS if name == next(other for other in PRESETS if PRESETS[other] == PRESETS[name])]
"""The presets without those that equal an earlier one."""

each_dtype = pytest.mark.parametrize("dtype", LAW)
each_widths = pytest.mark.parametrize("widths", WIDTHS, ids=str)


class Case(NamedTuple):
    """A net with random weights and biases, and the trace of some texts."""

    net: ConvNet
    packed: Packed
    trace: Trace


def random_net(widths: tuple[int, ...], dtype: str, seed: int, classes: int = C) -> ConvNet:
    draw = torch.Generator().manual_seed(seed)
    table = torch.randn(WORDS, D, generator=draw, dtype=torch.float64).to(getattr(torch, dtype))
    table[0] = 0
    net = new_convnet(table, widths=widths, filters=[F] * len(widths), classes=classes, pooling="max", seed=seed)
    for weight in net.weights.values():
        weight.copy_(torch.randn(weight.shape, generator=draw, dtype=torch.float64))
    return net


@cache
def case(widths: tuple[int, ...], dtype: str, seed: int = 0) -> Case:
    packed = pack([np.array(text, dtype=np.int64) for text in TEXTS])
    net = random_net(widths, dtype, seed)
    return Case(net, packed, net.trace(packed))


def every_class(documents: int) -> NDArray[np.int64]:
    return np.tile(np.arange(C), (documents, 1))


def seed_of(scores: torch.Tensor, classes: NDArray[np.int64]) -> torch.Tensor:
    """The seed (K, N, C) with the score of the k-th class of each text."""
    seed = scores.new_zeros((classes.shape[1], *scores.shape))
    for n, targets in enumerate(classes.tolist()):
        for k, c in enumerate(targets):
            seed[k, n, c] = scores[n, c]
    return seed


def assert_same(
    trace: Trace, packed: Packed, composite: Composite, classes: NDArray[np.int64], dtype: str
) -> FusedRelevance:
    """Assert that the fused sweep equals :func:`propagate` and conserves relevance.

    The tolerance is relative to all relevance that is propagated, including that of the filters, which may be large
    and cancel.
    """
    every = classes.shape[1] == C and bool((classes == np.arange(C)).all())
    on_words = propagate_fused(trace, composite, None if every else classes)
    stepwise = propagate(trace, composite, seed_of(trace.scores, classes), watch=["features"])
    assert on_words.relevance.dtype == np.dtype(dtype)
    assert {entry.dtype for entry in on_words.ledger.values()} == {np.dtype(dtype)}
    assert on_words.ledger.keys() >= stepwise.ledger.keys()
    assert not any(on_words.ledger[key].any() for key in on_words.ledger.keys() - stepwise.ledger.keys())
    expected = stepwise.relevance.numpy().astype(np.float64)
    entries = {key: entry.numpy().T.astype(np.float64) for key, entry in stepwise.ledger.items()}
    size = sum(np.abs(entry) for entry in entries.values())
    size = size + np.abs(expected).sum(axis=2).T + stepwise.watched["features"].abs().sum(dim=2).numpy().T
    own = np.zeros((len(packed), classes.shape[1], expected.shape[2]))
    for n, length in enumerate(packed.lengths):
        own[n, :, :length] = on_words.relevance[packed.starts[n] : packed.starts[n + 1]].T
    scores = np.take_along_axis(trace.scores.numpy(), classes, axis=1)
    absorbed = sum(entry.astype(np.float64) for entry in on_words.ledger.values())
    assert (np.abs(own - expected.transpose(1, 0, 2)).max(axis=2) <= LAW[dtype] * size).all()
    for key, entry in entries.items():
        assert (np.abs(on_words.ledger[key] - entry) <= LAW[dtype] * size).all(), key
    assert (np.abs(own.sum(axis=2) + absorbed - scores) <= LAW[dtype] * size).all()
    return on_words


@each_dtype
@every("preset", DISTINCT)
def test_the_fused_sweep_equals_propagation_and_conserves_relevance(preset: str, dtype: str) -> None:
    for widths in WIDTHS:
        for seed in range(2):
            _, packed, trace = case(widths, dtype, seed)
            on_words = assert_same(trace, packed, PRESETS[preset], every_class(len(packed)), dtype)
            assert np.abs(on_words.relevance).max() > 0.1


OTHER_RULES: tuple[Rule | Composite, ...] = (
    Epsilon(0.3),
    Epsilon(0.3, bias="spread"),
    Gamma(0.5, stabilizer=0.1),
    ZBox(-4.0, 4.0),
    Composite({"output": Gamma(1.0), "conv2": Epsilon(0.1), "conv5": Gamma(0.1)}),
)


@each_dtype
@every("rule", OTHER_RULES)
def test_rules_with_parameters_and_rules_by_layer_name(rule: Rule | Composite, dtype: str) -> None:
    if isinstance(rule, ZBox):  # only for the layer that reads the words
        composite = Composite({0: rule}, default=Epsilon())
    else:
        composite = rule if isinstance(rule, Composite) else Composite(default=rule)
    _, packed, trace = case((2, 5), dtype)
    assert_same(trace, packed, composite, every_class(len(packed)), dtype)


@settings(max_examples=120, deadline=None)
@given(
    texts=st.lists(st.lists(st.integers(0, WORDS - 1), max_size=8), min_size=1, max_size=5),
    widths=st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True).map(tuple),
    preset=st.sampled_from(list(PRESETS)),
    dtype=st.sampled_from(list(LAW)),
    data=st.data(),
)
def test_any_texts_and_any_classes_of_each(
    texts: list[list[int]], widths: tuple[int, ...], preset: str, dtype: str, data: st.DataObject
) -> None:
    targets = data.draw(st.integers(1, C + 1))
    own = st.lists(st.integers(0, C - 1), min_size=targets, max_size=targets)
    classes = np.array([data.draw(own) for _ in texts], dtype=np.int64)
    packed = pack([np.array(text, dtype=np.int64) for text in texts])
    trace = random_net(widths, dtype, data.draw(st.integers(0, 5))).trace(packed)
    assert_same(trace, packed, PRESETS[preset], classes, dtype)


@each_widths
def test_the_relevance_of_a_class_does_not_depend_on_the_other_classes_or_their_order(
    widths: tuple[int, ...],
) -> None:
    _, packed, trace = case(widths, "float64")
    for preset in ("epsilon", "alpha2-beta1", "arras2017"):
        together = propagate_fused(trace, PRESETS[preset], None)
        named = propagate_fused(trace, PRESETS[preset], every_class(len(packed)))
        np.testing.assert_allclose(named.relevance, together.relevance, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(named.entries, together.entries, rtol=1e-12, atol=1e-12)
        backward = propagate_fused(trace, PRESETS[preset], every_class(len(packed))[:, ::-1].copy())
        np.testing.assert_allclose(backward.relevance[:, ::-1], together.relevance, rtol=1e-12, atol=1e-12)
        for c in range(C):
            alone = propagate_fused(trace, PRESETS[preset], np.full((len(packed), 1), c))
            np.testing.assert_allclose(alone.relevance[:, 0], together.relevance[:, c], rtol=1e-12, atol=1e-12)
            for key, entry in alone.ledger.items():
                np.testing.assert_allclose(entry[:, 0], together.ledger[key][:, c], rtol=1e-12, atol=1e-12)


@every("preset", ["epsilon", "alpha2-beta1", "epsilon-gamma-box"])
@every("targets", [1, 2, 5])
def test_few_of_many_classes(preset: str, targets: int) -> None:
    packed = pack([np.array(text, dtype=np.int64) for text in TEXTS])
    trace = random_net((1, 3), "float64", 0, classes=12).trace(packed)
    classes = np.random.default_rng(0).integers(0, 12, size=(len(packed), targets))
    assert_same(trace, packed, PRESETS[preset], classes, "float64")


@every("preset", DISTINCT)
def test_the_fused_sweep_equals_plain_loops(preset: str) -> None:
    net, packed, trace = case((1, 3), "float64")
    table, weights = net.table.numpy(), net.weights
    convolutions = {
        width: Convolution(plain_weights(weights, width).numpy(), weights[f"conv{width}.bias"].numpy())
        for width in net.widths
    }
    output = weights["output.weight"].numpy(), weights["output.bias"].numpy()
    classes = np.arange(len(packed))[:, None] % C
    on_words = propagate_fused(trace, PRESETS[preset], classes)
    for n, text in enumerate(TEXTS):
        expected = cnn(
            table[text] if text else np.zeros((0, D)), [word > 0 for word in text], convolutions, *output, "max",
            int(classes[n, 0]), RECIPES[preset], table_bounds(table),
        )  # fmt: skip
        size = expected.relevance, list(expected.ledger.values())
        begin, end = packed.starts[n], packed.starts[n + 1]
        assert gap(on_words.relevance[begin:end, 0] - expected.relevance, *size) < LAW["float64"]
        for key in expected.ledger.keys() | on_words.ledger.keys():
            entry = on_words.ledger[key][n, 0] if key in on_words.ledger else 0.0
            assert gap(entry - expected.ledger.get(key, 0.0), *size) < LAW["float64"], key


def test_an_unknown_layer_is_refused_as_in_propagation() -> None:
    _, packed, trace = case((2,), "float64")
    with pytest.raises(RuleError, match="conv7") as fused:
        propagate_fused(trace, Composite({"conv7": Epsilon()}), every_class(len(packed)))
    with pytest.raises(RuleError) as stepwise:
        propagate(trace, Composite({"conv7": Epsilon()}), one_hot_seed(trace.scores, [0]))
    assert str(fused.value) == str(stepwise.value)


# ---- which traces have windows


@each_widths
def test_the_trace_of_a_net_with_max_pooling_has_windows(widths: tuple[int, ...]) -> None:
    trace = case(widths, "float32").trace
    assert trace.windows is not None
    steps = {step.name: step for step in trace.steps}
    assert list(trace.windows.filters) == [f"conv{width}" for width in widths]
    assert trace.windows.filters.keys() < steps.keys()
    assert trace.windows.lookup == trace.steps[0].name
    assert trace.windows.output is trace.steps[-1]


@pytest.mark.parametrize("variant", ["cnn-mean", "boe", "svm"])
def test_other_traces_have_no_windows(variant: str) -> None:
    model = fitted(variant)
    assert model.trace(model.encode(READ)).windows is None


def test_a_changed_trace_keeps_its_windows_only_if_they_are_the_same() -> None:
    trace = case((1, 2), "float64").trace
    assert by_dimension(trace)[0].windows is None
    centered = started(trace, PRESETS["alpha1-beta0"], "centered").trace
    assert centered.windows is not None
    assert centered.windows.output is centered.steps[-1]


# ---- through explain


def entries(explanation: Explanation, k: int) -> dict[tuple[str, str], float]:
    return {key: float(entry[k]) for key, entry in explanation.ledger.items()}


@each_dtype
@every("preset", ["epsilon", "epsilon-gamma-box", "alpha2-beta1", "arras2017", "flat"])
def test_a_contrast_is_the_difference_of_its_maps_whatever_the_other_targets_are(preset: str, dtype: str) -> None:
    model = fitted("cnn-max", dtype)
    asked: list[Any] = [("med", "space"), "space", ("space", "autos"), ("autos", "autos"), "med"]
    singles = explain(model, READ, target="all", rule=preset)
    own = [[asked[(n + k) % 5] for k in range(1 + n % 4)] for n in range(len(READ))]
    names = list(model.classes_)
    for found, alone, targets in zip(explain(model, READ, targets=own, rule=preset), singles, own, strict=True):
        assert len(found.targets) == len(targets)
        size = alone.relevance, list(alone.ledger.values())
        for k, target in enumerate(targets):
            plus, minus = target if isinstance(target, tuple) else (target, None)
            a, b = names.index(plus), names.index(minus) if minus else None
            expected = alone.relevance[a] - (0 if b is None else alone.relevance[b])
            assert gap(found.relevance[k] - expected, *size) < LAW[dtype]
            for key in alone.ledger.keys() | found.ledger.keys():
                entry = alone.ledger.get(key, np.zeros(C))
                expected_entry = float(entry[a]) - (0.0 if b is None else float(entry[b]))
                assert gap(entries(found, k).get(key, 0.0) - expected_entry, *size) < LAW[dtype], key
        assert score_gap(found) < LAW[dtype]


@every("preset", DISTINCT)
def test_the_recorded_module_has_the_relevance_of_the_net(preset: str) -> None:
    model = fitted("cnn-max", "float64")
    numbers = {word: number for number, word in enumerate(model.vocabulary_.words, start=1)}
    module = wrap(plain_module(model), tokenizer=str.split, vocabulary=numbers, classes=list(model.classes_))
    for text in ("the doctor gave the patient a pill and the car oil", "the probe the probe the probe", "engine"):
        own = explain(model, text, rule=preset, target="all")
        recorded = explain(module, text, rule=preset, target="all")
        for k in range(C):
            size = own.relevance[k], list(entries(own, k).values())
            assert gap(recorded.relevance[k] - own.relevance[k], *size) < LAW["float64"]
            assert gap(recorded.absorbed[k] - own.absorbed[k], *size) < LAW["float64"]


def test_explanations_with_phrases_have_the_same_relevance() -> None:
    model = fitted("cnn-max", "float64")
    with_phrases = explain(model, READ, target="all", phrases=3)
    for one, other in zip(with_phrases, explain(model, READ, target="all"), strict=True):
        for k in range(C):
            size = other.relevance[k], list(entries(other, k).values())
            assert gap(one.relevance[k] - other.relevance[k], *size) < LAW["float64"]
