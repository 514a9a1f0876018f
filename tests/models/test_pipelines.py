"""scikit-learn pipelines: relevance and ledger sum to scikit-learn's scores, and offsets are correct."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from cases import every
from laws import gap
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import SelectFromModel, SelectKBest, SelectPercentile, VarianceThreshold, chi2
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC, NuSVC
from test_vectorizers import random_texts
from toys import LABELS, TEXTS

from textlrp.errors import ModelError, OptionError, RuleError
from textlrp.explainers.explain import explain
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import as_composite
from textlrp.lrp.rules import ZBox, Zero
from textlrp.lrp.trace import one_hot_seed, propagate
from textlrp.models.classifier import Classifier
from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model
from textlrp.models.pipeline.provenance import split_at_edges
from textlrp.records import Document, Status

RULES = ("zero", "epsilon", "arras2017", "gamma", "alpha2-beta1", "alpha1-beta0", "z-plus", "w-square", "flat")
TOY_WORDS = tuple(dict.fromkeys(" ".join(TEXTS).split()))


class Found(NamedTuple):
    """Scores (N, C), relevance (K, N, L) and ledger {(step, cause): (K, N)} of all classes."""

    scores: NDArray[Any]
    relevance: NDArray[Any]
    ledger: dict[tuple[str, str], NDArray[Any]]


def led(model: PipelineModel, texts: Sequence[str | Document], rule: Any = "zero", dtype: str | None = None) -> Found:
    trace = model.trace(model.encode(texts), dtype=dtype)
    found = propagate(trace, as_composite(rule), one_hot_seed(trace.scores, range(trace.scores.shape[1])))
    return Found(
        trace.scores.numpy(), found.relevance.numpy(), {key: entry.numpy() for key, entry in found.ledger.items()}
    )


def largest_gap(found: Found, scores: NDArray[Any]) -> float:
    """The law's largest gap over documents and classes, against scores (N, C) of scikit-learn."""
    return max(
        gap(
            found.relevance[k, n].sum() + sum(entry[k, n] for entry in found.ledger.values()) - scores[n, k],
            found.relevance[k, n],
            [entry[k, n] for entry in found.ledger.values()],
        )
        for k in range(scores.shape[1])
        for n in range(scores.shape[0])
    )


def own_scores(pipeline: Pipeline, texts: Sequence[str]) -> NDArray[Any]:
    """The scores (N, C) of scikit-learn itself."""
    if isinstance(pipeline[-1], (MultinomialNB, ComplementNB, BernoulliNB)):
        return np.asarray(pipeline[-1].predict_joint_log_proba(pipeline[:-1].transform(texts)))
    scores = np.asarray(pipeline.decision_function(texts))
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def mixed_texts(seed: int, count: int) -> list[str]:
    """Toy words in random order, between characters that make offsets difficult."""
    draw = np.random.default_rng(seed)
    texts = []
    for text in random_texts(seed, count, 8):
        words = [str(word) for word in draw.choice(TOY_WORDS, size=int(draw.integers(0, 12)))]
        texts.append(f"{' '.join(words)} {text} {' '.join(words[:3]).upper()}")
    return ["", *texts][:count]


def fitted(*steps: Any, classes: int = 3) -> Pipeline:
    return make_pipeline(*steps).fit(TEXTS[: 8 * classes], LABELS[: 8 * classes])


