"""Scripts without spaces between words: detection, the warning of fit, and single characters by default."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st

import textlrp
from textlrp.text.scripts import spaceless
from textlrp.text.tokens import is_word, make_tokenizer

TEXTS = {
    "Chinese": "这本书很好看，我非常喜欢。",
    "Japanese": "この本はとても面白いです。",
    "Thai": "หนังสือเล่มนี้ดีมาก",
    "Lao": "ປຶ້ມນີ້ດີຫຼາຍ",
    "Khmer": "សៀវភៅនេះល្អណាស់",
    "Burmese": "ဒီစာအုပ်က အရမ်းကောင်းတယ်",
    "Tibetan": "དཔེ་ཆ་འདི་ཡག་པོ་འདུག",
}
AUTO, SPACY = make_tokenizer("auto"), make_tokenizer("spacy")
LETTERS = "".join(TEXTS.values())


def strings(text: str) -> list[str]:
    return [text[start:end] for start, end in AUTO.spans(text).tolist()]


@every("language", TEXTS)
def test_the_language_is_detected(language: str) -> None:
    assert spaceless([TEXTS[language]]) == language
    assert spaceless(["Order 66: " + TEXTS[language] * 3]) == language


@every(
    "text",
    ["", "12 !?", "the shuttle reached orbit", "책이 아주 좋습니다", "the word 书 means book", "книга"],
)
def test_other_texts_are_not(text: str) -> None:
    assert spaceless([text]) is None


def test_no_text_at_all() -> None:
    assert spaceless([]) is None


@every("language", TEXTS)
def test_each_character_is_a_word_with_its_marks(language: str) -> None:
    text = TEXTS[language]
    words = [token for token in strings(text) if is_word(token)]
    assert "".join(words) == "".join(c for c in text if is_word(c) or (not c.isascii() and is_word("a" + c)))
    assert all(sum(map(str.isalpha, word)) == 1 for word in words)


def test_runs_of_other_scripts_stay_words() -> None:
    assert strings("我用Python3写 don't 代码 2.5") == ["我", "用", "Python3", "写", "do", "n't", "代", "码", "2.5"]


@given(st.text(st.sampled_from(LETTERS + " \n.,aé1\u0301\u200b'-") | st.characters(), max_size=60))
def test_spans_are_sorted_disjoint_and_within_the_text(text: str) -> None:
    spans = AUTO.spans(text)
    edges = [0, *spans.ravel().tolist(), len(text)]
    assert edges == sorted(edges)
    assert (np.diff(spans, axis=1) > 0).all()
    if text.isascii():
        assert spans.tolist() == SPACY.spans(text).tolist()


GOOD, BAD = ["很好看", "非常喜欢", "真好", "好书"] * 5, ["太差了", "不好看", "很失望", "差书"] * 5
LABELS = ["good"] * 20 + ["bad"] * 20
NETS = [textlrp.CNNClassifier, textlrp.BagOfEmbeddingsClassifier]


def small(net: Any, **options: Any) -> Any:
    return net(embedding_dim=8, max_epochs=2, **options, **({"filters": 8} if net is textlrp.CNNClassifier else {}))


@pytest.mark.parametrize("net", NETS)
def test_a_default_fit_reads_characters_with_a_warning(net: Any, tmp_path: Any) -> None:
    with pytest.warns(
        UserWarning, match=r"Chinese, without spaces .*\. Each character is a token\. For words, pass tok"
    ):
        model = small(net).fit(GOOD + BAD, LABELS)
    assert "好" in model.vocabulary_
    why = textlrp.explain(model, "这书很好")
    assert list(why.tokens) == ["这", "书", "很", "好"]
    again = textlrp.load(model.save(tmp_path / "model"))
    assert again.predict(GOOD).tolist() == model.predict(GOOD).tolist()
    assert textlrp.explain(again, "这书很好").relevance.tobytes() == why.relevance.tobytes()


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("tokenizer", ["spacy", "words"])
def test_a_tokenizer_that_splits_only_at_spaces_is_used_with_a_warning(net: Any, tokenizer: str) -> None:
    with pytest.warns(UserWarning, match='For characters, pass tokenizer="auto"'):
        model = small(net, tokenizer=tokenizer, min_df=1).fit(GOOD + BAD, LABELS)
    assert "非常喜欢" in model.vocabulary_


@pytest.mark.parametrize("tokenizer", ["spacy:zh", list])
def test_a_tokenizer_for_the_language_needs_no_warning(tokenizer: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(textlrp.BagOfEmbeddingsClassifier, tokenizer=tokenizer).fit(GOOD + BAD, LABELS)
