"""Probabilities of classifiers as forms: the decision through a logistic function or a softmax.

Probabilities are what a soft vote averages and what a stacked classifier reads. A logistic function is an activation:
relevance passes through it unchanged. The part that a decision of 0 gets (1/2, or 1 / C of C classes) belongs to no
word and is part of the bias of the next step. What is left has the sign of the decision, so that a word which raises
a decision never gets negative relevance for it. In a softmax, the logarithm of the mean of exp z is a constant of the
text, as the deviation of a layer norm is (Ali et al. 2022, arXiv 2202.07304).

Letters: N texts, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from torch import Tensor

from textlrp.arrays import Array
from textlrp.models.pipeline.forms import Form, Hidden, affine, contrasted, identity_form
from textlrp.models.pipeline.linear import BAYES

Link = Callable[[Form, str], Form]
"""A function: scores (N, C), name of the step -> probabilities (N, C)."""

LOG_2 = math.log(2)
"""Minus the logarithm of the logistic function at 0, so that a decision of 0 stays 0."""
TO_TWO = np.array([[-1.0], [1.0]])
"""From the number f of the second class to those of both, (-f, f)."""


def link_of(estimator: Any) -> Link | None:
    """Return how a fitted linear classifier makes probabilities of its scores; None if it is not known."""
    several = len(estimator.classes_) > 2
    if isinstance(estimator, BAYES):
        return softmax_form if several else lambda scores, name: logistic(scores, name, slope=2.0)
    if isinstance(estimator, (LogisticRegression, LinearDiscriminantAnalysis, MLPClassifier)):
        return softmax_form if several else logistic
    if isinstance(estimator, SGDClassifier) and estimator.loss == "log_loss":
        return one_vs_rest if several else logistic
    if isinstance(estimator, SGDClassifier) and estimator.loss == "modified_huber" and not several:
        return _huber
    if isinstance(estimator, OneVsRestClassifier) and isinstance(estimator.estimators_[0], LogisticRegression):
        return one_vs_rest if several else logistic
    return None


def logistic(scores: Form, name: str, *, slope: float = 1.0) -> Form:
    """Return the probabilities of two classes with scores (-f, f): 1 / (1 + exp(-``slope`` f)) for the second."""
    difference = affine(scores, slope * np.array([[-0.5, 0.5]]))
    return two_classes(identity_form(Hidden(name, difference, _half_tanh, bounds=(-0.5, 0.5))))


def two_classes(second: Form) -> Form:
    """Return the probabilities of two classes from that of the second minus 1/2."""
    return affine(second, TO_TWO, np.array([0.5, 0.5]))


def _half_tanh(values: Tensor) -> Tensor:
    """The logistic function minus 1/2."""
    return torch.tanh(values / 2) / 2


def softmax_form(scores: Form, name: str) -> Form:
    """Return the softmax of the scores of C classes."""
    classes = scores.width
    above_mean = Hidden(
        name,
        contrasted(scores),
        lambda values: torch.expm1(values) / classes,
        lambda values: math.log(classes) - torch.logsumexp(values, dim=-1, keepdim=True),
        (-1.0 / classes, 1 - 1.0 / classes),
    )
    return affine(identity_form(above_mean), np.eye(classes), np.full(classes, 1 / classes))


def one_vs_rest(scores: Form, name: str) -> Form:
    """Return the logistic function of each of C scores, divided by their sum.

    This is the softmax of their logarithms, which keeps its digits where all scores are far below 0.
    """
    logarithms = Hidden(f"{name}.logarithm", scores, lambda values: torch.nn.functional.logsigmoid(values) + LOG_2)
    return softmax_form(identity_form(logarithms), name)


def _huber(scores: Form, name: str) -> Form:
    """The probabilities of SGDClassifier(loss="modified_huber") for two classes."""
    second = affine(scores, np.array([[0.0, 1.0]]))
    return two_classes(
        identity_form(Hidden(name, second, lambda values: values.clamp(-1, 1) / 2, bounds=(-0.5, 0.5)))
    )


def interpolated(xs: Array, ys: Array) -> Callable[[Tensor], Tensor]:
    """Return the function that is linear between the points (``xs``, ``ys``), both (P,), and constant outside."""
    points, heights = (torch.from_numpy(np.asarray(values, dtype=np.float64)) for values in (xs, ys))

    def function(values: Tensor) -> Tensor:
        x, y = points.to(values.dtype), heights.to(values.dtype)
        inside = values.clamp(x[0], x[-1])
        right = torch.searchsorted(x, inside.detach().contiguous()).clamp(1, max(1, len(x) - 1))
        if len(x) == 1:
            return y[0].expand_as(values)
        rise = (y[right] - y[right - 1]) / (x[right] - x[right - 1])
        return y[right - 1] + rise * (inside - x[right - 1])

    return function
