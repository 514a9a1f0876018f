"""A fitted linear model of scikit-learn as weights, biases and probabilities.

Letters: N documents, J features, C classes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from sklearn.linear_model import (
    LogisticRegression,
    PassiveAggressiveClassifier,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.preprocessing import binarize
from sklearn.svm import SVC, LinearSVC, NuSVC

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.models.finite import finite_weights

LINEAR = (
    LinearSVC,
    LogisticRegression,
    SGDClassifier,
    RidgeClassifier,
    RidgeClassifierCV,
    Perceptron,
    PassiveAggressiveClassifier,
)
"""Linear models whose scores are those of ``decision_function``."""
BAYES = (MultinomialNB, ComplementNB, BernoulliNB)
"""Linear models whose scores are those of ``predict_joint_log_proba``."""
SUPPORTED_CLASSIFIERS = (
    "LinearSVC, SVC and NuSVC with kernel='linear' for two classes, LogisticRegression, "
    "SGDClassifier, RidgeClassifier, Perceptron, PassiveAggressiveClassifier, "
    "OneVsRestClassifier of these, MultinomialNB, ComplementNB and BernoulliNB"
)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """scores (N, C) = features (N, J) @ ``weight``.T + ``bias``, with ``weight`` (C, J) and ``bias`` (C,).

    ``absent`` (C, J), where there is one, is what each feature adds where it is *not* there, log(1 - p).
    ``threshold``: features above it become 1, the others 0. ``probabilities``: scores (N, C) -> (N, C).
    """

    classes: Array
    weight: Array
    bias: Array
    absent: Array | None = None
    threshold: float | None = None
    probabilities: Callable[[Array], Array] | None = None

    def prepare(self, features: Any) -> Any:
        """The features (N, J), CSR, as the linear step meets them: non-zero entries only."""
        if self.threshold is not None and features.nnz:
            features = sparse.csr_matrix(binarize(features, threshold=self.threshold))
        features.eliminate_zeros()
        features.sort_indices()
        return features

    def scores(self, features: Any, dtype: str) -> Array:
        """Scores (N, C) of prepared features (N, J)."""
        columns, place = np.unique(features.indices, return_inverse=True)  # of a million hashed ones, few occur
        weight, bias = self.as_linear(columns)
        met = sparse.csr_matrix(
            (features.data.astype(dtype), place, features.indptr), shape=(features.shape[0], len(columns))
        )
        return np.asarray(met @ weight.T.astype(dtype) + bias.astype(dtype))

    def as_linear(self, columns: Array) -> tuple[Array, Array]:
        """Weights (C, columns) and biases (C,), absent features worked in: all that is linear in the features."""
        if self.absent is None:
            return self.weight[:, columns], self.bias
        return (self.weight - self.absent)[:, columns], self.bias + self.absent.sum(axis=1)

    def missing(self, features: Any) -> Array:
        """(N, C): what the features that are absent add to the scores."""
        if self.absent is None:
            return np.zeros((features.shape[0], len(self.classes)))
        return np.asarray(self.absent.sum(axis=1) - features @ self.absent.T)


def linear_head(estimator: Any, name: str) -> Head:
    """The weights of a fitted linear model; raises :class:`ModelError` where it is not one, or not fitted.

    ``name`` is what its step is called, for messages.
    """
    kind = type(estimator).__name__
    supported = (*LINEAR, *BAYES, OneVsRestClassifier)
    if isinstance(estimator, (SVC, NuSVC)):
        return _kernel_machine(estimator, name)
    if not isinstance(estimator, supported):
        raise ModelError(
            f"the last step, {name!r}, is a {kind}, which cannot be explained exactly; "
            f"{SUPPORTED_CLASSIFIERS} are supported."
        )
    if not hasattr(estimator, "classes_"):
        raise ModelError(f"the {kind} {name!r} is not fitted; call pipeline.fit(texts, labels) first.")
    if isinstance(estimator, OneVsRestClassifier):
        return _one_vs_rest(estimator, name)
    if isinstance(estimator, BAYES):
        return _bayes(estimator)
    weight, bias = _weights(estimator)
    _check_single_label(estimator, len(weight), name)
    probabilities = _probabilities_of(estimator) if hasattr(estimator, "predict_proba") else None
    return Head(estimator.classes_, *_both_sides(weight, bias), probabilities=probabilities)


# ---- the kinds


def _kernel_machine(estimator: Any, name: str) -> Head:
    """A support vector machine whose kernel is linear, for two classes: then it has one weight for each feature."""
    kind = type(estimator).__name__
    if estimator.kernel != "linear":
        raise ModelError(
            f"the {kind} {name!r} has kernel={estimator.kernel!r}, so that its score is not linear in the features. "
            "Pass kernel='linear', or use LinearSVC, and fit the pipeline again."
        )
    if not hasattr(estimator, "classes_"):
        raise ModelError(f"the {kind} {name!r} is not fitted; call pipeline.fit(texts, labels) first.")
    classes = len(estimator.classes_)
    if classes > 2:
        raise ModelError(
            f"the {kind} {name!r} compares its {classes} classes in pairs, and its class scores are votes, which are "
            f"not linear in the features. Use LinearSVC or OneVsRestClassifier({kind}(kernel='linear')), and fit the "
            "pipeline again."
        )
    # its predict_proba is fitted apart from the scores, and no function of them
    return Head(estimator.classes_, *_both_sides(*_weights(estimator)))


def _weights(estimator: Any) -> tuple[Array, Array]:
    """Weights and biases as the model keeps them: one row where there are two classes."""
    weight = estimator.coef_
    weight = np.atleast_2d(weight.toarray() if sparse.issparse(weight) else weight)
    bias = np.broadcast_to(np.asarray(estimator.intercept_), (len(weight),))
    bias = bias.astype(np.float64)
    what = f"coef_ and intercept_ of the {type(estimator).__name__}"
    advice = "Fit it again with more regularization, or on features that are finite."
    return finite_weights(weight.astype(np.float64, copy=False), what, advice), finite_weights(bias, what, advice)


def _both_sides(weight: Array, bias: Array) -> tuple[Array, Array]:
    """For two classes, of which a model keeps the second one's row alone, the rows of both: (-f, f)."""
    if len(weight) > 1:
        return weight, bias
    return np.concatenate([-weight, weight]), np.concatenate([-bias, bias])


