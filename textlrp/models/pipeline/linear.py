"""A fitted linear classifier of scikit-learn as weights, biases and probabilities.

Open it to support another classifier, or for the messages that refuse one.

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
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
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
from sklearn.neighbors import NearestCentroid
from sklearn.svm import SVC, LinearSVC, NuSVC

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.models.finite import finite_weights
from textlrp.models.pipeline.step_errors import OTHER_WAY, not_fitted

LINEAR = (
    LinearSVC,
    LogisticRegression,
    SGDClassifier,
    RidgeClassifier,
    RidgeClassifierCV,
    Perceptron,
    PassiveAggressiveClassifier,
    LinearDiscriminantAnalysis,
)
"""Classifiers whose scores are those of ``decision_function``."""
BAYES = (MultinomialNB, ComplementNB, BernoulliNB)
"""Classifiers whose scores are those of ``predict_joint_log_proba``."""
SUPPORTED_HEADS = (*LINEAR, *BAYES, NearestCentroid, OneVsRestClassifier, SVC, NuSVC)
"""Classifiers that :func:`linear_head` converts, those with a kernel only if it is linear."""
SUPPORTED_CLASSIFIERS = (
    "LinearSVC, SVC and NuSVC with kernel='linear' for two classes, LogisticRegression, SGDClassifier, "
    "RidgeClassifier, Perceptron, PassiveAggressiveClassifier, LinearDiscriminantAnalysis, NearestCentroid, "
    "OneVsRestClassifier of these, MultinomialNB, ComplementNB, BernoulliNB, MLPClassifier, DummyClassifier, and "
    "CalibratedClassifierCV, VotingClassifier, StackingClassifier and BaggingClassifier of these"
)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear classifier: scores (N, C) = features (N, J) @ ``weight``.T + ``bias``.

    ``weight`` (C, J), ``bias`` (C,). ``absent`` (C, J) or None: what each feature adds to the scores of a text that
    does not have it, log(1 - p) (BernoulliNB). ``threshold`` or None: features above it become 1, others 0.
    ``probabilities`` or None: scores (N, C) -> (N, C).
    """

    classes: Array
    weight: Array
    bias: Array
    absent: Array | None = None
    threshold: float | None = None
    probabilities: Callable[[Array], Array] | None = None


def linear_head(estimator: Any, name: str) -> Head:
    """Convert a fitted classifier to a :class:`Head`; ``name`` is that of its step, for messages.

    For two classes the scores are (-f, f), where f is the decision function. Raises :class:`ModelError` if the
    classifier is not fitted, or is not linear.
    """
    kind = type(estimator).__name__
    if isinstance(estimator, (SVC, NuSVC)):
        return _kernel_machine(estimator, name)
    if not isinstance(estimator, SUPPORTED_HEADS):
        raise ModelError(
            f"step {name!r} must be a linear classifier, because only these are explained exactly; got a {kind}. "
            f"Use one of {SUPPORTED_CLASSIFIERS}, and fit the pipeline again. {OTHER_WAY}"
        )
    if not hasattr(estimator, "classes_"):
        raise not_fitted(name, estimator)
    if isinstance(estimator, OneVsRestClassifier):
        return _one_vs_rest(estimator, name)
    if isinstance(estimator, BAYES):
        return _bayes(estimator)
    if isinstance(estimator, NearestCentroid):
        return _centroids(estimator, name)
    weight, bias = _weights(estimator)
    _check_single_label(estimator, len(weight), name)
    probabilities = _probabilities_of(estimator) if hasattr(estimator, "predict_proba") else None
    return Head(estimator.classes_, *_rows_of_two_classes(weight, bias), probabilities=probabilities)


# ---- the supported classifiers


def _kernel_machine(estimator: Any, name: str) -> Head:
    """A support vector machine. Only a linear kernel with two classes gives one weight for each feature."""
    kind = type(estimator).__name__
    if estimator.kernel != "linear":
        raise ModelError(
            f"step {name!r} must have a linear kernel, so that its score is linear in the features; got "
            f"{kind}(kernel={estimator.kernel!r}). Pass kernel='linear', or use LinearSVC, and fit the pipeline "
            f"again. {OTHER_WAY}"
        )
    if not hasattr(estimator, "classes_"):
        raise not_fitted(name, estimator)
    classes = len(estimator.classes_)
    if classes > 2:
        raise ModelError(
            f"step {name!r} must be a linear classifier; got a {kind} with {classes} classes, which compares them "
            f"in pairs and counts votes. Use LinearSVC or OneVsRestClassifier({kind}(kernel='linear')), and fit the "
            f"pipeline again. {OTHER_WAY}"
        )
    # no probabilities: predict_proba is calibrated separately and is no function of the scores
    return Head(estimator.classes_, *_rows_of_two_classes(*_weights(estimator)))


def _weights(estimator: Any) -> tuple[Array, Array]:
    """Weights and biases as scikit-learn keeps them: a single row for two classes."""
    weight = estimator.coef_
    weight = np.atleast_2d(weight.toarray() if sparse.issparse(weight) else weight)
    bias = np.broadcast_to(np.asarray(estimator.intercept_), (len(weight),))
    bias = bias.astype(np.float64)
    what = f"coef_ and intercept_ of the {type(estimator).__name__}"
    advice = "Fit it again with more regularization, or on finite features."
    return finite_weights(weight.astype(np.float64, copy=False), what, advice), finite_weights(bias, what, advice)


