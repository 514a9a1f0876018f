"""Stop words: a model never uses them, in training and afterwards, and an explanation shows them as unknown words."""

from __future__ import annotations

import json
import logging
import pickle
import re
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import score_gap
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from toys import LABELS, NAMES, TEXTS, small

import textlrp
from textlrp.errors import DataError, OptionError
from textlrp.models.base import TextClassifier
from textlrp.models.estimators import EncoderClassifier
from textlrp.records import Status
from textlrp.text.vectors import Vectors

STOP = ("the", "orbit", "Doctor", "not", "-")
FORMS = tuple(word.lower() for word in STOP)
MODELS = {
    "cnn": ("cnn", {}),
    "boe": ("boe", {}),
    "boe with subwords": ("boe", {"subwords": (3, 4), "buckets": 64}),
    "words": ("svm", {"ngrams": 2}),
    "characters": ("svm", {"analyzer": "char_wb", "punctuation": True, "min_df_char_ngrams": 1}),
    "both": ("svm", {"analyzer": "both", "punctuation": True, "min_df_char_ngrams": 1}),
}
OPEN = ("boe with subwords", "characters", "both")
"""Models that read words outside the vocabulary by their characters."""


def pieces(text: str) -> list[tuple[int, int]]:
    """A tokenizer for texts in which words are joined: runs of letters, and every other character but blanks."""
    return [found.span() for found in re.finditer(r"[^\W\d_]+|\S", text)]


def untrained(name: str, **options: Any) -> TextClassifier:
    kind, own = MODELS[name]
    return small(kind, **({"dtype": "float64", "tokenizer": pieces} | own | options))


@cache
def trained(name: str) -> TextClassifier:
    return untrained(name, stop_words=STOP).fit(TEXTS, LABELS)


def forms_of(name: str) -> tuple[str, ...]:
    """The stop words that a model could read: a hyphen is a word only where punctuation is read."""
    return FORMS if MODELS[name][1].get("punctuation") else FORMS[:-1]


def with_other_stop_words(name: str, text: str, seed: int) -> str:
    """The text with any stop word in the place of each."""
    draw = np.random.default_rng(seed)
    for start, end in reversed(pieces(text)):
        if text[start:end].lower() in forms_of(name):
            text = text[:start] + str(draw.choice(forms_of(name))) + text[end:]
    return text


WORDS = st.sampled_from([*FORMS, "THE", "Orbit", "car", "pain", "moon", "probe", "unseen", "orbital", "thermos", "!"])
READ = st.lists(st.tuples(WORDS, st.sampled_from([" ", " ", "\n", "."])), max_size=12).map(
    lambda parts: "".join(word + gap for word, gap in parts)
)


@every("name", MODELS)
@settings(max_examples=15, deadline=None)
@given(text=READ)
def test_stop_words_are_unknown_words_without_relevance(name: str, text: str) -> None:
    why = textlrp.explain(trained(name), text, target="all")
    stopped = np.array([form in FORMS for form in why.tokens.forms], dtype=bool)
    assert why.tokens.text == text
    assert [tuple(span) for span in why.tokens.spans.tolist()] == pieces(text)
    read = stopped & (why.status != Status.NOT_A_WORD)
    assert (why.status[read] == Status.UNKNOWN).all()
    assert not why.relevance[:, stopped].any()
    assert score_gap(why) < 1e-9


@every("name", MODELS)
@settings(max_examples=15, deadline=None)
@given(text=READ, seed=st.integers(0, 99))
def test_scores_do_not_depend_on_which_stop_words_are_in_the_text(name: str, text: str, seed: int) -> None:
    scores = trained(name).decision_function([text, with_other_stop_words(name, text, seed)])
    np.testing.assert_array_equal(*scores)


