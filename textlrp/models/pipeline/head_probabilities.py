"""Probabilities as functions of scores, for classifiers whose ``predict_proba`` is one.

Letters: N texts, C classes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from textlrp.arrays import Array

ProbabilityFunction = Callable[[Array], Array]
"""Scores -> probabilities: of all classes (N, C), or of one label (N,)."""


def softmax_of_joint(scores: Array) -> Array:
    """Return the softmax of joint log-likelihoods (N, C)."""
    return np.asarray(softmax(scores, axis=1))


def softmax_of_decisions(scores: Array) -> Array:
    """Return the softmax of decisions (N, C); for two classes (-f, f) these are the logistic functions of both."""
    return softmax_of_joint(scores / 2 if scores.shape[1] == 2 else scores)


def probability_of_second(
    probabilities: ProbabilityFunction | None, slope: float = 1.0
) -> ProbabilityFunction | None:
    """Return the probability (N,) of the second class as a function of f (N,), from that of both by (-f, f).

    The scores are ``slope`` times (-f, f).
    """
    return None if probabilities is None else lambda f: probabilities(slope * np.stack([-f, f], axis=1))[:, 1]


def one_vs_rest_probabilities(members: Sequence[ProbabilityFunction | None]) -> ProbabilityFunction | None:
    """Return the probabilities of a OneVsRestClassifier from those of its ``members``, score (N,) -> (N,)."""
    of_labels = label_probabilities(members)
    if of_labels is None:
        return None

    def probabilities(scores: Array) -> Array:
        found = of_labels(scores[:, -len(members) :])  # for two classes there is one member, that of the second
        if len(members) == 1:
            return np.concatenate([1 - found, found], axis=1)
        total = found.sum(axis=1, keepdims=True)
        return np.asarray(found / np.where(total == 0, 1.0, total))

    return probabilities


def own_probabilities(estimator: Any) -> ProbabilityFunction:
    """Return ``predict_proba`` of a linear classifier as a function of its decisions.

    It is that of a copy with identity weights, whose features are the decisions.
    """
    rows = 1 if len(estimator.classes_) == 2 else len(estimator.classes_)
    reader = copy.copy(estimator)
    reader.n_features_in_, reader.coef_, reader.intercept_ = rows, np.eye(rows), np.zeros(rows)
    return lambda scores: np.asarray(reader.predict_proba(scores[:, -rows:]))


def label_probabilities(members: Sequence[ProbabilityFunction | None]) -> ProbabilityFunction | None:
    """Return the probabilities of labels from those of their classifiers, each (N,) -> (N,)."""
    known = [each for each in members if each is not None]
    if len(known) < len(members):
        return None
    return lambda scores: np.stack([each(scores[:, c]) for c, each in enumerate(known)], axis=1)
