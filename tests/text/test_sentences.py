import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.text import sentences
from textlrp.text.kept_rules import sentence_marks
from textlrp.text.sentences import sentence_spans, sentences_of, sentencizer
from textlrp.text.tokens import make_tokenizer


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text).tolist()]


def test_marks_and_blank_lines_end_a_sentence_and_line_breaks_do_not() -> None:
    text = "Subject: tea\n\nHello there. How are\nyou? Fine!\n \t\n> a quoted line\n\n\nLast"
    assert cut(text) == ["Subject: tea", "Hello there.", "How are\nyou?", "Fine!", "> a quoted line", "Last"]


def test_a_text_without_a_character_to_see_has_no_sentence() -> None:
    assert sentence_spans("").shape == sentence_spans(" \n \n\t").shape == (0, 2)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=80))
def test_sentences_are_in_order_disjoint_and_hold_every_character_to_see(text: str) -> None:
    spans = sentence_spans(text)
    flat = spans.reshape(-1)
    assert (np.diff(flat) >= 0).all()
    assert (spans[:, 0] < spans[:, 1]).all()
    outside = np.ones(len(text), bool)
    for start, end in spans.tolist():
        outside[start:end] = False
        assert text[start:end] == text[start:end].strip()
    assert not "".join(character for character, out in zip(text, outside, strict=True) if out).strip()


MARKED = st.lists(
    st.sampled_from(
        ["a", "U.S.", "?", "!", "...", ".", '"', ")", " ", "  ", "\n", "\u3002", "3.5", "-", "\u00a0", "$"]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(MARKED, st.text(max_size=40)))
def test_sentences_are_those_of_spacys_own_sentencizer(text: str) -> None:
    text = text.strip()
    shown = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    expected = [sentence.text.strip() for sentence in sentencizer()(shown).sents]
    (found,) = sentences_of([text])
    assert [text[start:end] for start, end in found] == expected or not shown


@settings(max_examples=100, deadline=None)
@given(MARKED)
def test_without_spacy_its_tokens_give_the_same_sentences(text: str) -> None:
    tokens, expected = make_tokenizer("spacy").spans(text), sentence_spans(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentences, "_spacy_tokenizer", missing_spacy)
        np.testing.assert_array_equal(sentence_spans(text, tokens), expected)


def missing_spacy() -> None:
    raise ModuleNotFoundError("No module named 'spacy'")


def test_without_spacy_and_tokens_no_sentences_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "_spacy_tokenizer", missing_spacy)
    with pytest.raises(ModuleNotFoundError):
        sentence_spans("One. Two.")


def test_the_marks_without_spacy_are_marks_of_spacy() -> None:
    assert sentence_marks() > sentences._COMMON_MARKS
    assert len(sentences._COMMON_MARKS) == 18