@every("name", ["cnn", "words"])
def test_a_stop_word_keeps_its_place_as_an_unknown_word_does(name: str) -> None:
    texts = ["old the car", "old unseen car", "old car"]
    with_stop, with_unknown, without = trained(name).decision_function(texts)
    np.testing.assert_array_equal(with_stop, with_unknown)
    assert not np.allclose(with_stop, without)


@every("name", ["boe", "boe with subwords", "characters"])
@settings(max_examples=15, deadline=None)
@given(text=READ)
def test_where_order_is_ignored_scores_are_those_of_the_text_without_stop_words(name: str, text: str) -> None:
    spans = [span for span in pieces(text) if text[slice(*span)].lower() in FORMS]
    blanked = text
    for start, end in spans:
        blanked = blanked[:start] + " " * (end - start) + blanked[end:]
    scores = trained(name).decision_function([text, blanked])
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-12, atol=1e-14)
    batch = trained(name).encode([text, blanked])  # the scores that are explained, from occurrences
    np.testing.assert_allclose(trained(name).scores(batch), scores, rtol=1e-12, atol=1e-14)


@every("name", OPEN)
def test_a_text_of_stop_words_alone_has_the_scores_of_an_empty_text(name: str) -> None:
    np.testing.assert_array_equal(*trained(name).decision_function(["orbit-the THE", ""]))


@every("name", MODELS)
def test_training_does_not_depend_on_which_stop_words_are_in_the_texts(name: str) -> None:
    other = [with_other_stop_words(name, text, seed) for seed, text in enumerate(TEXTS)]
    assert other != TEXTS
    one, two = trained(name), untrained(name, stop_words=STOP).fit(other, LABELS)
    assert one.vocabulary_.words == two.vocabulary_.words
    assert not set(FORMS) & set(one.vocabulary_.words)
    for key, weight in one.weights_.items():
        np.testing.assert_array_equal(weight, two.weights_[key], err_msg=key)


@every("name", ["words", "characters", "both"])
def test_deletion_and_masking_agree_with_the_changed_text(name: str) -> None:
    model = trained(name)
    text = "car-the-probe orbit! moon-not"
    batch = model.encode([text])
    words = batch.readings[0].forms
    nothing = np.ones((1, len(words)), dtype=bool)
    of_methods = [model.scores_when_masked(batch, 0, nothing), model.scores_when_removed(batch, 0, nothing)]
    for scores in (model.scores(batch), *of_methods):
        np.testing.assert_allclose(scores[0], model.decision_function([text])[0], rtol=1e-12)
    without = nothing & ~np.isin(words, FORMS)  # masking stop words changes nothing
    np.testing.assert_allclose(model.scores_when_masked(batch, 0, without), model.scores(batch), rtol=1e-12)


# ---- the option


@every("name", MODELS)
def test_a_saved_model_has_its_stop_words(name: str, tmp_path: Path) -> None:
    model = untrained(name, stop_words=list(STOP), tokenizer="words").fit(TEXTS, LABELS)
    folder = model.save(tmp_path / re.sub(r"\W", "", name))
    loaded = textlrp.load(folder)
    text = ["the doctor saw the orbit of a thermos"]
    assert loaded.stop_words == STOP  # type: ignore[union-attr]
    assert loaded.fingerprint_ == model.fingerprint_
    np.testing.assert_array_equal(loaded.decision_function(text), model.decision_function(text))
    for copied in (pickle.loads(pickle.dumps(model)), clone(model).fit(TEXTS, LABELS)):
        assert copied.fingerprint_ == model.fingerprint_


@every("name", MODELS)
def test_a_model_that_was_saved_without_the_option_loads_with_the_same_fingerprint(name: str, tmp_path: Path) -> None:
    model = untrained(name, tokenizer="words").fit(TEXTS, LABELS)
    folder = model.save(tmp_path / re.sub(r"\W", "", name))
    config = json.loads((folder / "config.json").read_text())
    assert config["options"].pop("stop_words") is None
    (folder / "config.json").write_text(json.dumps(config))
    loaded = textlrp.load(folder)
    assert loaded.stop_words is None  # type: ignore[union-attr]
    assert loaded.fingerprint_ == model.fingerprint_


