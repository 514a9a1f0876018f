"""Character n-grams of the bag of words, compared with scikit-learn's features and with the pipeline adapter."""

from __future__ import annotations

import copy
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from laws import score_gap
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import LinearSVC
from toys import LABELS, READ, TEXTS, scrambled, small

import textlrp
from textlrp.errors import DataError, OptionError
from textlrp.models.char_ngrams import CharNgrams, CharOccurrences
from textlrp.models.estimators import BagOfWordsClassifier, load
from textlrp.models.model_kinds import classifier_class
from textlrp.models.word_paths import masked_scores, path_scores
from textlrp.records import Status
from textlrp.text.batches import following, joined_runs

RANGE = "char_ngrams must be two whole numbers from 1 to 6, the smaller one first"
ANALYZERS = ("char_wb", "both")
CHINESE = ["这本书很好我很喜欢", "很好看的电影", "非常喜欢", "质量很差不喜欢", "太差了很失望", "电池很差"]
MORE = [
    "the probes (prob-ing) don't, U.S.", "unrocketable 42% #moon", "\u200b", "ὈΔΥΣΣΕΎΣ ΟΔΟΣ", "很好的电影不差",
]  # fmt: skip


@cache
def model_of(analyzer: str, dtype: str = "float64", seed: int | None = 0, **options: Any) -> BagOfWordsClassifier:
    """A fitted bag of words that reads every token; its weights are random unless ``seed`` is None."""
    own: dict[str, Any] = {"analyzer": analyzer, "punctuation": True, "dtype": dtype, "tokenizer": "spacy"}
    model = small("svm", **(own | {"min_df_char_ngrams": 1} | options)).fit([*TEXTS, *CHINESE], [*LABELS, *"ppnnnn"])
    changed = model if seed is None else scrambled(model, seed)
    assert isinstance(changed, BagOfWordsClassifier)
    return changed


def written(key: list[int]) -> str:
    """The characters of an n-gram's key."""
    return "".join(chr((part >> shift & 0x1FFFFF) - 1) for part in key for shift in (0, 21, 42) if part >> shift)


words = st.lists(st.text("abÉж的🚀'", min_size=1, max_size=7), max_size=8)
ranges = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(lambda pair: (min(pair), max(pair)))


@given(st.lists(words, min_size=1, max_size=5), ranges, st.integers(1, 3))
def test_the_features_are_those_of_char_wb(texts: list[list[str]], span: tuple[int, int], min_df: int) -> None:
    own = CountVectorizer(analyzer="char_wb", ngram_range=span, lowercase=False)
    joined = [" ".join(text) for text in texts]
    try:
        wanted = own.fit_transform(joined)
    except ValueError:  # no n-gram at all
        wanted = np.zeros((len(texts), 0), dtype=np.int64)
    names = getattr(own, "vocabulary_", {})
    found, counts = CharNgrams.fit(texts, *span, min_df)
    frequent = {name for name, place in names.items() if (wanted[:, [place]] > 0).sum() >= min_df and name.strip()}
    mine = [written(key) for key in found.keys.tolist()]
    assert sorted(mine) == sorted(frequent)
    assert (counts != found.counts(texts)).nnz == 0
    if mine:
        assert (counts != wanted[:, [names[name] for name in mine]]).nnz == 0
    for n, text in enumerate(texts):
        places = found.occurrences(text, np.zeros(len(text), dtype=bool))
        assert np.bincount(places.column, minlength=len(found)).tolist() == counts[[n]].toarray()[0].tolist()
        row, _, share = places.shares()
        np.testing.assert_allclose(np.bincount(row, share, minlength=len(places.column)), 1.0)


def test_adjacent_words_are_joined_and_split_at_blanks() -> None:
    spans = np.array([[0, 2], [2, 5], [6, 7], [7, 8]], dtype=np.int32)
    follows = following(spans)
    assert joined_runs(["do", "n't", "a", "."], follows) == ["don't", "a."]
    found = CharNgrams.fit([["don't", "a."]], 2, 6, 1)[0]
    joined = found.occurrences(["do", "n't", "a", "."], follows)
    assert len(joined.column) == found.counts([["don't", "a."]]).sum()
    assert joined.covered(4).all()
    of_blanks = CharNgrams.fit([["new", "york"]], 1, 3, 1)[0]
    assert (
        len(of_blanks.occurrences(["new york"], np.zeros(1, dtype=bool)).column)
        == of_blanks.counts([["new", "york"]]).sum()
    )


