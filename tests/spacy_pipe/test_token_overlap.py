"""Relevance is shared by characters, and its sum stays the same for any text and any two tokenizers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from spacy.tokens import Doc

import textlrp
from textlrp.explanation import Explanation
from textlrp.records import Tokens
from textlrp.spacy_pipe.spacy_results import add_extensions, store_explanation
from textlrp.spacy_pipe.token_overlap import shared_relevance

Spans = list[tuple[int, int]]


@st.composite
def tokens_of(draw: st.DrawFn, length: int) -> Spans:
    """Sorted tokens of a text, which may overlap no character, and may leave out characters between them."""
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=12)))
    return [pair for pair in zip(cuts[::2], cuts[1::2], strict=False) if pair[0] < length]


def by_character(relevance: list[float], spans: Spans, others: Spans) -> list[Fraction]:
    """The same in exact arithmetic, character by character."""
    shared = [Fraction(0)] * len(others)
    for value, (begin, end) in zip(relevance, spans, strict=True):
        owners = [[s for s, (start, stop) in enumerate(others) if start <= at < stop] for at in range(begin, end)]
        found = [s for each in owners for s in each]
        if not found:
            found = [max(s for s, (start, _) in enumerate(others) if start <= begin)]
        for s in found:
            shared[s] += Fraction(value) / len(found)
    return shared


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[float], Spans, Spans]:
    length = draw(st.integers(1, 30))
    spans = draw(tokens_of(length))
    starts = [0, *sorted(draw(st.sets(st.integers(1, length), max_size=8)) - {length})]
    ends = [*starts[1:], length]
    blanks = draw(st.lists(st.booleans(), min_size=len(starts), max_size=len(starts)))
    others = [(s, e - (blank and e - s > 1)) for s, e, blank in zip(starts, ends, blanks, strict=True)]
    values = draw(st.lists(st.floats(-1e3, 1e3, width=32), min_size=len(spans), max_size=len(spans)))
    return values, spans, others


@given(case=cases())
def test_shares_equal_exact_arithmetic_and_keep_the_sum(case: tuple[list[float], Spans, Spans]) -> None:
    values, spans, others = case
    ranges = np.array(others)
    shared = shared_relevance(
        np.array(values, dtype=np.float32),
        np.array(spans, dtype=np.int32).reshape(-1, 2),
        ranges[:, 0],
        ranges[:, 1] - ranges[:, 0],
    )
    scale = sum(map(abs, values)) or 1.0
    expected = by_character(values, spans, others)
    assert np.abs(shared - np.array(expected, dtype=np.float64)).max() <= 1e-14 * scale
    assert abs(shared.sum() - sum(map(Fraction, values))) <= 1e-13 * scale


def explanation(text: str, spans: NDArray[np.int32], relevance: NDArray[np.float32]) -> Explanation:
    count = len(spans)
    return Explanation(
        "text", Tokens(text, spans, ("x",) * count), ("a", "b"), np.array([1.0, 0.0], np.float32), (0,),
        relevance.reshape(1, -1), np.zeros(count, np.uint8), np.zeros(count, np.int32), {},
    )  # fmt: skip


TOKENIZERS = {language: spacy.blank(language).tokenizer for language in ("en", "xx", "zh", "fr")}


@pytest.mark.parametrize("language", TOKENIZERS)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40), data=st.data())
def test_spacy_tokens_of_any_text_have_the_sum_of_the_explained_tokens(
    language: str, text: str, data: st.DataObject
) -> None:
    add_extensions("textlrp")
    doc = TOKENIZERS[language](text)
    assert doc.text == text
    spans = data.draw(tokens_of(len(text))) if text else []
    relevance = np.array(data.draw(st.lists(st.floats(-9, 9, width=32), min_size=len(spans), max_size=len(spans))))
    why = explanation(text, np.array(spans, np.int32).reshape(-1, 2), relevance.astype(np.float32))
    store_explanation(doc, "textlrp", why)
    total = sum(token._.relevance for token in doc)
    assert abs(total - relevance.sum()) <= 1e-12 * (np.abs(relevance).sum() or 1)
    assert (doc[:]._.relevance if len(doc) else 0) == pytest.approx(total, abs=1e-12)


def test_a_word_that_spacy_splits_is_shared_by_characters() -> None:
    doc = Doc(spacy.blank("en").vocab, words=["do", "n't", "go"], spaces=[False, True, False])
    why = explanation("don't go", np.array([(0, 5), (6, 8)], np.int32), np.array([5.0, 1.0], np.float32))
    assert store_explanation(doc, "textlrp", why).tolist() == [2.0, 3.0, 1.0]


def test_tokens_that_spacy_joins_are_added() -> None:
    doc = Doc(spacy.blank("en").vocab, words=["well-known", "fact"], spaces=[True, False])
    spans = np.array([(0, 4), (5, 10), (10, 11), (11, 15)], np.int32)
    why = explanation("well-known fact", spans, np.array([1.0, 2.0, 4.0, 8.0], np.float32))
    assert store_explanation(doc, "textlrp", why).tolist() == [7.0, 8.0]  # the blank belongs to the token before it


def test_a_model_that_reads_characters_keeps_its_sum() -> None:
    model = textlrp.BagOfWordsClassifier(char_ngrams=(2, 3), min_df=1)
    model.fit(["red ink here", "blue ink there", "a red pen", "one blue pen"], ["red", "blue"] * 2)
    why = textlrp.explain(model, "a red and  blue pen")
    doc = TOKENIZERS["en"](why.text)
    assert store_explanation(doc, "textlrp", why).sum() == pytest.approx(why.relevance.astype(float).sum(), rel=1e-12)