VECTORIZERS: dict[str, Any] = {
    "tfidf": lambda: TfidfVectorizer(),
    "tfidf-1-2": lambda: TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words="english"),
    "tfidf-l1": lambda: TfidfVectorizer(norm="l1", use_idf=False, min_df=2, strip_accents="unicode"),
    "counts": lambda: CountVectorizer(binary=True, token_pattern=r"(?u)\b(\w)\w+\b"),
    "counts-1-3": lambda: CountVectorizer(ngram_range=(1, 3), max_features=60, strip_accents="ascii"),
    "counts-split": lambda: CountVectorizer(tokenizer=str.split, token_pattern=None, ngram_range=(2, 3)),
    "vocabulary": lambda: CountVectorizer(vocabulary=["car", "the", "the car", "zebra"], ngram_range=(1, 2)),
    "counts-float32": lambda: CountVectorizer(dtype=np.float32, lowercase=False),
    "char": lambda: TfidfVectorizer(analyzer="char", ngram_range=(1, 4), strip_accents="unicode"),
    "char-counts": lambda: CountVectorizer(analyzer="char", ngram_range=(3, 3)),
    "char_wb": lambda: TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), norm=None),
    "char_wb-ascii": lambda: CountVectorizer(analyzer="char_wb", ngram_range=(2, 3), strip_accents="ascii"),
    "hashing": lambda: HashingVectorizer(n_features=2**12, ngram_range=(1, 2)),
    "hashing-8": lambda: HashingVectorizer(n_features=8, ngram_range=(1, 2)),
    "hashing-8-raw": lambda: HashingVectorizer(n_features=8, norm=None),
    "hashing-8-binary": lambda: HashingVectorizer(n_features=8, binary=True, norm="l1"),
    "hashing-8-unsigned": lambda: HashingVectorizer(n_features=8, alternate_sign=False, norm=None),
    "hashing-char": lambda: HashingVectorizer(n_features=64, analyzer="char_wb", ngram_range=(2, 4)),
    "transformer": lambda: make_pipeline(CountVectorizer(), None, TfidfTransformer(sublinear_tf=True)),
    "selected": lambda: make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), SelectKBest(chi2, k=25)),
    "selected-twice": lambda: make_pipeline(
        CountVectorizer(ngram_range=(1, 2)), SelectPercentile(chi2, percentile=50), TfidfTransformer(),
        SelectFromModel(LinearSVC()), "passthrough", VarianceThreshold(),
    ),
    "scaled": lambda: make_pipeline(CountVectorizer(), MaxAbsScaler(), Normalizer()),
    "union": lambda: FeatureUnion(
        [
            ("words", TfidfVectorizer()),
            ("dropped", "drop"),
            ("pairs", make_pipeline(CountVectorizer(ngram_range=(2, 2)), TfidfTransformer(), SelectKBest(chi2, k=9))),
            ("rough", CountVectorizer(token_pattern=r"\w\S*\w", lowercase=False)),
        ],
        transformer_weights={"words": 2.0, "pairs": -0.5},
    ),
    "union-char": lambda: make_union(
        TfidfVectorizer(stop_words=["the"]),
        make_union(TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)), HashingVectorizer(n_features=16)),
    ),
    "union-after": lambda: make_pipeline(
        CountVectorizer(), FeatureUnion([("same", "passthrough"), ("weighted", TfidfTransformer())])
    ),
}  # fmt: skip


@cache
def known(name: str) -> tuple[Pipeline, PipelineModel]:
    pipeline = fitted(VECTORIZERS[name](), LinearSVC(random_state=0))
    return pipeline, pipeline_model(pipeline)


# ---- the law


@pytest.mark.parametrize("name", VECTORIZERS)
def test_relevance_plus_absorbed_is_scikit_learns_score(name: str) -> None:
    """40 random documents for each of 25 vectorizers: 1,000 in total, with every rule."""
    pipeline, model = known(name)
    texts = mixed_texts(list(VECTORIZERS).index(name), 40)
    trace = model.trace(model.encode(texts))
    scores = own_scores(pipeline, texts)
    seed = one_hot_seed(trace.scores, range(3))
    np.testing.assert_allclose(trace.scores.numpy(), scores, rtol=0, atol=1e-12 * max(1, np.abs(scores).max()))
    for rule in RULES:
        found = propagate(trace, as_composite(rule), seed)
        ledger = {key: entry.numpy() for key, entry in found.ledger.items()}
        assert largest_gap(Found(scores, found.relevance.numpy(), ledger), scores) < 1e-11, rule
    assert found.relevance.abs().sum() > 0


@pytest.mark.parametrize("name", VECTORIZERS)
def test_tokens_are_spans_of_the_text_and_relevance_is_where_it_was_read(name: str) -> None:
    _, model = known(name)
    batch = model.encode([Document(f"d{n}", text) for n, text in enumerate(mixed_texts(7, 40))])
    for n, reading in enumerate(batch.readings):
        spans = reading.tokens.spans
        assert (spans[:, 0] < spans[:, 1]).all()
        assert (spans[1:, 0] >= spans[:-1, 1]).all()
        assert len(spans) == 0 or spans[-1, 1] <= len(reading.tokens.text)
        assert len(reading.tokens.forms) == len(spans) == len(batch.status[n]) == len(batch.counts[n])
        assert (batch.status[n][reading.positions] == Status.READ).all()
        assert len(reading.positions) == batch.lengths[n] == (batch.status[n] == Status.READ).sum()
        assert (batch.counts[n] == -1).all()
    assert isinstance(model, Classifier)