@pytest.mark.parametrize("span", [(1, 1), (2, 4), (3, 6)])
def test_char_wb_is_scikit_learns_own(span: tuple[int, int]) -> None:
    model = model_of("char_wb", seed=None, skip=(), char_ngrams=span, idf_power=1.0)
    pipeline = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=span, sublinear_tf=True, vocabulary=vocabulary_of(model)),
        LinearSVC(C=model.C, random_state=0),
    ).fit([*TEXTS, *CHINESE], [*LABELS, *"ppnnnn"])  # fmt: skip
    texts = [text for text in (*READ, *MORE) if isinstance(text, str)]
    np.testing.assert_allclose(
        model.decision_function(texts), pipeline.decision_function(texts), rtol=1e-10, atol=1e-10
    )
    for text in texts:
        mine, theirs = (textlrp.explain(each, text, target="all", rule="zero") for each in (model, pipeline))
        by_token = [theirs.relevance[:, start:end].sum(axis=1) for start, end in mine.tokens.spans.tolist()]
        np.testing.assert_allclose(mine.relevance, np.reshape(by_token, (-1, len(mine.labels))).T, atol=1e-9)


def vocabulary_of(model: BagOfWordsClassifier) -> list[str]:
    return [written(key) for key in model.weights_["char_keys"].tolist()]


def test_both_is_a_union_of_words_and_characters() -> None:
    model = model_of("both", seed=None, skip=(), idf_power=1.0, ngrams=1)
    words_read = model.reader().words
    union = FeatureUnion([
        ("words", TfidfVectorizer(tokenizer=words_read, lowercase=False, token_pattern=None, sublinear_tf=True,
                                  vocabulary=model.vocabulary_.words)),
        ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True,
                                       vocabulary=vocabulary_of(model))),
    ], transformer_weights={"words": 0.5**0.5, "characters": 0.5**0.5})  # fmt: skip
    pipeline = make_pipeline(union, LinearSVC(C=model.C, random_state=0)).fit(
        [*TEXTS, *CHINESE], [*LABELS, *"ppnnnn"]
    )
    texts = [text for text in (*READ, *MORE) if isinstance(text, str)]
    np.testing.assert_allclose(model.decision_function(texts), pipeline.decision_function(texts), atol=1e-9)


