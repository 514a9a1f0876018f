"""Classifiers and steps that mix features: law 1 with scikit-learn's own scores, relevance against plain loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import covering, every
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection
from sklearn.svm import LinearSVC
from test_fitted_models import MORE, check, rows
from toys import LABELS, TEXTS

from textlrp.explainers.explain import explain

SOME = TEXTS[:4] + MORE


def dense(X: Any) -> Any:
    return X.toarray()


def fitted(*steps: Any, classes: int = 3) -> Pipeline:
    return make_pipeline(*steps).fit(TEXTS[: 8 * classes], LABELS[: 8 * classes])


def lr() -> LogisticRegression:
    return LogisticRegression(C=5.0)


def svm() -> LinearSVC:
    return LinearSVC(random_state=0)


def calibrated(method: str = "sigmoid", base: Any = None) -> CalibratedClassifierCV:
    return CalibratedClassifierCV(svm() if base is None else base, method=method, cv=2)


# ---- steps that mix features

MIXING: dict[str, Callable[[], list[Any]]] = {
    "svd": lambda: [TruncatedSVD(6, random_state=0)],
    "lsa": lambda: [TruncatedSVD(6, random_state=0), Normalizer()],
    "lsa-l1": lambda: [TruncatedSVD(6, random_state=0), Normalizer("l1"), StandardScaler()],
    "lsa-max": lambda: [TruncatedSVD(6, random_state=0), MinMaxScaler(), Normalizer("max")],
    "pca": lambda: [PCA(5, random_state=0)],
    "pca-whitened": lambda: [FunctionTransformer(dense, accept_sparse=True), PCA(5, whiten=True), RobustScaler()],
    "incremental": lambda: [FunctionTransformer(dense, accept_sparse=True), IncrementalPCA(4), MaxAbsScaler()],
    "centered": lambda: [FunctionTransformer(dense, accept_sparse=True), StandardScaler()],
    "robust": lambda: [TruncatedSVD(4, random_state=0), RobustScaler(), SelectKBest(f_classif, k=2)],
    "gaussian": lambda: [GaussianRandomProjection(7, random_state=0)],
    "sparse": lambda: [SparseRandomProjection(9, dense_output=True, random_state=0), FunctionTransformer(None)],
    "union": lambda: [
        make_union(
            TruncatedSVD(4, random_state=0),
            make_pipeline(VarianceThreshold(), FunctionTransformer(dense, accept_sparse=True)),
        ),
        Normalizer(),
    ],
}
VECTORIZERS: dict[str, Callable[[], Any]] = {
    "words": lambda: TfidfVectorizer(ngram_range=(1, 2), strip_accents="unicode", stop_words=["the"]),
    "characters": lambda: CountVectorizer(analyzer="char", ngram_range=(1, 3), max_features=80),
    "own analyzer": lambda: CountVectorizer(analyzer=str.split),
    "own tokenizer": lambda: TfidfVectorizer(tokenizer=str.split, token_pattern=None),
    "hashed": lambda: HashingVectorizer(n_features=64),
    "union": lambda: make_union(TfidfVectorizer(), CountVectorizer(vocabulary=["car", "the moon", "moon"])),
}
LINEAR: dict[str, Callable[[], Any]] = {
    "svm": svm,
    "logistic": lr,
    "discriminant": LinearDiscriminantAnalysis,
    "ridge": RidgeClassifier,
    "squared": lambda: SGDClassifier(loss="squared_hinge", random_state=0),
    "perceptron": lambda: SGDClassifier(loss="perceptron", random_state=0),
}


def exact(mixing: str, vectorizer: str, classifier: str, classes: int) -> None:
    model = fitted(VECTORIZERS[vectorizer](), *MIXING[mixing](), LINEAR[classifier](), classes=classes)
    check(model, rows(model.decision_function(SOME)), SOME, rules=("arras2017", "zero"))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every("mixing", MIXING)
def test_steps_that_mix_features_are_exact(mixing: str) -> None:
    number = [*MIXING].index(mixing)
    exact(mixing, [*VECTORIZERS][number % 6], [*LINEAR][number // 2], 2 + number % 2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every("mixing, vectorizer, classifier, classes", covering([*MIXING], [*VECTORIZERS], [*LINEAR], [2, 3]))
def test_all_pairs_of_vectorizers_mixing_steps_and_classifiers(
    mixing: str, vectorizer: str, classifier: str, classes: int
) -> None:
    exact(mixing, vectorizer, classifier, classes)


@every("mixing", MIXING)
def test_relevance_is_coefficient_times_value_in_plain_loops(mixing: str) -> None:
    """A feature's coefficient: the change of the score between two texts, with norms of the first one."""
    model = fitted(CountVectorizer(token_pattern=r"\w+"), *MIXING[mixing](), svm())
    text = "the doctor drove a car to the moon"
    why = explain(model, text, target="all", rule="zero")
    vectorizer, *between, last = (step for _, step in model.steps)
    norm = {}
    values = vectorizer.transform([text])

    def scores(features: Any) -> Any:
        for number, step in enumerate(between):
            if isinstance(step, Normalizer):
                # the norm of the text itself, for both
                whole = np.asarray(features.toarray() if hasattr(features, "toarray") else features)
                order = {"l1": 1, "l2": 2, "max": np.inf}[step.norm]
                features = whole / norm.setdefault(number, np.linalg.norm(whole, order, axis=1))
            else:
                features = step.transform(features)
        return last.decision_function(features)[0]

    whole = scores(values)
    vocabulary, words = vectorizer.vocabulary_, text.split()
    for place, word in enumerate(words):
        one_less = values.toarray().astype(float)
        if word in vocabulary:
            one_less[0, vocabulary[word]] -= 1
        effect = whole - scores(sparse.csr_matrix(one_less))
        at = why.tokens.spans[:, 0].tolist().index(text.index(f" {word}") + 1 if place else 0)
        if words.count(word) == 1:
            np.testing.assert_allclose(why.relevance[:, at], effect, rtol=1e-9, atol=1e-11)


