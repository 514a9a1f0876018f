"""Scores along paths of words that go or come back: the quick way gives what whole forward passes give."""

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


def random_steps(batch: Any, seed: int, most: int = 6) -> list[Any]:
    draw = np.random.default_rng(seed)
    return [draw.permutation(int(length))[:most].astype(np.int64) for length in batch.lengths]


@each_change
@pytest.mark.parametrize("variant", VARIANTS)
def test_windows_added_again_give_what_whole_passes_give(variant: str, change: Change) -> None:
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
    steps = random_steps(batch, seed, most=9)
    (quick,) = path_scores(model, batch, steps)
    (whole,) = path_scores(model, batch, steps, full_forward_passes=True)
    assert np.array_equal(quick, whole)


@every("variant", VARIANTS)
@every("text", [text for text in READ if isinstance(text, str)])
def test_one_text_with_words_left_out_scores_as_many_texts_do(variant: str, text: str) -> None:
    for seed in range(3):
        model = scrambled(fitted(variant, "float64"), seed)
        batch = model.encode([text])
        keep = np.random.default_rng(seed).random((7, int(batch.lengths[0]))) < 0.6
        found = masked_scores(model, batch, 0, keep)
        np.testing.assert_allclose(found, model.scores(batch.select([0] * 7), keep=keep), rtol=1e-12, atol=1e-12)


def test_a_plain_torch_net_over_zeroed_vectors_says_the_same() -> None:
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
def test_a_word_that_is_removed_is_as_if_it_had_not_been_written(variant: str) -> None:
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
    (going,) = path_scores(model, batch, every)
    (coming,) = path_scores(model, batch, every, change="insert")
    assert np.array_equal(coming[-1], going[0])
    assert np.array_equal(coming[0], going[-1])


@each_change
def test_how_texts_are_cut_into_pieces_changes_nothing(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
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
