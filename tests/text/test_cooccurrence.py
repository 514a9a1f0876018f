"""Initial word vectors: counts and PPMI compared with plain loops, and the properties of the vectors."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.text.cooccurrence import SMOOTHING, cooccurrences, ppmi, ppmi_vectors

WORDS = 6
texts = st.lists(
    st.lists(st.integers(0, WORDS), max_size=12).map(lambda ids: np.array(ids, dtype=np.int64)),
    min_size=1,
    max_size=5,
)


def counts_by_loops(corpus: list[np.ndarray], window: int) -> np.ndarray:
    counts = np.zeros((WORDS + 1, WORDS + 1))
    for ids in corpus:
        for i in range(len(ids)):
            for j in range(i + 1, min(i + window + 1, len(ids))):
                if ids[i] > 0 and ids[j] > 0:
                    counts[ids[i], ids[j]] += 1 / math.sqrt(j - i)
                    counts[ids[j], ids[i]] += 1 / math.sqrt(j - i)
    return counts


@settings(max_examples=50, deadline=None)
@given(corpus=texts, window=st.integers(1, 4))
def test_counts_are_those_of_plain_loops_within_each_text(corpus: list[np.ndarray], window: int) -> None:
    np.testing.assert_allclose(cooccurrences(corpus, WORDS, window).toarray(), counts_by_loops(corpus, window))


@settings(max_examples=50, deadline=None)
@given(corpus=texts)
def test_ppmi_is_that_of_plain_loops(corpus: list[np.ndarray]) -> None:
    counts = counts_by_loops(corpus, 3)
    sums = counts.sum(axis=1)
    contexts = sums**SMOOTHING / max((sums**SMOOTHING).sum(), 1e-300)
    expected = np.zeros_like(counts)
    for word in range(WORDS + 1):
        for context in range(WORDS + 1):
            if counts[word, context] > 0:
                information = math.log(counts[word, context] / (sums[word] * contexts[context]))
                expected[word, context] = max(0.0, information)
    np.testing.assert_allclose(ppmi(cooccurrences(corpus, WORDS, 3)).toarray(), expected, rtol=1e-5, atol=1e-6)


def test_words_with_the_same_neighbors_are_closer_than_others() -> None:
    rng = np.random.default_rng(0)
    corpus = [rng.choice([1, 2, 3] if n % 2 else [4, 5, 6], size=30).astype(np.int64) for n in range(40)]
    table = ppmi_vectors(corpus, WORDS, dimensions=4)
    unit = table[1:] / np.linalg.norm(table[1:], axis=1, keepdims=True)
    likeness = unit @ unit.T
    assert likeness[:3, :3].min() > likeness[:3, 3:].max() + 0.5


def test_the_same_seed_gives_the_same_bytes_and_unknown_words_the_zero_vector() -> None:
    corpus = [np.array([1, 2, 0, 3, 4, 5, 1, 6]), np.array([2, 2, 0, 6])]
    first, again = (ppmi_vectors(corpus, WORDS, dimensions=3, random_state=7) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert not first[0].any()


def test_more_dimensions_than_words_are_filled_with_zeros() -> None:
    table = ppmi_vectors([np.array([1, 2, 1, 2])], 2, dimensions=8)
    assert table.shape == (3, 8)
    assert not table[:, 2:].any()
    assert not ppmi_vectors([np.array([1])], 1, dimensions=4).any()
