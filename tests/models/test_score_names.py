"""Scores are called before softmax only where a softmax of them gives the probabilities of the model itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import every
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier
from test_fitted_classifiers import calibrated, fitted, lr, svm
from toys import LABELS, TEXTS, small
from toys import fitted as toy

from textlrp.explainers.explain import explain
from textlrp.explanation import Explanation

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CLASSIFIERS: dict[str, Callable[[], BaseEstimator]] = {
    "svm": svm,
    "logistic": lr,
    "sgd": lambda: SGDClassifier(random_state=0),
    "logistic sgd": lambda: SGDClassifier("log_loss", random_state=0),
    "ridge": RidgeClassifier,
    "centroids": NearestCentroid,
    "multinomial": MultinomialNB,
    "bernoulli": BernoulliNB,
    "complement": ComplementNB,
    "net": lambda: MLPClassifier((4,), max_iter=5, random_state=0),
    "one vs rest": lambda: OneVsRestClassifier(lr()),
    "calibrated": calibrated,
    "vote": lambda: VotingClassifier([("a", lr()), ("b", LogisticRegression())], voting="soft"),
}
BEFORE = ("multinomial", "bernoulli", "complement")
"""Before softmax with any number of classes; logistic regression and perceptrons only with more than two."""


def check_name(model: Any, why: Explanation, expected: bool) -> None:
    follows = hasattr(model, "predict_proba") and np.allclose(
        model.predict_proba([why.text])[0], softmax(why.scores.astype(np.float64)), atol=1e-5
    )
    assert follows == expected
    assert why.score_name == ("score before softmax" if follows else "score")
    shown = why.to_html().partition("<footer>")[0]
    assert ("before softmax" in shown) == follows
    assert ("before softmax" in why.to_html(fragment=True)) == follows


@every("classes", [2, 3])
@every("name", CLASSIFIERS)
def test_the_name_of_the_scores_of_a_pipeline(name: str, classes: int) -> None:
    model = fitted(CountVectorizer(), CLASSIFIERS[name](), classes=classes)
    expected = name in BEFORE or (classes > 2 and name in ("logistic", "net"))
    check_name(model, explain(model, "the doctor drove the car"), expected)


@every("classes", [2, 3])
@every("kind", ["cnn-max", "boe", "svm"])
def test_the_name_of_the_scores_of_our_classifiers(kind: str, classes: int) -> None:
    model = toy(kind, classes=classes)
    check_name(model, explain(model, "the doctor drove the car"), kind != "svm")


@every("kind", ["boe", "svm"])
def test_the_scores_of_several_labels_are_not_before_softmax(kind: str) -> None:
    model = small(kind).fit(TEXTS, [[label] for label in LABELS])
    assert explain(model, TEXTS[0]).score_name == "score"