# ---- classifiers


def mean_of_decisions(model: Any, X: Any) -> Any:
    return sum(rows(each.decision_function(X)) for each in model.estimators_) / len(model.estimators_)


def weighted_votes(model: Any, X: Any) -> Any:
    total = 0.0
    for weight, each in zip(model.weights, model.estimators_, strict=True):
        if isinstance(each, MultinomialNB):
            joint = each.predict_joint_log_proba(X)
            part = rows(joint[:, 1] - joint[:, 0]) if joint.shape[1] == 2 else joint - joint.mean(1, keepdims=True)
        else:
            part = rows(each.decision_function(X))
        total = total + weight * part
    return total / sum(model.weights)


def squared_distances(model: Any, X: Any) -> Any:
    X = X.toarray()
    distances = ((X[:, None] - model.centroids_) ** 2).sum(-1)
    return rows(distances[:, 0] - distances[:, 1]) if len(model.classes_) == 2 else (X**2).sum(1)[:, None] - distances


def own_decision(model: Any, X: Any) -> Any:
    return rows(model.decision_function(X))


def logits(model: Any, X: Any) -> Any:
    """Log-odds for two classes, else log-probabilities; compared up to a constant of the text."""
    p = model.predict_proba(X)
    if p.shape[1] == 2:
        return rows(np.log(p[:, 1] / p[:, 0]))
    return np.log(p)


def perceptron(activation: str, *sizes: int) -> Callable[[], Any]:
    return lambda: MLPClassifier(sizes, activation=activation, solver="lbfgs", max_iter=8, random_state=0)