def _check_single_label(estimator: Any, rows: int, name: str) -> None:
    classes = len(estimator.classes_)
    kind = str(getattr(getattr(estimator, "_label_binarizer", None), "y_type_", ""))  # of a ridge classifier
    if (
        getattr(estimator, "multilabel_", False)
        or kind.startswith("multilabel")
        or rows != (1 if classes == 2 else classes)
    ):
        raise ModelError(
            f"the {type(estimator).__name__} {name!r} was fitted with several labels a text; one label a text is "
            "wanted."
        )


def _one_vs_rest(estimator: Any, name: str) -> Head:
    rows = []
    for each in estimator.estimators_:
        if isinstance(each, (SVC, NuSVC)) and each.kernel == "linear":
            rows.append(_weights(each))
            continue
        if not isinstance(each, LINEAR):
            raise ModelError(
                f"the OneVsRestClassifier {name!r} is made of {type(each).__name__}s; inside it, LinearSVC, "
                "SVC(kernel='linear'), LogisticRegression, SGDClassifier, RidgeClassifier, Perceptron or "
                "PassiveAggressiveClassifier is wanted."
            )
        rows.append(_weights(each))
    _check_single_label(estimator, len(rows), name)
    weight = np.concatenate([weights for weights, _ in rows])
    bias = np.concatenate([biases for _, biases in rows])
    known = all(isinstance(each, LINEAR) for each in estimator.estimators_) and hasattr(estimator, "predict_proba")
    probabilities = _one_vs_rest_probabilities(estimator) if known else None
    return Head(estimator.classes_, *_both_sides(weight, bias), probabilities=probabilities)


def _bayes(estimator: Any) -> Head:
    classes, present = estimator.classes_, estimator.feature_log_prob_.astype(np.float64, copy=False)
    prior = np.asarray(estimator.class_log_prior_, dtype=np.float64)
    kind, advice = type(estimator).__name__, "Fit it again with alpha above 0, such as alpha=0.01."
    present = finite_weights(present, f"feature_log_prob_ of the {kind}", advice)
    prior = finite_weights(prior, f"class_log_prior_ of the {kind}", "Give every class a prior above 0.")
    if isinstance(estimator, ComplementNB):  # which looks at the prior only where there is a single class
        prior = prior if len(classes) == 1 else np.zeros_like(prior)
    if not isinstance(estimator, BernoulliNB):
        return Head(classes, present, prior, probabilities=_softmax)
    with np.errstate(divide="ignore"):
        absent = finite_weights(np.log(1 - np.exp(present)), f"log(1 - exp(feature_log_prob_)) of the {kind}", advice)
    return Head(classes, present, prior, absent, estimator.binarize, _softmax)


# ---- probabilities, by scikit-learn itself


def _softmax(scores: Array) -> Array:
    return np.asarray(np.exp(scores - logsumexp(scores, axis=1, keepdims=True)))


def _probabilities_of(estimator: Any) -> Callable[[Array], Array]:
    """``predict_proba`` of a copy whose features are its scores."""
    rows = 1 if len(estimator.classes_) == 2 else len(estimator.classes_)
    reader = _score_reader(estimator, rows)
    return lambda scores: np.asarray(reader.predict_proba(scores[:, -rows:]))


def _one_vs_rest_probabilities(estimator: Any) -> Callable[[Array], Array]:
    rows = len(estimator.estimators_)
    reader = copy.copy(estimator)
    reader.estimators_ = [_score_reader(each, rows, place) for place, each in enumerate(estimator.estimators_)]
    return lambda scores: np.asarray(reader.predict_proba(scores[:, -rows:]))


def _score_reader(estimator: Any, features: int, place: int | None = None) -> Any:
    """A copy that takes scores for features: all of them, or the one at ``place``."""
    reader = copy.copy(estimator)
    reader.n_features_in_ = features
    reader.coef_ = np.eye(features) if place is None else np.eye(features)[place : place + 1]
    reader.intercept_ = np.zeros(len(reader.coef_))
    return reader
