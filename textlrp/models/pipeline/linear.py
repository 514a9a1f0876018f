"""A fitted linear classifier of scikit-learn as weights, biases and probabilities.

Open it to support another classifier, or for the messages that refuse one.

Letters: N documents, J features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
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
from textlrp.models.pipeline.head_probabilities import (
    ProbabilityFunction,
    one_vs_rest_probabilities,
    own_probabilities,
    probability_of_second,
    softmax_of_decisions,
    softmax_of_joint,
)
from textlrp.models.pipeline.step_errors import OTHER_WAY, check_fitted

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


CENTROID_NOTE = (
    "The score of a class decreases with the squared distance to its centroid; the probabilities are computed by "
    "scikit-learn from distances of scaled features."
)
"""The note of a NearestCentroid that predicts by other distances than its probabilities."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear classifier: scores (N, C) = features (N, J) @ ``weight``.T + ``bias``.

    ``weight`` (C, J), ``bias`` (C,). ``absent`` (C, J) or None: what each feature adds to the scores of a text that
    does not have it, log(1 - p) (BernoulliNB). ``threshold`` or None: features above it become 1, others 0.
    ``probabilities`` or None: scores (N, C) -> (N, C). ``note`` and
    ``own_decision`` as in :class:`.Decision`.
    """

    classes: Array
    weight: Array
    bias: Array
    absent: Array | None = None
    threshold: float | None = None
    probabilities: ProbabilityFunction | None = None
    note: str = ""
    own_decision: bool = True


def fitted_on_indicator(estimator: Any) -> bool:
    """Whether a classifier with a label binarizer predicts a set of labels for each text."""
    return str(getattr(getattr(estimator, "_label_binarizer", None), "y_type_", "")).startswith("multilabel")


def linear_head(estimator: Any, name: str) -> Head:
    """Convert a fitted classifier to a :class:`Head`; ``name`` is that of its step, for messages.

    For two classes the scores are (-f, f), where f is the decision function. Raises :class:`ModelError` if the
    classifier is not fitted, or is not linear.
    """
    kind = type(estimator).__name__
    check_fitted(estimator, name)
    if isinstance(estimator, (SVC, NuSVC)):
        return _kernel_machine(estimator, name)
    if not isinstance(estimator, SUPPORTED_HEADS):
        raise ModelError(
            f"step {name!r} must be a linear classifier, because only these are explained exactly; got a {kind}. "
            f"Use one of {SUPPORTED_CLASSIFIERS}, and fit the pipeline again. {OTHER_WAY}"
        )
    if isinstance(estimator, OneVsRestClassifier):
        return _one_vs_rest(estimator, name)
    if isinstance(estimator, BAYES):
        return _bayes(estimator)
    if isinstance(estimator, NearestCentroid):
        return _centroids(estimator, name)
    weight, bias = _weights(estimator)
    _check_single_label(estimator, len(weight), name)
    probabilities = own_probabilities(estimator) if hasattr(estimator, "predict_proba") else None
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
    several = getattr(estimator, "multilabel_", False) or fitted_on_indicator(estimator)
    if several or rows != (1 if classes == 2 else classes):
        raise ModelError(
            f"step {name!r} must be fitted with one label for each text; got a {type(estimator).__name__} fitted "
            "with several. Fit it again on one label for each text."
        )


def is_linear_one_vs_rest(estimator: Any) -> bool:
    """Whether this is a fitted OneVsRestClassifier whose decision function is linear in its features."""
    members = getattr(estimator, "estimators_", ()) if isinstance(estimator, OneVsRestClassifier) else ()
    return bool(members) and all(isinstance(each, (*LINEAR, SVC, NuSVC)) for each in members)


def _one_vs_rest(estimator: Any, name: str) -> Head:
    if not is_linear_one_vs_rest(estimator):
        raise ModelError(
            f"step {name!r} must be a OneVsRestClassifier of linear classifiers; got one of "
            f"{type(estimator.estimators_[0]).__name__}. Use LinearSVC or LogisticRegression inside it."
        )
    heads = [linear_head(each, name) for each in estimator.estimators_]
    _check_single_label(estimator, len(heads), name)
    weight = np.concatenate([each.weight[1:] for each in heads])
    bias = np.concatenate([each.bias[1:] for each in heads])
    probabilities = one_vs_rest_probabilities([probability_of_second(each.probabilities) for each in heads])
    return Head(estimator.classes_, *_rows_of_two_classes(weight, bias), probabilities=probabilities)


def _bayes(estimator: Any) -> Head:
    classes, present = estimator.classes_, estimator.feature_log_prob_.astype(np.float64, copy=False)
    prior = np.asarray(estimator.class_log_prior_, dtype=np.float64)
    kind, advice = (
        type(estimator).__name__,
        "Fit it again with alpha above 0, such as alpha=0.01, on features from 0 to 1.",
    )
    present = finite_weights(present, f"feature_log_prob_ of the {kind}", advice)
    if isinstance(estimator, ComplementNB) and len(classes) > 1:  # scikit-learn then does not use its prior
        prior = np.zeros_like(prior)
    prior = finite_weights(prior, f"class_log_prior_ of the {kind}", "Give every class a prior above 0.")
    if not isinstance(estimator, BernoulliNB):
        return Head(classes, present, prior, probabilities=softmax_of_joint)
    with np.errstate(all="ignore"):
        absent = finite_weights(np.log(1 - np.exp(present)), f"log(1 - exp(feature_log_prob_)) of the {kind}", advice)
    return Head(classes, present, prior, absent, estimator.binarize, softmax_of_joint)


def _centroids(estimator: Any, name: str) -> Head:
    """A NearestCentroid: minus the squared distance to each centroid, plus the square of the features.

    The square is the same for all classes, so that these scores are linear and rank the classes as the distances do.
    For two classes they are (-f, f), where f is the difference of the distances.
    """
    if estimator.metric != "euclidean":
        raise ModelError(
            f"step {name!r} must compare Euclidean distances, whose differences are linear; got a "
            f"NearestCentroid(metric={estimator.metric!r}). Pass metric='euclidean', and fit the pipeline again. "
            f"{OTHER_WAY}"
        )
    centroids, prior = np.asarray(estimator.centroids_, dtype=np.float64), np.asarray(estimator.class_prior_)
    if np.isclose(prior, 1 / len(prior)).all():  # scikit-learn then predicts by distances without scaling features
        scaled, offset, note = centroids, np.zeros(len(prior)), CENTROID_NOTE
    else:
        deviation = np.asarray(estimator.within_class_std_dev_, dtype=np.float64).ravel()
        scaled, offset, note = centroids / np.where(deviation == 0, 1.0, deviation) ** 2, 2 * np.log(prior), ""
    weight, bias = 2 * scaled, offset - (centroids * scaled).sum(axis=1)
    if len(prior) == 2:
        weight, bias = _rows_of_two_classes(np.diff(weight, axis=0), np.diff(bias))
    probabilities = None if note else softmax_of_decisions
    own_decision = len(prior) == 2 and not note  # that of more classes is without the square of the features
    return Head(estimator.classes_, weight, bias, probabilities=probabilities, note=note, own_decision=own_decision)
