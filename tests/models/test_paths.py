"""Scores while words are masked, removed or inserted: the fast way equals one forward pass for each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_nets import plain_module
from toys import READ, VARIANTS, fitted, scrambled

from textlrp.models import word_paths as paths
from textlrp.models.word_paths import Change, masked_scores, path_scores

CHANGES: tuple[Change, ...] = ("zero", "insert", "remove", "single")
each_change = pytest.mark.parametrize("change", CHANGES)


def random_steps(batch: Any, seed: int, max_steps: int = 6) -> list[Any]:
    draw = np.random.default_rng(seed)
    return [draw.permutation(int(length))[:max_steps].astype(np.int64) for length in batch.lengths]


@each_change
@pytest.mark.parametrize("variant", VARIANTS)
def test_recomputed_windows_equal_full_forward_passes(variant: str, change: Change) -> None:
    for seed in range(5):
        model = scrambled(fitted(variant), seed)
        batch = model.encode(list(READ))
        steps = random_steps(batch, seed)
        quick = path_scores(model, batch, steps, change=change)
        whole = path_scores(model, batch, steps, change=change, full_forward_passes=True)
        for own, other, order in zip(quick, whole, steps, strict=True):
            assert own.shape == (len(order) + 1, 3)
            np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["the", "doctor", "orbit", "car", "zebra", "moon", "pill"]), max_size=9),
    st.integers(0, 10**6),
)
def test_the_largest_windows_are_the_same_to_the_last_bit(words: list[str], seed: int) -> None:
    model = scrambled(fitted("cnn-max", "float64"), seed % 7)
    batch = model.encode([" ".join(words)])
    steps = random_steps(batch, seed, max_steps=9)
    (quick,) = path_scores(model, batch, steps)
    (whole,) = path_scores(model, batch, steps, full_forward_passes=True)
    assert np.array_equal(quick, whole)


@every("variant", VARIANTS)
@every("text", [text for text in READ if isinstance(text, str)])
def test_alternatives_of_one_text_have_the_scores_of_separate_texts(variant: str, text: str) -> None:
    for seed in range(3):
        model = scrambled(fitted(variant, "float64"), seed)
        batch = model.encode([text])
        keep = np.random.default_rng(seed).random((7, int(batch.lengths[0]))) < 0.6
        found = masked_scores(model, batch, 0, keep)
        np.testing.assert_allclose(found, model.scores(batch.select([0] * 7), keep=keep), rtol=1e-12, atol=1e-12)


def test_scores_are_those_of_a_torch_module_over_zeroed_vectors() -> None:
    model = scrambled(fitted("cnn-max", "float64"), 3)
    batch = model.encode([READ[0]])
    (order,) = random_steps(batch, 1)
    (scores,) = path_scores(model, batch, [order])
    module: Any = plain_module(model)  # type: ignore[arg-type]
    vectors = module.embedding(torch.from_numpy(batch.ids)).detach().clone()
    for step, row in enumerate(scores):
        vectors[0, order[:step]] = 0
        np.testing.assert_allclose(module.from_vectors(vectors)[0].detach().numpy(), row, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_removed_word_has_the_scores_of_a_text_without_it(variant: str) -> None:
    model = scrambled(fitted(variant, "float64"), 2)
    words = ["the", "doctor", "gave", "me", "a", "pill", "for", "the", "pain"]
    batch = model.encode([" ".join(words)])
    (scores,) = path_scores(model, batch, [np.array([1, 5])], change="remove")
    expected = [words, words[:1] + words[2:], words[:1] + words[2:5] + words[6:]]
    for row, left in zip(scores, expected, strict=True):
        np.testing.assert_allclose(row, model.scores(model.encode([" ".join(left)]))[0], rtol=1e-12)


def test_insertion_ends_where_deletion_begins() -> None:
    model = scrambled(fitted("cnn-max", "float64"), 1)
    batch = model.encode([READ[0]])
    every = [np.arange(int(batch.lengths[0]))]
    (deletion,) = path_scores(model, batch, every)
    (insertion,) = path_scores(model, batch, every, change="insert")
    assert np.array_equal(insertion[-1], deletion[0])
    assert np.array_equal(insertion[0], deletion[-1])


@each_change
def test_block_sizes_change_nothing(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    model = scrambled(fitted("cnn-max", "float64"), 4)
    batch = model.encode(list(READ))
    steps = random_steps(batch, 4)
    together = path_scores(model, batch, steps, change=change)
    monkeypatch.setattr(paths, "MAX_POOLED_FEATURES", 1)
    monkeypatch.setattr(paths, "MAX_WORDS", 1)
    apart = path_scores(model, batch, steps, change=change)
    for own, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-12)


def test_no_text_has_no_scores() -> None:
    model = fitted("cnn-max")
    assert path_scores(model, model.encode([]), []) == []
