"""Fit a linear SVM and return one row of weights for each class: one label a text, or one-vs-rest for label sets.

Letters: N texts, J features, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.models.label_balance import constant_labels

Rows = tuple[NDArray[Any], NDArray[Any]]
"""Coefficients (C, J) and intercepts (C,)."""


def fitted_rows(svm: Any, features: Any, labels: NDArray[Any]) -> Rows:
    """Fit a ``LinearSVC`` on features (N, J) and labels (N,)."""
    svm.fit(features, labels)
    coefficients, intercepts = svm.coef_, np.atleast_1d(svm.intercept_)
    if len(coefficients) == 1:  # LinearSVC has one row for two classes; explanations have two scores, -f and f
        return np.concatenate([-coefficients, coefficients]), np.concatenate([-intercepts, intercepts])
    return coefficients, intercepts


def fitted_label_rows(
    svm: Any,
    features: Any,
    classes: NDArray[Any],
    indicator: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
) -> Rows:
    """Fit a ``LinearSVC`` for each column of an indicator matrix (N, C); ``weights`` (2, C) without and with a label.

    A label of all or no texts has zero coefficients, and the intercept 1 or -1.
    """
    coefficients = np.zeros((len(classes), features.shape[1]))
    intercepts = np.where(indicator.all(axis=0), 1.0, -1.0)
    for c in np.flatnonzero(~constant_labels(classes, indicator)).tolist():
        svm.set_params(class_weight=None if weights is None else {0: weights[0, c], 1: weights[1, c]})
        svm.fit(features, indicator[:, c])
        coefficients[c], intercepts[c] = svm.coef_[0], np.atleast_1d(svm.intercept_)[0]
    return coefficients, intercepts
