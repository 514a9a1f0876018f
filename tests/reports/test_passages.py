"""The passage of a long text, and marked text cut to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from explanations import make_explanation, split
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.reports.comparison.passages import Passage, passage, runs_in_passage, shared_passage
from textlrp.reports.marks import runs

PIECES = st.lists(
    st.sampled_from(["word ", "a ", "\n", "\n\n", "  ", "long-winded, ", "x" * 30, "é🚀 "]), max_size=40
)


@settings(deadline=None, max_examples=80)
@given(PIECES, st.integers(1, 60), st.integers(0, 99))
def test_a_passage_is_a_stretch_of_the_text_that_is_short_enough(pieces: list[str], limit: int, seed: int) -> None:
    tokens = split("".join(pieces))
    found = passage(tokens, np.random.default_rng(seed).random(len(tokens.text)), limit)
    assert 0 <= found.start <= found.end <= found.length == len(tokens.text)
    assert found.end - found.start <= limit
    assert found.whole == (len(tokens.text) <= limit)


@settings(deadline=None)
@given(PIECES, st.integers(0, 60), st.integers(0, 60))
def test_cut_runs_are_the_text_of_the_passage(pieces: list[str], one: int, other: int) -> None:
    text = "".join(pieces)
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    marked = runs_in_passage(runs(make_explanation(text), [0]), Passage(start, end, len(text)))
    assert "".join(run.text for run in marked) == text[start:end]
    assert all(run.text for run in marked)


def test_the_passage_is_where_the_weight_is() -> None:
    tokens = split(" ".join(f"word{n}" for n in range(100)))
    weights = np.ones(len(tokens.text))
    weights[tokens.text.index("word60")] = 500
    found = passage(tokens, weights, 100)
    assert "word60" in tokens.text[found.start : found.end]
    assert found.end - found.start > 80


def test_short_lines_are_kept_whole() -> None:
    tokens = split("".join(f"line {letter} of a text\n" for letter in "abcdefghijkl"))
    weights = np.array([float(letter in "hi") for letter in tokens.text])
    found = passage(tokens, weights * (np.arange(len(weights)) > 100), 60)
    text = tokens.text[found.start : found.end]
    assert text.startswith("line ")
    assert text.endswith("text\n")
    assert "line h" in text
    assert "line i" in text


def test_without_a_token_it_is_the_beginning() -> None:
    assert passage(split(" " * 50), np.zeros(50), 20) == (0, 20, 50)


def test_explanations_of_any_scale_count_alike() -> None:
    why = make_explanation(" ".join(["aa"] * 30 + ["bb"] * 30))
    quiet, loud = np.zeros((1, 60), np.float32), np.zeros((1, 60), np.float32)
    quiet[0, [30, 31]] = 0.001, 0.001
    loud[0, [5, 59]] = 700, 300
    both = [replace(why, relevance=quiet), replace(why, relevance=loud)]
    found = shared_passage(both, full_text=50, limit=20)
    assert (found.start, found.end) == (75, 95)
    assert shared_passage(both, full_text=500, limit=20).whole