HEADS: dict[str, Any] = {
    "svm": lambda: LinearSVC(random_state=0),
    "svm-no-intercept": lambda: LinearSVC(fit_intercept=False, random_state=0),
    "logistic": lambda: LogisticRegression(),
    "logistic-cv": lambda: LogisticRegressionCV(
        Cs=2, cv=2, l1_ratios=(0,), use_legacy_attributes=False, scoring="accuracy"
    ),
    "sgd-hinge": lambda: SGDClassifier(random_state=0),
    "sgd-log": lambda: SGDClassifier(loss="log_loss", random_state=0),
    "sgd-huber": lambda: SGDClassifier(loss="modified_huber", random_state=0),
    "ridge": lambda: RidgeClassifier(),
    "ridge-no-intercept": lambda: RidgeClassifier(fit_intercept=False),
    "ridge-cv": lambda: RidgeClassifierCV(),
    "perceptron": lambda: Perceptron(random_state=0),
    "ovr-svm": lambda: OneVsRestClassifier(LinearSVC(random_state=0)),
    "ovr-logistic": lambda: OneVsRestClassifier(LogisticRegression()),
    "ovr-huber": lambda: OneVsRestClassifier(SGDClassifier(loss="modified_huber", random_state=0)),
    "multinomial": lambda: MultinomialNB(),
    "complement": lambda: ComplementNB(norm=True),
    "bernoulli": lambda: BernoulliNB(),
    "bernoulli-threshold": lambda: BernoulliNB(binarize=0.2),
    "bernoulli-raw": lambda: BernoulliNB(binarize=None),
}
WITHOUT_PROBABILITIES = {"svm", "svm-no-intercept", "sgd-hinge", "ridge", "ridge-no-intercept", "ridge-cv",
                         "perceptron", "ovr-svm"}  # fmt: skip


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("head", HEADS)
def test_every_linear_model_is_propagated_completely(head: str, classes: int) -> None:
    pipeline = fitted(TfidfVectorizer(ngram_range=(1, 2)), HEADS[head](), classes=classes)
    model = pipeline_model(pipeline)
    texts = mixed_texts(11, 12)
    scores = own_scores(pipeline, texts)
    for rule in ("zero", "epsilon", "alpha2-beta1", "arras2017"):
        found = led(model, texts, rule)
        np.testing.assert_allclose(found.scores, scores, rtol=1e-12, atol=1e-12)
        assert largest_gap(found, scores) < 1e-11
    assert model.classes_.tolist() == pipeline.classes_.tolist()
    probabilities = model.probabilities(scores)
    assert (probabilities is None) == (head in WITHOUT_PROBABILITIES)
    if probabilities is not None:
        np.testing.assert_allclose(probabilities, pipeline.predict_proba(texts), rtol=1e-10, atol=1e-14)


def test_sparse_coefficients_are_supported() -> None:
    pipeline = fitted(CountVectorizer(), SGDClassifier(random_state=0))
    dense = led(pipeline_model(pipeline), TEXTS[:3])
    pipeline[-1].sparsify()
    np.testing.assert_array_equal(led(pipeline_model(pipeline), TEXTS[:3]).relevance, dense.relevance)


@every("bounds", ["tfidf", "char", "hashing", "selected", "union-char"])
def test_zbox_has_the_bounds_of_normalized_features(bounds: str) -> None:
    pipeline, model = known(bounds)
    texts = mixed_texts(5, 10)
    assert largest_gap(led(model, texts, ZBox()), own_scores(pipeline, texts)) < 1e-11
    box = model.trace(model.encode(texts)).steps[-1].bounds
    values = model.encode(texts).features.data
    assert box is not None
    assert float(box.low) <= values.min()
    assert values.max() <= float(box.high)
    with pytest.raises(RuleError, match="bounds"):
        led(known("counts-1-3")[1], texts, ZBox())


def test_float32_stays_float32() -> None:
    pipeline, _ = known("tfidf-1-2")
    model = pipeline_model(pipeline, dtype="float32")
    found = led(model, TEXTS[:4])
    assert found.relevance.dtype == found.scores.dtype == model.scores(model.encode(TEXTS[:4])).dtype == np.float32
    assert led(model, TEXTS[:4], dtype="float64").relevance.dtype == np.float64
    assert largest_gap(found, own_scores(pipeline, TEXTS[:4])) < 1e-5
    with pytest.raises(OptionError, match="float16"):
        pipeline_model(pipeline, dtype="float16")


# ---- each number at its place


def test_a_word_gets_its_coefficient_times_its_value_shared_over_its_occurrences() -> None:
    pipeline, model = known("tfidf")
    text = "The car, the CAR! and the zebra's engine"
    batch = model.encode([text])
    found = led(model, [text])
    values = pipeline[:-1].transform([text]).toarray()[0]
    vocabulary = pipeline[0].vocabulary_
    tokens = [token.lower() for token in batch.readings[0].tokens]
    assert tokens == ["the", "car", "the", "car", "and", "the", "zebra", "engine"]
    assert batch.status[0].tolist() == [0, 0, 0, 0, 0, 0, Status.UNKNOWN, 0]
    for c in range(3):
        expected = [
            values[vocabulary[token]] * pipeline[-1].coef_[c, vocabulary[token]] / tokens.count(token)
            for token in tokens
            if token != "zebra"
        ]
        np.testing.assert_allclose(found.relevance[c, 0], expected, rtol=1e-13)
    np.testing.assert_allclose(found.ledger["output", "bias"][:, 0], pipeline[-1].intercept_, rtol=1e-12)