def _rows_of_two_classes(weight: Array, bias: Array) -> tuple[Array, Array]:
    """Expand the single row f of a model with two classes to both rows (-f, f)."""
    if len(weight) > 1:
        return weight, bias
    return np.concatenate([-weight, weight]), np.concatenate([-bias, bias])


def _check_single_label(estimator: Any, rows: int, name: str) -> None:
    classes = len(estimator.classes_)
    kind = str(getattr(getattr(estimator, "_label_binarizer", None), "y_type_", ""))  # of a RidgeClassifier
    if (
        getattr(estimator, "multilabel_", False)
        or kind.startswith("multilabel")
        or rows != (1 if classes == 2 else classes)
    ):
        raise ModelError(
            f"step {name!r} must be fitted with one label for each text; got a {type(estimator).__name__} fitted "
            "with several. Multi-label models cannot be explained."
        )


def _one_vs_rest(estimator: Any, name: str) -> Head:
    rows = []
    for each in estimator.estimators_:
        if isinstance(each, (SVC, NuSVC)) and each.kernel == "linear":
            rows.append(_weights(each))
            continue
        if not isinstance(each, LINEAR):
            raise ModelError(
                f"step {name!r} must be a OneVsRestClassifier of linear classifiers; got one of "
                f"{type(each).__name__}. Use LinearSVC, SVC(kernel='linear'), LogisticRegression, SGDClassifier, "
                "RidgeClassifier, Perceptron or PassiveAggressiveClassifier inside it."
            )
        rows.append(_weights(each))
    _check_single_label(estimator, len(rows), name)
    weight = np.concatenate([weights for weights, _ in rows])
    bias = np.concatenate([biases for _, biases in rows])
    has_probabilities = all(isinstance(each, LINEAR) for each in estimator.estimators_) and hasattr(
        estimator, "predict_proba"
    )
    probabilities = _one_vs_rest_probabilities(estimator) if has_probabilities else None
    return Head(estimator.classes_, *_rows_of_two_classes(weight, bias), probabilities=probabilities)


def _bayes(estimator: Any) -> Head:
    classes, present = estimator.classes_, estimator.feature_log_prob_.astype(np.float64, copy=False)
    prior = np.asarray(estimator.class_log_prior_, dtype=np.float64)
    kind, advice = type(estimator).__name__, "Fit it again with alpha above 0, such as alpha=0.01."
    present = finite_weights(present, f"feature_log_prob_ of the {kind}", advice)
    prior = finite_weights(prior, f"class_log_prior_ of the {kind}", "Give every class a prior above 0.")
    if isinstance(estimator, ComplementNB):  # scikit-learn uses its prior only if there is a single class
        prior = prior if len(classes) == 1 else np.zeros_like(prior)
    if not isinstance(estimator, BernoulliNB):
        return Head(classes, present, prior, probabilities=_softmax)
    with np.errstate(divide="ignore"):
        absent = finite_weights(np.log(1 - np.exp(present)), f"log(1 - exp(feature_log_prob_)) of the {kind}", advice)
    return Head(classes, present, prior, absent, estimator.binarize, _softmax)


def _centroids(estimator: Any, name: str) -> Head:
    """A NearestCentroid: minus the squared distance to each centroid, plus the square of the features.

    The square is the same for all classes, so that these scores are linear and rank the classes as the distances do.
    """
    if estimator.metric != "euclidean":
        raise ModelError(
            f"step {name!r} must compare Euclidean distances, whose differences are linear; got a "
            f"NearestCentroid(metric={estimator.metric!r}). Pass metric='euclidean', and fit the pipeline again. "
            f"{OTHER_WAY}"
        )
    centroids, prior = np.asarray(estimator.centroids_, dtype=np.float64), np.asarray(estimator.class_prior_)
    if np.isclose(prior, 1 / len(prior)).all():  # scikit-learn then compares distances, and scales nothing
        return Head(estimator.classes_, 2 * centroids, -(centroids**2).sum(axis=1))
    deviation = np.asarray(estimator.within_class_std_dev_, dtype=np.float64).ravel()
    scaled = centroids / np.where(deviation == 0, 1.0, deviation) ** 2
    return Head(estimator.classes_, 2 * scaled, 2 * np.log(prior) - (centroids * scaled).sum(axis=1))


# ---- probabilities, computed by scikit-learn itself


def _softmax(scores: Array) -> Array:
    return np.asarray(np.exp(scores - logsumexp(scores, axis=1, keepdims=True)))


def _probabilities_of(estimator: Any) -> Callable[[Array], Array]:
    """``predict_proba`` as a function of scores: of a copy with identity weights, whose features are the scores."""
    rows = 1 if len(estimator.classes_) == 2 else len(estimator.classes_)
    reader = _copy_reading_scores(estimator, rows)
    return lambda scores: np.asarray(reader.predict_proba(scores[:, -rows:]))


def _one_vs_rest_probabilities(estimator: Any) -> Callable[[Array], Array]:
    rows = len(estimator.estimators_)
    reader = copy.copy(estimator)
    reader.estimators_ = [
        _copy_reading_scores(each, rows, position) for position, each in enumerate(estimator.estimators_)
    ]
    return lambda scores: np.asarray(reader.predict_proba(scores[:, -rows:]))


def _copy_reading_scores(estimator: Any, features: int, position: int | None = None) -> Any:
    """A copy that takes scores as its features: all of them, or only the one at ``position``."""
    reader = copy.copy(estimator)
    reader.n_features_in_ = features
    reader.coef_ = np.eye(features) if position is None else np.eye(features)[position : position + 1]
    reader.intercept_ = np.zeros(len(reader.coef_))
    return reader
