"""The networks as ordinary torch modules, and the inputs of gradient methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from plain_nets import plain_module
from toys import READ, VARIANTS, fitted, scrambled

from textlrp.explainers.explain import explain
from textlrp.models.torch_nets import PlainBagNet, PlainConvNet, first_of_the_largest
from textlrp.models.wrapping import wrap

NETS = VARIANTS[:3]
REPEATED = "the probe the probe the probe the probe"

each_net = pytest.mark.parametrize("variant", NETS)
each_variant = pytest.mark.parametrize("variant", VARIANTS)


def word_ids(batch: Any, n: int) -> torch.Tensor:
    return torch.from_numpy(batch.ids[n, : batch.lengths[n]].copy())[None]


# ---- the modules


@each_net
def test_the_module_gives_the_scores_of_the_model(variant: str) -> None:
    for seed in range(4):
        model = scrambled(fitted(variant, "float64"), seed)
        batch, module = model.encode(READ), plain_module(model)
        alone = [module(word_ids(batch, n))[0].tolist() for n in range(len(batch))]
        np.testing.assert_allclose(alone, model.scores(batch), rtol=1e-12, atol=1e-12)
        assert isinstance(module, PlainBagNet if variant == "boe" else PlainConvNet)


@each_net
def test_texts_of_other_lengths_in_the_batch_change_nothing(variant: str) -> None:
    model = fitted(variant, "float64")
    batch, module = model.encode(READ), plain_module(model)
    more = () if variant == "boe" else (torch.from_numpy(batch.lengths.astype(np.int64)),)
    together = module(torch.from_numpy(batch.ids), *more).tolist()
    np.testing.assert_allclose(together, model.scores(batch), rtol=1e-12, atol=1e-12)


@each_net
def test_the_module_has_the_requested_dtype(variant: str) -> None:
    model = fitted(variant, "float32")
    batch = model.encode(READ)
    wide, own = plain_module(model, dtype="float64"), plain_module(model)
    assert {p.dtype for p in wide.parameters()} == {torch.float64}
    assert {p.dtype for p in own.parameters()} == {torch.float32}
    trace = model.trace(batch, dtype="float64")
    alone = [wide(word_ids(batch, n))[0].tolist() for n in range(len(batch))]
    np.testing.assert_allclose(alone, trace.scores, rtol=1e-12, atol=1e-12)
    assert own(word_ids(batch, 0)).dtype == torch.float32


@each_net
def test_the_module_is_a_copy_and_uses_no_random_numbers(variant: str) -> None:
    model = scrambled(fitted(variant), 3)
    before, drawn = {name: weight.copy() for name, weight in model.weights_.items()}, torch.get_rng_state()
    module = plain_module(model)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not module.training
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(7.0)
    for name, weight in before.items():
        np.testing.assert_array_equal(model.weights_[name], weight)


@each_net
@every("rule", ["epsilon", "gamma", "flat"])
def test_the_recorded_module_is_explained_as_the_model_itself(variant: str, rule: str) -> None:
    model = fitted(variant, "float64")
    numbers = {word: number for number, word in enumerate(model.vocabulary_.words, start=1)}
    module = wrap(plain_module(model), tokenizer=str.split, vocabulary=numbers, classes=list(model.classes_))
    for text in ("the doctor gave the patient a pill and the doctor gave the car oil", REPEATED, "engine"):
        own = explain(model, text, rule=rule, target="all")
        recorded = explain(module, text, rule=rule, target="all")
        np.testing.assert_allclose(recorded.relevance, own.relevance, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(recorded.absorbed, own.absorbed, rtol=1e-11, atol=1e-11)


def test_the_first_of_equal_windows_wins_even_if_rounding_favors_another() -> None:
    windows = torch.tensor([[[0.1, 0.3, 0.1 + 0.2, -1.0], [-2.0, -0.5, -0.5, -3.0]]], dtype=torch.float64)
    assert windows[0, 0, 2] > windows[0, 0, 1]
    windows.requires_grad_()
    largest = first_of_the_largest(windows)
    assert largest.tolist() == [[0.3, -0.5]]
    (gradient,) = torch.autograd.grad(largest.sum(), windows)
    assert gradient.tolist() == [[[0, 1, 0, 0], [0, 1, 0, 0]]]
    inside = torch.tensor([[[False, False, True, True]]])
    assert first_of_the_largest(windows, inside).tolist() == [[0.1 + 0.2, -0.5]]


# ---- inputs of gradient methods


@each_variant
@every("dtype", ["float32", "float64"])
def test_an_input_point_maps_its_inputs_to_the_scores(variant: str, dtype: str) -> None:
    model = fitted(variant, dtype)
    batch = model.encode(READ)
    scores = model.scores(batch)
    for n in range(len(batch)):
        point = model.input_point(batch, n)
        assert str(point.inputs.dtype) == f"torch.{dtype}"
        found = point.forward(torch.stack([point.inputs] * 2))
        close = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(found.numpy(), [scores[n]] * 2, rtol=close, atol=close)
    wide = model.input_point(batch, 0, dtype="float64")
    assert wide.forward(wide.inputs[None]).dtype == torch.float64
    np.testing.assert_allclose(
        wide.forward(wide.inputs[None])[0], model.trace(batch, dtype="float64").scores[0], rtol=1e-12
    )


@each_variant
def test_the_alternatives_of_an_input_point_are_independent(variant: str) -> None:
    model = fitted(variant, "float64")
    batch = model.encode(READ)
    draw = torch.Generator().manual_seed(0)
    for n in np.flatnonzero(batch.lengths).tolist():
        point = model.input_point(batch, n)
        others = point.inputs + torch.randn((3, *point.inputs.shape), generator=draw, dtype=torch.float64)
        together = point.forward(others)
        for alternative, scores in zip(others, together, strict=True):
            np.testing.assert_allclose(point.forward(alternative[None])[0], scores, rtol=1e-12, atol=1e-12)


@each_net
def test_the_inputs_of_a_net_are_the_vectors_of_its_words(variant: str) -> None:
    model = fitted(variant, "float64")
    batch = model.encode(READ)
    for n in range(len(batch)):
        point = model.input_point(batch, n)
        np.testing.assert_array_equal(point.inputs, model.weights_["embedding"][word_ids(batch, n)[0].numpy()])
        numbers = torch.rand(2, len(point.inputs))
        assert torch.equal(point.to_words(numbers), numbers)


def test_a_tf_idf_value_is_shared_over_occurrences_and_their_words() -> None:
    model = fitted("svm", "float64")
    batch = model.encode([READ[0], "the doctor xylophone the doctor", "quux", ""])
    point = model.input_point(batch, 1)  # the, doctor and the bigram; "doctor the" is in no two training texts
    shares = point.to_words(torch.eye(len(point.inputs), dtype=torch.float64)).tolist()
    words = sorted(model.vocabulary_.words.index(word) for word in ("the", "doctor"))
    first = {"the": [0.5, 0, 0, 0.5, 0], "doctor": [0, 0.5, 0, 0, 0.5]}
    expected = [first[model.vocabulary_.words[number]] for number in words]
    assert shares == [*expected, [0.25, 0.25, 0, 0.25, 0.25]]
    for n, words in ((2, 1), (3, 0)):
        nothing = model.input_point(batch, n)
        assert nothing.inputs.shape == (0, 1)
        assert nothing.to_words(torch.zeros(3, 0, dtype=torch.float64)).shape == (3, words)
