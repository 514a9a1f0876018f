"""Fit a linear SVM and return one row of weights for each class: one label a text, or one-vs-rest for label sets.

Letters: N texts, J features, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.models.thresholds import ChosenThresholds, choose_thresholds
from textlrp.models.training_objectives import hold_out_sets

LinearRows = tuple[NDArray[Any], NDArray[Any]]
"""Coefficients (C, J) and intercepts (C,)."""


def fitted_rows(svm: Any, features: Any, labels: NDArray[Any]) -> LinearRows:
    """Fit a ``LinearSVC`` on features (N, J) and labels (N,)."""
    svm.fit(features, labels)
    coefficients, intercepts = svm.coef_, np.atleast_1d(svm.intercept_)
    if len(coefficients) == 1:  # LinearSVC has one row for two classes; explanations have two scores, -f and f
        return np.concatenate([-coefficients, coefficients]), np.concatenate([-intercepts, intercepts])
    return coefficients, intercepts


HELD_OUT = 0.2
"""Share of the training texts on which the thresholds of a multi-label SVM are chosen."""


def svm_thresholds(
    svm: Any,
    features: Any,
    indicator: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
    rng: np.random.Generator,
) -> ChosenThresholds:
    """Choose a threshold (C,) for each label of an indicator matrix (N, C) with an SVM fitted on 80% of the texts.

    The other texts are scored for the choice, so no text is scored by an SVM that was trained on it.
    """
    training, held_out = hold_out_sets(indicator, HELD_OUT, rng)
    coefficients, intercepts = fitted_label_rows(svm, features[training], indicator[training], weights)
    scores = np.asarray(features[held_out] @ coefficients.T + intercepts)
    return choose_thresholds(indicator[held_out], scores)


def fitted_label_rows(
    svm: Any,
    features: Any,
    indicator: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
) -> LinearRows:
    """Fit a ``LinearSVC`` for each column of an indicator matrix (N, C); ``weights`` (2, C) without and with a label.

    A label of all or no texts has zero coefficients, and the intercept 1 or -1.
    """
    always, never = indicator.all(axis=0), ~indicator.any(axis=0)
    coefficients = np.zeros((indicator.shape[1], features.shape[1]))
    intercepts = np.where(always, 1.0, -1.0)
    for c in np.flatnonzero(~(always | never)).tolist():
        svm.set_params(class_weight=None if weights is None else {0: weights[0, c], 1: weights[1, c]})
        svm.fit(features, indicator[:, c])
        coefficients[c], intercepts[c] = svm.coef_[0], np.atleast_1d(svm.intercept_)[0]
    return coefficients, intercepts
