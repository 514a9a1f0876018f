"""Words, ids and document frequencies."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.text.vocabulary import Vocabulary

documents = st.lists(st.lists(st.text("abcé", min_size=1, max_size=2), max_size=8), max_size=8)


def test_words_of_most_documents_come_first_and_equals_in_order() -> None:
    vocabulary = Vocabulary.build([["b", "a", "b"], ["c", "b"], [], ["a", "Z"]])
    assert vocabulary.words == ("a", "b", "Z", "c")
    assert vocabulary.counts.tolist() == [2, 2, 1, 1]
    assert vocabulary.counts.dtype == np.int32
    assert vocabulary.documents == 4
    assert len(vocabulary) == 4


@given(documents=documents)
def test_counts_are_documents_that_contain_the_word(documents: list[list[str]]) -> None:
    vocabulary = Vocabulary.build(documents)
    assert set(vocabulary.words) == {word for document in documents for word in document}
    for word in vocabulary.words:
        expected = sum(word in document for document in documents)
        assert vocabulary.counts_of(vocabulary.ids([word])).tolist() == [expected]


@given(documents=documents, seed=st.integers(0, 99))
def test_the_order_of_documents_and_words_changes_nothing(documents: list[list[str]], seed: int) -> None:
    shuffled = [random.Random(seed).sample(document, len(document)) for document in documents]
    random.Random(seed).shuffle(shuffled)
    one, other = Vocabulary.build(documents), Vocabulary.build(iter(shuffled))
    assert one.words == other.words
    assert one.counts.tolist() == other.counts.tolist()
    assert one.documents == other.documents == len(documents)


@given(documents=documents)
def test_ids_start_at_one_and_unknown_words_are_zero(documents: list[list[str]]) -> None:
    vocabulary = Vocabulary.build(documents)
    ids = vocabulary.ids(vocabulary.words)
    assert ids.dtype == np.int64
    assert ids.tolist() == list(range(1, len(vocabulary) + 1))
    assert [vocabulary.id(word) for word in vocabulary.words] == ids.tolist()
    assert vocabulary.ids(["unknown", *vocabulary.words, ""]).tolist() == [0, *ids.tolist(), 0]
    assert vocabulary.id("unknown") == 0
    assert "unknown" not in vocabulary
    assert all(word in vocabulary for word in vocabulary.words)
    assert vocabulary.counts_of(np.zeros((2, 3), dtype=np.int64)).tolist() == [[0, 0, 0]] * 2


def test_rare_words_are_left_out_and_the_first_kept() -> None:
    texts = [["a", "b", "c"], ["a", "b"], ["a"]]
    assert Vocabulary.build(texts, min_df=2).words == ("a", "b")
    assert Vocabulary.build(texts, max_words=1).words == ("a",)
    assert Vocabulary.build(texts, min_df=9).words == ()


def test_an_extended_vocabulary_keeps_its_ids() -> None:
    vocabulary = Vocabulary.build([["a", "b"], ["b"]]).extended(["c", "a", "c", "d"])
    assert vocabulary.words == ("b", "a", "c", "d")
    assert vocabulary.counts.tolist() == [2, 1, 0, 0]
    assert vocabulary.counts.dtype == np.int32


@pytest.mark.parametrize("options", [{"min_df": 0}, {"max_words": 0}])
def test_options_below_one_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=r"(min_df|max_words) must be at least 1; got 0"):
        Vocabulary.build([], **options)  # type: ignore[arg-type]


def test_a_broken_vocabulary_is_refused() -> None:
    with pytest.raises(DataError, match="'a' twice"):
        Vocabulary(("a", "b", "a"), np.ones(3, dtype=np.int32), 1)
    with pytest.raises(DataError, match=r"counts must be of shape \(2,\), one for each word; got"):
        Vocabulary(("a", "b"), np.ones(3, dtype=np.int32), 1)