def test_a_word_ngram_is_shared_equally_over_its_words_and_its_occurrences() -> None:
    words = ["the", "probe", "of", "the", "moon", "the", "probe"]
    pipeline = fitted(CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+"), LinearSVC(random_state=0))
    found = led(pipeline_model(pipeline), [" ".join(words)])
    vocabulary, weight = pipeline[0].vocabulary_, pipeline[-1].coef_
    for c in range(3):
        expected = np.zeros(len(words))
        for length in (1, 2):
            for start in range(len(words) - length + 1):
                column = vocabulary.get(" ".join(words[start : start + length]))
                for place in range(start, start + length):
                    expected[place] += 0 if column is None else weight[c, column] / length
        np.testing.assert_allclose(found.relevance[c, 0], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("analyzer", ["char", "char_wb"])
def test_a_character_ngram_is_shared_equally_over_its_characters(analyzer: str) -> None:
    """Plain loops over the n-grams of one text, with blanks around words and collapsed whitespace."""
    text = "the  probe\tof"
    vectorizer = CountVectorizer(analyzer=analyzer, ngram_range=(2, 3)).fit([text])
    draw = np.random.default_rng(0)
    classifier = LinearSVC().fit(np.eye(2, len(vectorizer.vocabulary_)), ["a", "b"])
    classifier.coef_ = draw.normal(size=(1, len(vectorizer.vocabulary_)))
    units: list[list[tuple[str, tuple[int, ...]]]]
    if analyzer == "char":
        places = [(c, (n,)) for n, c in enumerate(text)]
        units = [[*places[:3], (" ", (3, 4)), *places[5:]]]
    else:
        pad: tuple[str, tuple[int, ...]] = (" ", ())
        units = [[pad, *[(text[n], (n,)) for n in word], pad] for word in (range(3), range(5, 10), range(11, 13))]
    expected = np.zeros(len(text))
    for run in units:
        for length in (2, 3):
            for start in range(len(run) - length + 1):
                part = run[start : start + length]
                column = vectorizer.vocabulary_["".join(c for c, _ in part)]
                real = [where for _, where in part if where]
                for where in real:
                    for n in where:
                        expected[n] += classifier.coef_[0, column] / len(real) / len(where)
    batch = (model := pipeline_model(make_pipeline(vectorizer, classifier))).encode([text])
    on_text = np.zeros(len(text))
    on_text[batch.readings[0].positions] = led(model, [text]).relevance[1, 0]
    np.testing.assert_allclose(on_text, expected, rtol=1e-12, atol=1e-14)
    assert list(batch.readings[0].tokens) == list(text)


def test_colliding_signed_hashes_share_by_their_sign() -> None:
    pipeline = fitted(HashingVectorizer(n_features=3, norm=None), LinearSVC(random_state=0))
    words = ["the", "doctor", "gave", "me", "the", "pill", "for", "pain", "and", "fever", "near", "the", "orbit"]
    alone = pipeline[0].transform(words).toarray()  # one word a row: its column and sign
    values = pipeline[0].transform([" ".join(words)]).toarray()[0]
    found = led(pipeline_model(pipeline), [" ".join(words)])
    # some cancel each other out, but not all
    assert ((np.abs(alone).sum(axis=0) > np.abs(values)) & (values != 0)).any()
    for c in range(3):
        products = [alone[t] @ (pipeline[-1].coef_[c] * (values != 0)) for t in range(len(words))]
        np.testing.assert_allclose(found.relevance[c, 0], products, rtol=1e-12, atol=1e-14)


def test_ngrams_of_padding_only_are_ignored() -> None:
    pipeline = fitted(CountVectorizer(analyzer="char_wb", ngram_range=(1, 1)), LinearSVC(random_state=0))
    found = led(pipeline_model(pipeline), ["the car", "x"])
    blank = pipeline[0].vocabulary_[" "]
    np.testing.assert_allclose(
        found.ledger["ngrams", "ignored"], pipeline[-1].coef_[:, blank, None] * [[4, 2]], rtol=1e-12
    )


def test_tokens_are_split_at_the_edges_of_all_vectorizers() -> None:
    union = make_union(TfidfVectorizer(token_pattern=r"\w+"), TfidfVectorizer(token_pattern=r"[\w-]+"))
    model = pipeline_model(make_pipeline(union, LinearSVC()).fit(["x-ray of a car", "a rocket"], ["a", "b"]))
    reading = model.encode(["X-ray, a car"]).readings[0]
    assert list(reading.tokens) == ["X", "-", "ray", "a", "car"]
    assert reading.tokens.forms == ("x", "-", "ray", "a", "car")
    np.testing.assert_array_equal(
        split_at_edges(
            [np.array([[0, 4], [2, 6]], np.int32), np.array([[8, 9], [3, 3]], np.int32)], np.zeros((0, 2), np.int32)
        ),
        [[0, 2], [2, 4], [4, 6], [8, 9]],
    )


def test_features_of_several_vectorizers_may_come_in_any_order() -> None:
    both = make_union(CountVectorizer(token_pattern=r"[a-m]+"), CountVectorizer(token_pattern=r"[n-z]+"))
    twice = FeatureUnion([("same", "passthrough"), ("also", "passthrough")])
    pipeline = make_pipeline(both, twice, LinearSVC(random_state=0)).fit(["aa zz bb", "bb yy", "zz"], list("aba"))
    found = led(pipeline_model(pipeline), ["zz aa yy bb"])
    aa, bb, yy, zz = pipeline[-1].coef_[0].reshape(2, 4).sum(axis=0)
    np.testing.assert_allclose(found.relevance[1, 0], [zz, aa, yy, bb], rtol=1e-12)


def test_a_word_of_several_tokens_is_shared_by_their_length() -> None:
    words = CountVectorizer(token_pattern=r"[\w-]+", vocabulary=["x-ray", "car"])
    parts = CountVectorizer(token_pattern=r"\w+", vocabulary=["car"])
    pipeline = make_pipeline(make_union(words, parts), LinearSVC(random_state=0)).fit(["x-ray", "car"], ["a", "b"])
    whole, car, same_car = pipeline[-1].coef_[0]
    found = led(pipeline_model(pipeline), ["x-ray car"])
    np.testing.assert_allclose(
        found.relevance[1, 0], [whole / 5, whole / 5, whole * 3 / 5, car + same_car], rtol=1e-12
    )


def test_bernoulli_absent_words_are_one_entry_of_the_ledger() -> None:
    pipeline = fitted(CountVectorizer(), BernoulliNB())
    text = "the doctor the doctor saw a rocket"
    found = led(pipeline_model(pipeline), [text])
    log_p, vocabulary = pipeline[-1].feature_log_prob_, pipeline[0].vocabulary_
    present = [vocabulary[word] for word in ("the", "doctor", "saw", "rocket")]
    for c in range(3):
        absent = sum(np.log(1 - np.exp(log_p[c, j])) for j in range(len(vocabulary)) if j not in present)
        assert found.ledger["output", "absent"][c, 0] == pytest.approx(absent, rel=1e-12)
        assert found.ledger["output", "bias"][c, 0] == pytest.approx(pipeline[-1].class_log_prior_[c], rel=1e-12)
        half = log_p[c, present] / [2, 2, 1, 1]
        np.testing.assert_allclose(found.relevance[c, 0], half[[0, 1, 0, 1, 2, 3]], rtol=1e-12)


def test_the_status_of_each_token() -> None:
    vectorizer = TfidfVectorizer(stop_words=["the"])
    selected = fitted(vectorizer, SelectKBest(chi2, k=3), LinearSVC())
    names = selected[0].get_feature_names_out()[selected[1].get_support()]
    batch = pipeline_model(selected).encode([f"the {names[0]} zebra monday, {names[1]}"])
    assert batch.status[0].tolist() == [Status.NOT_A_WORD, 0, Status.UNKNOWN, Status.UNKNOWN, 0]


# ---- skipped ranges


@every("name", ["tfidf-1-2", "char", "char_wb", "union-char", "counts-split"])
def test_skipped_ranges_are_blanks_to_the_pipeline(name: str) -> None:
    pipeline, model = known(name)
    text = "From: the car and engine\n\nthe doctor gave me a pill"
    document = Document("d", text, None, np.array([[6, 15], [18, 25]], dtype=np.int32))
    blanked = text[:6] + " " * 9 + text[15:18] + " " * 7 + text[25:]
    scores = own_scores(pipeline, [blanked])
    found, batch = led(model, [document]), model.encode([document])
    np.testing.assert_allclose(found.scores, scores, rtol=1e-12)
    assert largest_gap(found, scores) < 1e-11
    reading = batch.readings[0]
    assert reading.tokens.text == text
    inside = np.isin(reading.tokens.spans[:, 0], [*range(6, 15), *range(18, 25)])
    assert inside.sum() >= 2
    assert ((batch.status[0] == Status.SKIPPED) == inside).all()


# ---- without some words


@every("name", ["tfidf", "tfidf-l1", "counts-float32", "hashing-8-raw", "transformer", "scaled"])
def test_dropping_words_is_reading_the_text_without_them(name: str) -> None:
    pipeline, model = known(name)
    draw = np.random.default_rng(3)
    for text in mixed_texts(3, 25):
        batch = model.encode([text])
        keep = draw.random((1, batch.ids.shape[1])) < 0.6
        reading = batch.readings[0]
        left = list(text)
        for place in reading.positions[~keep[0]].tolist():
            start, end = reading.tokens.spans[place]
            left[start:end] = " " * (end - start)
        expected = own_scores(pipeline, ["".join(left)])
        np.testing.assert_allclose(model.scores(batch, keep=keep), expected, rtol=1e-9, atol=1e-10)


def test_ngrams_of_a_dropped_token_do_not_count() -> None:
    pipeline = fitted(CountVectorizer(ngram_range=(1, 2)), LinearSVC(random_state=0))
    model = pipeline_model(pipeline)
    batch = model.encode(["the probe near the moon"])
    without_near = pipeline[0].transform(["the probe"]) + pipeline[0].transform(["the moon"])
    scores = model.scores(batch, keep=np.array([[True, True, False, True, True]]))
    np.testing.assert_allclose(scores, pipeline[-1].decision_function(without_near), rtol=1e-12)
    nothing = model.scores(batch, keep=np.zeros((1, 5), dtype=bool))
    np.testing.assert_allclose(nothing, own_scores(pipeline, [""]), rtol=1e-12)


def test_a_word_of_several_tokens_is_dropped_when_all_of_them_are() -> None:
    words, parts = CountVectorizer(token_pattern=r"[\w-]+"), CountVectorizer(token_pattern=r"\w+")
    pipeline = make_pipeline(make_union(words, parts), LinearSVC(random_state=0))
    pipeline.fit(["x-ray car", "rocket probe"], ["a", "b"])
    model = pipeline_model(pipeline)
    batch = model.encode(["x-ray car"])
    assert batch.lengths.tolist() == [4]
    seen = dict(zip(pipeline[0].get_feature_names_out(), pipeline[-1].coef_[0], strict=True))
    whole = own_scores(pipeline, ["x-ray car"])[0, 1]
    for keep, lost in (((0, 1, 1, 1), ["x"]), ((0, 1, 0, 1), ["x", "ray"]), ((0, 0, 0, 1), ["x", "ray", "x-ray"])):
        gone = sum(seen[f"countvectorizer-{1 if word == 'x-ray' else 2}__{word}"] for word in lost)
        assert model.scores(batch, keep=np.array([keep], dtype=bool))[0, 1] == pytest.approx(whole - gone)


@every("name", VECTORIZERS)
def test_keeping_everything_changes_nothing(name: str) -> None:
    _, model = known(name)
    batch = model.encode(mixed_texts(9, 15))
    scores = model.scores(batch)
    kept = model.scores(batch, keep=np.ones(batch.ids.shape, dtype=bool))
    np.testing.assert_allclose(kept, scores, rtol=1e-9, atol=1e-9)


# ---- batches and points


@pytest.mark.parametrize("name", ["tfidf-1-2", "char_wb", "hashing-8", "union-char"])
def test_a_batch_gives_what_single_documents_give(name: str) -> None:
    _, model = known(name)
    texts = mixed_texts(13, 9)
    whole = led(model, texts, "epsilon")
    batch = model.encode(texts)
    for n, text in enumerate(texts):
        single = led(model, [text], "epsilon")
        length = int(batch.lengths[n])
        np.testing.assert_allclose(whole.relevance[:, n, :length], single.relevance[:, 0, :length], atol=1e-13)
        assert not whole.relevance[:, n, length:].any()
    chosen = batch.select([5, 2, 2])
    assert [reading.document_id for reading in chosen.readings] == ["5", "2", "2"]
    np.testing.assert_array_equal(model.scores(chosen), model.scores(batch)[[5, 2, 2]])
    assert chosen.ids.shape[1] == chosen.lengths.max()


@every(
    "name, head",
    [
        *((name, head) for name in ("tfidf-1-2", "char-counts") for head in ("svm", "complement", "bernoulli")),
        *((name, head) for name in ("hashing-8", "union") for head in ("logistic", "bernoulli")),
    ],
)
def test_a_point_gives_the_features_and_scores_of_the_model(name: str, head: str) -> None:
    pipeline = fitted(VECTORIZERS[name](), HEADS[head]())
    model = pipeline_model(pipeline)
    texts = mixed_texts(17, 6)
    batch, scores = model.encode(texts), own_scores(pipeline, texts)
    zero = led(model, texts, "zero")
    for n in range(len(texts)):
        point = model.input_point(batch, n)
        alternatives = torch.stack([point.inputs, torch.zeros_like(point.inputs)])
        out = point.forward(alternatives).numpy()
        np.testing.assert_allclose(out[0], scores[n], rtol=1e-10, atol=1e-10)
        empty = own_scores(pipeline, [""])[0]
        np.testing.assert_allclose(out[1], empty, rtol=1e-10, atol=1e-10)
        if head == "bernoulli":  # its weights are log p, but the gradient also has log(1 - p)
            continue
        gradient = torch.func.jacrev(point.forward)(point.inputs[None])[0, :, 0, :, 0]
        products = point.to_words(gradient * point.inputs[:, 0]).numpy()
        np.testing.assert_allclose(products, zero.relevance[:, n, : int(batch.lengths[n])], rtol=1e-9, atol=1e-11)


# ---- the pipeline stays as it is


def test_a_pipeline_is_the_same_before_and_after() -> None:
    for name in ("union", "selected-twice", "transformer"):
        pipeline = pickle.loads(pickle.dumps(known(name)[0]))
        before, attributes = pickle.dumps(pipeline), _attributes(pipeline)
        model = pipeline_model(pipeline)
        batch = model.encode(mixed_texts(1, 5))
        model.trace(batch)
        model.scores(batch, keep=np.zeros(batch.ids.shape, dtype=bool))
        model.probabilities(model.scores(batch))
        assert pickle.dumps(pipeline) == before
        assert _attributes(pipeline) == attributes


def _attributes(estimator: Any) -> Any:
    """The names of everything on an estimator and the estimators within."""
    if isinstance(estimator, BaseEstimator):
        return {name: _attributes(value) for name, value in vars(estimator).items()}
    if isinstance(estimator, (list, tuple)):
        return [_attributes(value) for value in estimator]
    return type(estimator).__name__


def test_the_fingerprint_depends_on_everything_that_scores_depend_on() -> None:
    def make(C: float = 1.0, **options: Any) -> Pipeline:
        return fitted(TfidfVectorizer(stop_words=["the", "a", "of"], **options), LinearSVC(C=C, random_state=0))

    first = pipeline_model(make()).fingerprint_
    assert len(first) == 12
    assert int(first, 16) >= 0
    assert pipeline_model(make()).fingerprint_ == first
    assert pipeline_model(pickle.loads(pickle.dumps(make()))).fingerprint_ == first
    others = {pipeline_model(p).fingerprint_ for p in (make(C=2.0), make(lowercase=False), make(sublinear_tf=True))}
    changed = make()
    changed[0].idf_ = changed[0].idf_ * 2
    others.add(pipeline_model(changed).fingerprint_)
    changed = copy.deepcopy(make())
    changed[-1].intercept_ = changed[-1].intercept_ + 1
    others.add(pipeline_model(changed).fingerprint_)
    assert len(others | {first}) == 6


# ---- refusals


class Own(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A step that textlrp does not know."""

    def fit(self, X: Any, y: Any = None) -> Own:
        return self

    def transform(self, X: Any) -> Any:
        return X


class OwnSelector(SelectKBest):  # type: ignore[misc]
    """A selector that also changes values."""

    def transform(self, X: Any) -> Any:
        return super().transform(X) * 2


@every(
    "steps, message",
    [
        (
            (CountVectorizer(), Own(), LinearSVC()),
            "step 'own' must be linear in its features; got a Own.",
        ),
        (
            (CountVectorizer(), OwnSelector(chi2, k=3), LinearSVC()),
            "step 'ownselector' must be linear in its features; got a OwnSelector",
        ),
        (
            (FunctionTransformer(list), CountVectorizer(), LinearSVC()),
            "step 'functiontransformer' must be a text vectorizer, because it gets the texts; got a FunctionTr",
        ),
        (
            (CountVectorizer(), RandomForestClassifier(2)),
            "must be a linear classifier, because only these are explained exactly; got a Random",
        ),
    ],
)
def test_an_unsupported_step_is_refused_by_name(steps: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ModelError) as refused:
        pipeline_model(fitted(*steps))
    assert message in str(refused.value)


class Doubling(CountVectorizer):  # type: ignore[misc]
    """A vectorizer that overrides how n-grams are made."""

    def _word_ngrams(self, tokens: Any, stop_words: Any = None) -> Any:
        return [*tokens, *tokens]


def test_features_that_cannot_be_rebuilt_from_the_text_are_refused() -> None:
    model = pipeline_model(fitted(Doubling(), LinearSVC()))
    with pytest.raises(ModelError, match=r"Doubling 'doubling' must make its features from n-grams .* in text 1 of"):
        model.encode(["zebra", "the car"])


def test_only_a_fitted_text_pipeline_is_accepted() -> None:
    with pytest.raises(ModelError, match=r"make_pipeline\(vectorizer, classifier\)"):
        pipeline_model(LinearSVC())
    with pytest.raises(ModelError, match="step 'linearsvc' must be fitted; got a LinearSVC that is not"):
        pipeline_model(make_pipeline(CountVectorizer(vocabulary=["a"]), LinearSVC()))
    numbers = LinearSVC().fit(np.eye(4), ["a", "b", "a", "b"])
    with pytest.raises(
        ModelError, match="must have a text vectorizer before its classifier; got none before 'linearsvc'"
    ):
        pipeline_model(make_pipeline(numbers))
    with pytest.raises(
        ModelError, match="must have a text vectorizer before its classifier; got none before 'linearsvc'"
    ):
        pipeline_model(make_pipeline("passthrough", numbers))
    with pytest.raises(ModelError, match="CountVectorizer 'countvectorizer' must be fitted"):
        pipeline_model(make_pipeline(CountVectorizer(), numbers))
    counts = CountVectorizer().fit(TEXTS)
    with pytest.raises(
        ModelError, match="step 'tfidftransformer' must be fitted; got a TfidfTransformer that is not"
    ):
        pipeline_model(make_pipeline(counts, TfidfTransformer(), numbers))
    with pytest.raises(ModelError, match="got a LinearSVC of 4 features after steps that make "):
        pipeline_model(make_pipeline(counts, numbers))
    with pytest.raises(
        ModelError, match="'raw' in the FeatureUnion 'featureunion' must be a vectorizer; got 'passthrough'"
    ):
        pipeline_model(make_pipeline(FeatureUnion([("raw", "passthrough"), ("counts", counts)]), numbers))
    with pytest.raises(
        ModelError, match="the FeatureUnion 'featureunion' must have at least one vectorizer; got only 'drop'"
    ):
        pipeline_model(make_pipeline(FeatureUnion([("counts", "drop")]), numbers))
    with pytest.raises(ModelError, match="must come before other vectorizers; got a CountVectorizer after one"):
        pipeline_model(make_pipeline(counts, counts, numbers))


def test_pipelines_within_pipelines_and_a_composite_by_name() -> None:
    inner = make_pipeline(TfidfTransformer(), LinearSVC(random_state=0))
    nested = make_pipeline(CountVectorizer(), inner).fit(TEXTS, LABELS)
    flat = fitted(CountVectorizer(), TfidfTransformer(), LinearSVC(random_state=0))
    found = led(pipeline_model(nested), TEXTS[:3], Composite({"output": Zero()}))
    np.testing.assert_allclose(found.relevance, led(pipeline_model(flat), TEXTS[:3]).relevance, atol=1e-14)


def test_a_batch_of_another_model_is_refused() -> None:
    model = known("tfidf")[1]
    with pytest.raises(OptionError, match=r"^batch must come from this model.* got a object of another model"):
        model.scores(object())  # type: ignore[arg-type]
    assert len(model.encode([])) == 0


# ---- scalers and kernel machines

SCALERS: dict[str, Callable[[], Any]] = {
    "standard": lambda: StandardScaler(with_mean=False),
    "robust": lambda: RobustScaler(with_centering=False),
    "largest": MaxAbsScaler,
}
MACHINES: dict[str, Callable[[], Any]] = {
    "svc": lambda: SVC(kernel="linear"),
    "nu-svc": lambda: NuSVC(kernel="linear", nu=0.3),
    "one-vs-rest svc": lambda: OneVsRestClassifier(SVC(kernel="linear")),
    "linear svc": LinearSVC,
}


@every("scaler", SCALERS)
@every("machine", MACHINES)
def test_scalers_without_a_center_and_linear_kernels_are_exact(scaler: str, machine: str) -> None:
    texts = ["good film nice", "bad film sad", "fine cast good", "sad bad plot"] * 4
    pipeline = make_pipeline(TfidfVectorizer(), SCALERS[scaler](), MACHINES[machine]()).fit(texts, list("pnpn") * 4)
    for text in (*texts[:4], "good sad film"):
        found = explain(pipeline, text, target="all")
        score = pipeline.decision_function([text])[0]
        np.testing.assert_allclose(found.scores, [-score, score], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.relevance.sum(1) + found.absorbed, found.scores, atol=1e-12)


def test_steps_that_cannot_be_explained_exactly_are_refused_with_the_reason() -> None:
    texts, three = ["good film", "bad film", "so so"] * 4, list("pno") * 4
    counts = CountVectorizer().fit(texts)
    features = counts.transform(texts)
    linear = LinearSVC().fit(features, three)
    for parts, message in (
        ((counts, Binarizer(), linear), "'binarizer' must be linear in its features; got a Binarizer.*occlusion"),
        ((counts, SVC().fit(features, three)), r"must have a linear kernel, .*; got SVC\(kernel='rbf'\)"),
        (
            (counts, SVC(kernel="linear").fit(features, three)),
            "got a SVC with 3 classes, which compares them in pairs",
        ),
        ((counts, SVC(kernel="linear")), "must be fitted; got a SVC that is not"),
        ((ColumnTransformer([("a", counts, 0)]), linear), "must be fitted; got a ColumnTransformer that is not"),
        ((counts, ColumnTransformer([("a", "passthrough", [0])]), linear), "must read the table itself; got a Colu"),
    ):
        with pytest.raises(ModelError, match=message):
            pipeline_model(make_pipeline(*parts))
