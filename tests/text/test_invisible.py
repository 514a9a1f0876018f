"""Laws of invisible characters: they change no word, for any tokenizer and model."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import pytest
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import KINDS, LABELS, TEXTS, small

import textlrp
from textlrp.records import Status, no_ranges
from textlrp.text.encoding import Reader
from textlrp.text.invisible import has_invisible, visible, visible_with_origins
from textlrp.text.tokens import make_tokenizer
from textlrp.text.vectors import Vectors
from textlrp.text.vocabulary import Vocabulary


def is_ignored(character: str) -> bool:
    """Format characters, control characters that are not whitespace, variation selectors."""
    category = unicodedata.category(character)
    return (
        category == "Cf"
        or (category == "Cc" and not character.isspace())
        or "VARIATION SELECTOR" in unicodedata.name(character, "")
    )


_SOME = (*range(0x20000), *range(0xE0000, 0xE1000))
"""Code points that can be default-ignorable. Ideographs are between these, and private characters after them."""
IGNORED = "".join(c for c in map(chr, _SOME) if is_ignored(c))
COMMON = "\ufeff\u200b\xad\u2060\u200e\u200f\u202a\u202c\u200c\u200d\ufe0f\x00\x01\x7f\x92\x93"
SHARDS = (
    "the",
    "shuttle",
    "don't",
    "a.m.",
    ":-)",
    "(high)",
    "orbit,",
    "well-known",
    "wörd",
    "4.2%",
    "🙂",
    "词",
    "שלום",
)

pieces = st.lists(st.sampled_from(SHARDS), min_size=1, max_size=6).map(" ".join)
noise = st.text(st.one_of(st.sampled_from(COMMON), st.sampled_from(IGNORED)), max_size=2)


def split_at_blanks(text: str) -> list[str]:
    return text.split()


def word_offsets(text: str) -> list[tuple[int, int]]:
    return [tuple(span) for span in make_tokenizer("words").spans(text).tolist()]


TOKENIZERS = ("spacy", "spacy:de", "words", "treebank", split_at_blanks, word_offsets)


@cache
def reader(tokenizer: object) -> Reader:
    return Reader(make_tokenizer(tokenizer), True, lambda text: no_ranges(), None)  # type: ignore[arg-type]


@st.composite
def noisy(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a text, and the same text with invisible characters inserted."""
    clean = draw(pieces)
    places = draw(st.lists(st.integers(0, len(clean)), max_size=4))
    text = clean
    for place in sorted(places, reverse=True):
        text = text[:place] + draw(noise) + text[place:]
    return clean, text


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda given: getattr(given, "__name__", given))
@settings(max_examples=25)
@given(texts=noisy())
def test_invisible_characters_change_no_word(tokenizer: object, texts: tuple[str, str]) -> None:
    clean, text = texts
    wanted, got = reader(tokenizer).read(clean, 0), reader(tokenizer).read(text, 0)
    assert got.forms == wanted.forms
    assert got.tokens.forms == wanted.tokens.forms
    assert got.status.tolist() == wanted.status.tolist()
    # the spans are offsets in the original text, and no token loses a character of it
    spans = got.tokens.spans.tolist()
    assert [visible(text[start:end]).lower() for start, end in spans] == list(got.tokens.forms)
    edges = np.array([0, *np.ravel(spans), len(text)])
    assert (np.diff(edges) >= 0).all()
    assert all(text[end - 1] in IGNORED or visible(text[end - 1]) for _, end in spans)


@settings(max_examples=40)
@given(st.text(st.sampled_from(COMMON + "aб词 \n🙂\u0645"), max_size=12))
def test_origins_rebuild_the_text(text: str) -> None:
    seen, origins = visible_with_origins(text)
    assert seen == visible(text)
    if origins is None:
        assert seen == text
        assert not has_invisible(text)
        return
    assert len(origins) == len(seen) + 1
    assert origins[-1] == len(text)
    assert all(text[place] == c or c == " " for place, c in zip(origins[:-1].tolist(), seen, strict=True))
    assert (np.diff(origins) > 0).all()


def test_every_ignored_character_is_invisible() -> None:
    assert [hex(ord(c)) for c in IGNORED if visible(f"or{c}bit") != "orbit"] == []
    assert not any(has_invisible(c) for c in "a\t\n\r\x1c\x85\xa0\u2028é词🙂")


@every(
    "text, seen",
    [
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\u0645\u06cc\u200c\u200c\u062e", "\u0645\u06cc\u200c\u062e"),  # only one is kept
        ("\u0645\u06cc\u200c\u200e\u062e", "\u0645\u06cc\u200c\u062e"),
        ("\u0645\u06cc\u200c \u062e\u200c", "\u0645\u06cc \u062e"),  # not between two letters
        ("\u0d28\u0d4d\u200d", "\u0d28\u0d4d\u200d"),  # a separate Malayalam letter
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
        ("or\u200cb\u200dit", "orbit"),
        ("\u0e01\u0e32\u200b\u0e02\u0e49", "\u0e01\u0e32 \u0e02\u0e49"),  # a word boundary in Thai
        ("or\u200bbit", "orbit"),
    ],
)
def test_joiners_with_a_meaning_are_kept(text: str, seen: str) -> None:
    assert visible(text) == seen


@pytest.mark.parametrize(("kind", "tokenizer"), [*((kind, "words") for kind in KINDS), ("svm", "spacy")])
def test_models_train_and_explain_as_without_them(kind: str, tokenizer: str) -> None:
    dirty = [text.replace("e", "e\xad").replace(" ", " \u200b") for text in TEXTS]
    clean_model = small(kind, tokenizer=tokenizer).fit(TEXTS, LABELS)
    dirty_model = small(kind, tokenizer=tokenizer).fit(dirty, LABELS)
    assert dirty_model.vocabulary_.words == clean_model.vocabulary_.words
    assert dirty_model.decision_function(dirty).tolist() == clean_model.decision_function(TEXTS).tolist()
    for text, other in zip(TEXTS[::7], dirty[::7], strict=True):
        wanted, got = (textlrp.explain(clean_model, each) for each in (text, other))
        assert got.relevance.tolist() == wanted.relevance.tolist()
        assert set(got.status.tolist()) == {Status.READ}
        assert [visible(token) for token in got.tokens] == list(wanted.tokens)


def test_words_saved_with_invisible_characters_are_still_known() -> None:
    vocabulary = Vocabulary(("orb\xadit", "car"), np.array([2, 1], np.int32), 3)
    assert vocabulary.ids(["orbit", "orb\xadit", "car"]).tolist() == [1, 1, 2]
    vectors = Vectors(("\ufefforbit", "car"), np.eye(2, dtype=np.float32))
    assert vectors.lookup(["orbit", "\ufefforbit"])[0].tolist() == [[1, 0], [1, 0]]
