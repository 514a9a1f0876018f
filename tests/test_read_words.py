"""The words of an explanation that the model reads: in text order, with characters summed to words."""

from dataclasses import replace

import numpy as np
from explanations import make_explanation

from textlrp.class_words import most_relevant, read_words
from textlrp.records import Status, Tokens


def test_only_words_that_the_model_reads_are_listed_in_order():
    why = make_explanation("The cat, the 2 dogs.", targets=(0, 1))
    words = read_words(why)
    assert words.forms == ("the", "cat", "the", "dogs")
    assert [why.text[start:end] for start, end in words.spans] == ["The", "cat", "the", "dogs"]
    np.testing.assert_array_equal(words.relevance, why.relevance[:, why.seen].astype(np.float64))
    np.testing.assert_array_equal(words.counts, why.counts[why.seen])


def test_characters_are_summed_to_words():
    text = "ab c!"
    tokens = Tokens(text, np.array([[t, t + 1] for t in range(5)], dtype=np.int32), tuple(text))
    status = np.array([0, 0, Status.NOT_A_WORD, 0, Status.NOT_A_WORD], dtype=np.uint8)
    relevance = np.array([[1, 2, 0, 4, 0], [3, -3, 0, 1, 0]], dtype=np.float32)
    why = replace(
        make_explanation(),
        tokens=tokens,
        status=status,
        relevance=relevance,
        targets=(0, 1),
        counts=np.ones(5, dtype=np.int32),
    )
    words = read_words(why)
    assert words.forms == ("ab", "c")
    assert words.spans.tolist() == [[0, 2], [3, 4]]
    assert words.relevance.tolist() == [[3, 4], [0, 1]]
    assert words.counts.tolist() == [-1, -1]


def test_a_text_without_words_is_empty():
    words = read_words(make_explanation("no way", status=[1, 3]))
    assert words.forms == ()
    assert words.spans.shape == (0, 2)
    assert words.relevance.shape == (1, 0)


def test_on_a_tie_the_first_is_most_relevant():
    assert most_relevant(np.array([1.0, 3.0, 2.0, 3.0]), 3).tolist() == [1, 3, 2]
    assert most_relevant(np.zeros(4), 2).tolist() == [0, 1]
    assert most_relevant(np.zeros(0), 2).tolist() == []