@every("name", MODELS)
def test_the_fingerprint_has_stop_words_only_where_scores_depend_on_them(name: str) -> None:
    model = untrained(name).fit(TEXTS, LABELS)
    before, scores = model.fingerprint_, model.decision_function(["the unseen moon"])
    assert model.set_params(stop_words=()).fingerprint_ == before
    model.set_params(stop_words=("unseen",))
    assert (model.fingerprint_ != before) == (name in OPEN)
    assert np.array_equal(model.decision_function(["the unseen moon"]), scores) == (name not in OPEN)
    assert model.set_params(stop_words=None).fingerprint_ == before


def test_known_fingerprint_of_a_bundled_model() -> None:
    model = textlrp.load("20newsgroups-boe")
    assert model.fingerprint_ == "4b7be1e54e91"


def test_grid_search() -> None:
    search = GridSearchCV(small("svm"), {"stop_words": [None, ["car"], ("car", "the")]}, cv=2, error_score="raise")
    assert search.fit(TEXTS, LABELS).best_estimator_.predict(TEXTS[:1])[0] in NAMES


def test_case_is_that_of_the_model_and_invisible_characters_are_ignored() -> None:
    texts = [text.replace("the", "The") for text in TEXTS]
    for lowercase, left in ((True, set()), (False, {"The"})):
        model = small("boe", lowercase=lowercase, stop_words=["the", "or\u00adbit"]).fit(texts, LABELS)
        assert {"the", "The", "orbit"} & set(model.vocabulary_.words) == left


def test_words_that_only_outside_vectors_have_are_left_out_too() -> None:
    outside = Vectors(("moon", "comet", "co\u00admet", "star"), np.ones((4, 5), np.float32))
    model = small("boe", vectors=outside, stop_words=["comet"]).fit(TEXTS, LABELS)
    assert "star" in model.vocabulary_
    assert not {"comet", "co\u00admet"} & set(model.vocabulary_.words)
    assert textlrp.explain(model, "comet star").status.tolist() == [Status.UNKNOWN, Status.READ]


def test_stop_words_do_not_count_towards_max_words() -> None:
    assert small("svm", max_words=1, stop_words=["the"]).fit(TEXTS, LABELS).vocabulary_.words == ("a",)


def test_if_no_word_is_left() -> None:
    with pytest.raises(
        DataError, match=r"every word is in .* or is in stop_words\. Add texts, shorten stop_words or"
    ):
        small("svm", stop_words=["a", "b"]).fit(["a", "b"], ["x", "y"])


def test_words_that_can_match_no_token_are_named(caplog: pytest.LogCaptureFixture) -> None:
    model = small("svm", stop_words=["the", "new york", "state of", "unseen"])
    named = r"2 of 4 stop_words are more than one word .*: 'new york', 'state of'\. Pass"
    with caplog.at_level(logging.INFO), pytest.warns(UserWarning, match=named) as caught:
        model.fit(TEXTS, LABELS)
    assert caught[0].filename == __file__
    assert "stop words: 1 of 4 occur in the training texts" in caplog.messages


@pytest.mark.parametrize(
    "words", ["english", b"the", {"the"}, np.array(["the"]), 5, [5], [None], [""], ["\u200b "], ["\ud800"]]
)
def test_anything_but_a_list_of_words_is_refused(words: Any) -> None:
    model = small("svm", stop_words=words)
    assert model.get_params()["stop_words"] is words  # the constructor only stores it
    with pytest.raises(OptionError, match=r"stop_words must be .*; got .*\. Pass stop_words=\['word', \.\.\.\]"):
        model.fit(TEXTS, LABELS)


def test_a_sentence_encoder_reads_whole_texts() -> None:
    assert "stop_words" not in signature(EncoderClassifier).parameters