Expected = Callable[[Any, Any], Any]
CLASSIFIERS: dict[str, tuple[Callable[[], Any], Expected]] = {
    "centroid": (NearestCentroid, squared_distances),
    "dummy": (lambda: DummyClassifier(), lambda model, X: model.predict_proba(X)),
    "dummy-constant": (lambda: DummyClassifier(strategy="most_frequent"), lambda model, X: model.predict_proba(X)),
    "hard vote": (
        lambda: VotingClassifier([("a", svm()), ("b", MultinomialNB()), ("c", lr())], weights=[1.0, 2.0, 0.5]),
        weighted_votes,
    ),
    "soft vote": (
        lambda: VotingClassifier(
            [("lr", lr()), ("nb", MultinomialNB()), ("svm", calibrated()), ("gone", "drop")],
            voting="soft",
            weights=[2, 1, 1, 7],
        ),
        lambda model, X: model.predict_proba(X),
    ),
    "soft vote of others": (
        lambda: VotingClassifier(
            [
                ("sgd", SGDClassifier(loss="log_loss", random_state=0)),
                ("isotonic", calibrated("isotonic")),
                ("warm", calibrated("temperature")),
                ("ovr", OneVsRestClassifier(lr())),
                ("grid", GridSearchCV(BernoulliNB(), {}, cv=2)),
                ("bayes", calibrated(base=MultinomialNB())),
                ("nested", VotingClassifier([("lr", lr()), ("lr2", LogisticRegression())], voting="soft")),
                ("bagged", BaggingClassifier(lr(), 2, random_state=0)),
                ("net", perceptron("tanh", 3)()),
            ],
            voting="soft",
        ),
        lambda model, X: model.predict_proba(X),
    ),
    "bagging": (lambda: BaggingClassifier(svm(), 3, random_state=0), own_decision),
    "bagging of features": (
        lambda: BaggingClassifier(lr(), 3, max_features=0.5, random_state=0),
        own_decision,
    ),
    "stack of decisions": (
        lambda: StackingClassifier([("a", svm()), ("b", RidgeClassifier())], lr(), cv=2),
        own_decision,
    ),
    "stack of decisions and features": (
        lambda: StackingClassifier([("a", svm()), ("b", lr())], svm(), cv=2, passthrough=True,
                                   stack_method="decision_function"),
        own_decision,
    ),
    "stack of probabilities": (
        lambda: StackingClassifier([("lr", lr()), ("nb", MultinomialNB()), ("svm", svm())], lr(), cv=2),
        own_decision,
    ),
    "stack of probabilities and features": (
        lambda: StackingClassifier([("lr", lr()), ("svm", calibrated())], svm(), cv=2, passthrough=True),
        own_decision,
    ),
    "threshold": (lambda: FixedThresholdClassifier(lr(), threshold=0.8), lambda model, X: own_decision(
        model.estimator_, X)),
    "relu": (perceptron("relu", 7), logits),
    "tanh": (perceptron("tanh", 5, 4), logits),
    "sigmoid": (perceptron("logistic", 5), logits),
    "identity": (perceptron("identity", 4), logits),
}  # fmt: skip
BEFORE: dict[str, Callable[[], list[Any]]] = {
    "words": lambda: [TfidfVectorizer()],
    "characters": lambda: [CountVectorizer(analyzer="char_wb", ngram_range=(2, 3), max_features=120)],
    "lsa": lambda: [TfidfVectorizer(), TruncatedSVD(6, random_state=0), MinMaxScaler()],
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("classes", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_every_classifier_is_propagated_completely(name: str, classes: int) -> None:
    make, expected_of = CLASSIFIERS[name]
    if name == "threshold" and classes > 2:
        return
    for before in BEFORE:
        if before == "lsa" and name in ("centroid", "soft vote of others"):
            continue
        model = fitted(*BEFORE[before](), make(), classes=classes)
        X = model[:-1].transform(SOME)
        expected = expected_of(model[-1], X)
        texts = SOME
        if expected_of is logits and classes > 2:
            found = np.array([why.scores for why in explain(model, texts)])
            expected = expected + (found - expected).mean(1, keepdims=True)
        if name.startswith("dummy"):
            for why, scores in zip(explain(model, texts, target="all"), expected, strict=True):
                np.testing.assert_allclose(why.scores, scores)
                assert not why.relevance.any()
                assert set(why.ledger) == {("output", "bias")}
            continue
        check(model, expected, texts)