@pytest.mark.parametrize("analyzer", ANALYZERS)
@pytest.mark.parametrize("rule", ["epsilon", "z-plus", "alpha2beta1"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relevance_plus_absorbed_is_score(analyzer: str, rule: str, dtype: str) -> None:
    model = model_of(analyzer, dtype)
    for why in textlrp.explain(model, [*READ, *MORE], target="all", rule=rule):
        assert score_gap(why) <= (1e-5 if dtype == "float32" else 1e-12)
        assert not why.relevance[:, ~why.seen].any()


@pytest.mark.parametrize("analyzer", ANALYZERS)
def test_a_batch_gives_what_single_texts_give(analyzer: str) -> None:
    model = model_of(analyzer)
    texts = [*READ, *MORE]
    np.testing.assert_allclose(model.scores(model.encode(texts)), scores_of(model, texts), atol=1e-12)
    for text, together in zip(texts, textlrp.explain(model, texts, target="all"), strict=True):
        np.testing.assert_allclose(
            textlrp.explain(model, [text], target="all").__next__().relevance, together.relevance, atol=1e-12
        )


def scores_of(model: BagOfWordsClassifier, texts: Any) -> Any:
    return np.stack([model.decision_function([text])[0] for text in texts])


@pytest.mark.parametrize("analyzer", ANALYZERS)
def test_masked_words_remove_their_ngrams(analyzer: str) -> None:
    model = model_of(analyzer)
    batch = model.encode(["the probes don't orbit (the moon)", MORE[0]])
    draw = np.random.default_rng(0)
    for n in range(2):
        length = int(batch.lengths[n])
        keep = draw.random((20, length)) < 0.6
        expected = model.scores(batch.select([n] * 20), keep=keep)
        np.testing.assert_allclose(masked_scores(model, batch, n, keep), expected, atol=1e-12)
        assert np.allclose(
            masked_scores(model, batch, n, np.zeros((1, length), dtype=bool)), model.weights_["output.bias"]
        )
    steps = [draw.permutation(int(length)) for length in batch.lengths]
    for path in path_scores(model, batch, steps, change="remove"):
        np.testing.assert_allclose(path[-1], model.weights_["output.bias"], atol=1e-12)
    only = path_scores(model, model.encode(["moon the"]), [np.array([1])], change="remove")[0]
    np.testing.assert_allclose(only[1], scores_of(model, ["moon"])[0], atol=1e-12)


def test_an_unknown_word_is_read_by_its_characters() -> None:
    model, words_alone = model_of("both"), model_of("word")
    text = "unrocketable"
    assert words_alone.encode([text]).status[0].tolist() == [Status.UNKNOWN]
    why = textlrp.explain(model, text)
    assert why.status.tolist() == [Status.READ]
    assert why.counts.tolist() == [0]
    assert abs(why.relevance).sum() > 0
    assert model.encode(["qqqqq"]).status[0].tolist() == [Status.UNKNOWN]


def test_a_script_without_spaces_is_read_by_character_ngrams() -> None:
    texts = [
        f"{a}{b}{c}" for a in ("这本书", "电影", "房间") for b in ("很好", "不错", "太差", "失望") for c in "了的啊吧"
    ]
    labels = ["good" if "好" in text or "错" in text else "bad" for text in texts]
    with pytest.warns(
        UserWarning,
        match=r"^The texts are Chinese, without spaces between words\. All text between two spaces is one word",
    ):
        by_words = small("svm", analyzer="word", tokenizer="spacy").fit(texts[::2], labels[::2])
    assert by_words.score(texts[1::2], labels[1::2]) < 0.8
    for tokenizer in ("spacy", "auto"):
        by_characters = small("svm", analyzer="both", tokenizer=tokenizer).fit(texts[::2], labels[::2])
        assert by_characters.score(texts[1::2], labels[1::2]) == 1.0
    assert textlrp.explain(by_characters, "电影很好的").tokens.forms == tuple("电影很好的")
    assert textlrp.BagOfWordsClassifier().tokenizer == "auto"


@pytest.mark.parametrize("analyzer", ["word", *ANALYZERS])
def test_a_saved_model_predicts_the_same(analyzer: str, tmp_path: Path) -> None:
    model = model_of(analyzer, "float32")
    again = load(model.save(tmp_path / "model"))
    assert again.get_params() == model.get_params() | {"char_ngrams": tuple(model.char_ngrams)}
    assert again.fingerprint_ == model.fingerprint_
    for other in (again, pickle.loads(pickle.dumps(model))):
        assert other.decision_function(MORE).tobytes() == model.decision_function(MORE).tobytes()
    assert {entry.name for entry in (tmp_path / "model").iterdir()} == {"config.json", "model.safetensors"}


def test_a_model_saved_before_character_ngrams_existed_reads_only_words(tmp_path: Path) -> None:
    import json

    model = small("svm").fit(TEXTS, LABELS)
    folder = model.save(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    new = ("analyzer", "char_ngrams", "min_df_char_ngrams", "punctuation")
    config["options"] = {name: value for name, value in config["options"].items() if name not in new}
    (folder / "config.json").write_text(json.dumps(config))
    again = load(folder)
    assert again.decision_function(MORE).tobytes() == model.decision_function(MORE).tobytes()
    assert classifier_class("svm").legacy_defaults.items() <= again.get_params().items()


def test_another_setting_is_another_fingerprint() -> None:
    model = copy.copy(model_of("both"))
    before = model.fingerprint_
    for options in ({"punctuation": False}, {"analyzer": "char_wb"}, {"char_ngrams": (2, 3)}):
        own = model.get_params()
        assert model.set_params(**options).fingerprint_ != before
        model.set_params(**own)


@every(
    "options, sentence",
    [
        ({"analyzer": "char"}, "analyzer must be 'word', 'char_wb' or 'both'; got 'char'."),
        ({"char_ngrams": (3, 2)}, f"{RANGE}; got (3, 2)."),
        ({"char_ngrams": (2, 7)}, f"{RANGE}; got (2, 7)."),
        ({"char_ngrams": 3}, f"{RANGE}; got 3."),
        ({"min_df_char_ngrams": 0}, "min_df_char_ngrams must be a whole number >= 1; got 0. Pass"),
        ({"punctuation": "yes"}, "punctuation must be True or False; got 'yes'."),
    ],
)  # fmt: skip
def test_options_out_of_their_range(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError) as refused:
        small("svm", **options).fit(TEXTS, LABELS)
    assert str(refused.value).startswith(sentence)


def test_no_character_ngram_in_enough_texts() -> None:
    with pytest.raises(DataError, match=r"^no character n-gram is in min_df_char_ngrams=9 or more of the 2 texts\."):
        small("svm", analyzer="char_wb", min_df_char_ngrams=9).fit(["one", "two"], ["a", "b"])
    both = small("svm", analyzer="both", min_df_char_ngrams=9).fit(["one", "two"], ["a", "b"])
    assert both.predict(["one", "two", "six"]).tolist()[:2] == ["a", "b"]


def test_covered_tokens_have_a_share() -> None:
    token = np.array([-1, 0, 0, 1, -1, -1, 2, -1])
    found = CharOccurrences(np.array([0, 1]), np.array([0, 2]), np.array([2, 5]), token)
    assert found.covered(3).tolist() == [True, True, False]
    row, word, share = found.shares()
    assert (row.tolist(), word.tolist(), share.tolist()) == ([0, 1, 1], [0, 0, 1], [1.0, 0.5, 0.5])
    assert found.kept(np.array([[True, True, True], [False, True, True], [True, False, True]])).tolist() == [
        [True, True], [False, False], [True, False],
    ]  # fmt: skip
