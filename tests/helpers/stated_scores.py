"""The scores that textlrp states to explain, computed by scikit-learn itself: the opinion for any fitted model.

It imports nothing from textlrp. Letters: N texts, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

BAYES = (MultinomialNB, ComplementNB, BernoulliNB)


def opened(model: Any) -> Any:
    """The estimator in searches and frozen estimators."""
    while hasattr(model, "best_estimator_") or isinstance(model, FrozenEstimator):
        model = model.best_estimator_ if hasattr(model, "best_estimator_") else model.estimator
    return model


def stated_scores(model: Any, X: Any) -> Any:
    """The scores (N, C) of a fitted model: (-f, f) for two classes."""
    model = opened(model)
    if isinstance(model, Pipeline):
        return stated_scores(model.steps[-1][1], model[:-1].transform(X) if len(model.steps) > 1 else X)
    if isinstance(model, (MultiOutputClassifier, ClassifierChain, OneVsRestClassifier)):
        return scores_of_labels(model, X)
    if isinstance(model, CalibratedClassifierCV):
        return np.mean([stated_scores(fold.estimator, X) for fold in model.calibrated_classifiers_], axis=0)
    if isinstance(model, (FixedThresholdClassifier, TunedThresholdClassifierCV)):
        return stated_scores(model.estimator_, X)
    if isinstance(model, VotingClassifier) and model.voting == "hard":
        weights = [1.0] * len(model.estimators) if model.weights is None else model.weights
        used = [weight for weight, (_, each) in zip(weights, model.estimators, strict=True) if each != "drop"]
        return np.average([on_decision_scale(each, X) for each in model.estimators_], axis=0, weights=used)
    if isinstance(model, BaggingClassifier):
        columns = zip(model.estimators_, model.estimators_features_, strict=True)
        return np.mean([on_decision_scale(each, X[:, chosen]) for each, chosen in columns], axis=0)
    if isinstance(model, StackingClassifier):
        return stated_scores(model.final_estimator_, model.transform(X))
    if isinstance(model, (VotingClassifier, DummyClassifier)):
        return model.predict_proba(X)
    if isinstance(model, BAYES):
        return model.predict_joint_log_proba(X)
    if isinstance(model, NearestCentroid):
        return scores_of_centroids(model, np.asarray(X.todense()) if hasattr(X, "todense") else X)
    if isinstance(model, MLPClassifier):
        return scores_of_layers(model, X)
    decisions = np.asarray(model.decision_function(X))
    return np.stack([-decisions, decisions], axis=1) if decisions.ndim == 1 else decisions


def on_decision_scale(model: Any, X: Any) -> Any:
    """Scores that can be averaged with decisions: joint log-likelihoods become differences."""
    scores, last = stated_scores(model, X), opened(model)
    while isinstance(last, Pipeline):
        last = opened(last.steps[-1][1])
    if isinstance(last, CalibratedClassifierCV):
        return on_decision_scale_if(likelihoods(last.calibrated_classifiers_[0].estimator), scores)
    if isinstance(last, (FixedThresholdClassifier, TunedThresholdClassifierCV)):
        return on_decision_scale_if(likelihoods(last.estimator_), scores)
    return on_decision_scale_if(likelihoods(last), scores)


def likelihoods(model: Any) -> bool:
    """Whether the stated scores of a model are joint log-likelihoods."""
    model = opened(model)
    if isinstance(model, Pipeline):
        return likelihoods(model.steps[-1][1])
    if isinstance(model, CalibratedClassifierCV):
        return all(likelihoods(fold.estimator) for fold in model.calibrated_classifiers_)
    if isinstance(model, (FixedThresholdClassifier, TunedThresholdClassifierCV)):
        return likelihoods(model.estimator_)
    return isinstance(model, BAYES)


def on_decision_scale_if(are_likelihoods: bool, scores: Any) -> Any:
    if not are_likelihoods:
        return scores
    if scores.shape[1] == 2:
        difference = scores[:, 1] - scores[:, 0]
        return np.stack([-difference, difference], axis=1)
    return scores - scores.mean(axis=1, keepdims=True)


def scores_of_labels(model: Any, X: Any) -> Any:
    """The score (N, C) of each label: positive if it is predicted."""
    columns: list[Any] = []
    if isinstance(model, ClassifierChain):
        chained = X
        for each in model.estimators_:
            columns.append(score_of_label(each, chained))
            method = getattr(model, "chain_method_", "predict")
            passed = getattr(each, method)(chained)
            passed = passed[:, 1] if np.ndim(passed) == 2 else passed
            dense = chained.toarray() if hasattr(chained, "toarray") else chained
            chained = np.column_stack([dense, passed])
        return np.stack([columns[n] for n in np.argsort(model.order_)], axis=1)
    by_decision = isinstance(model, OneVsRestClassifier)
    scores = np.stack([score_of_label(each, X, by_decision) for each in model.estimators_], axis=1)
    if by_decision and not model.multilabel_ and scores.shape[1] == 1:
        return np.concatenate([float(by_probability(model.estimators_[0], True)) - scores, scores], axis=1)
    return scores


def by_probability(model: Any, by_decision: bool) -> bool:
    """Whether a label is predicted by its probability, which is no function of the stated scores."""
    if by_decision and hasattr(model, "decision_function"):
        return False
    last = opened(model)
    while isinstance(last, Pipeline):
        last = opened(last.steps[-1][1])
    return isinstance(last, (CalibratedClassifierCV, VotingClassifier, BaggingClassifier, DummyClassifier))


def score_of_label(model: Any, X: Any, by_decision: bool = False) -> Any:
    """The score (N,) of one label."""
    if type(model).__name__ == "_ConstantPredictor":
        return np.repeat(np.asarray(model.y_, dtype=float), X.shape[0])
    if by_probability(model, by_decision):
        return model.predict_proba(X)[:, 1]
    scores = stated_scores(model, X)
    return scores[:, 1] - scores[:, 0] if likelihoods(model) else scores[:, 1]


def scores_of_centroids(model: Any, X: Any) -> Any:
    """Minus the squared scaled distances to the centroids plus what all classes share."""
    uniform = np.isclose(model.class_prior_, 1 / len(model.classes_)).all()
    deviation = 1.0 if uniform else np.where(model.within_class_std_dev_ == 0, 1.0, model.within_class_std_dev_)
    distances = (((X[:, None] - model.centroids_) / deviation) ** 2).sum(axis=-1)
    shared = ((X / deviation) ** 2).sum(axis=1)[:, None]
    scores = shared - distances + (0.0 if uniform else 2 * np.log(model.class_prior_))
    return scores if scores.shape[1] > 2 else (scores[:, 1] - scores[:, 0])[:, None] * [-1.0, 1.0]


def scores_of_layers(model: Any, X: Any) -> Any:
    """The last layer of a multi-layer perceptron before its activation, layer by layer."""
    activations = {
        "identity": lambda x: x, "logistic": expit, "tanh": np.tanh, "relu": lambda x: np.maximum(x, 0),
    }  # fmt: skip
    values = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    for number, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        values = activations[model.activation](values) if number else values
        values = values @ weight + bias
    return np.concatenate([-values, values], axis=1) if values.shape[1] == 1 else values
