"""Multi-layer perceptrons of scikit-learn: each hidden layer is a step of the trace with its own rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from textlrp.arrays import Array
from textlrp.models.finite import finite_weights
from textlrp.models.pipeline.decisions import Decision, check_width, features_before
from textlrp.models.pipeline.form_steps import as_form
from textlrp.models.pipeline.forms import Form, Hidden, affine, identity_form
from textlrp.models.pipeline.head_probabilities import softmax_of_decisions
from textlrp.models.pipeline.linear import fitted_on_indicator
from textlrp.models.pipeline.links import TO_TWO
from textlrp.models.pipeline.step_values import Sources, Value

_ACTIVATIONS: Mapping[str, tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = {
    "identity": (lambda values: values, (-np.inf, np.inf)),
    "logistic": (torch.sigmoid, (0.0, 1.0)),
    "tanh": (torch.tanh, (-1.0, 1.0)),
    "relu": (torch.relu, (0.0, np.inf)),
}
"""Name of an activation -> the function, and the range of its values."""


def perceptron_decision(estimator: Any, name: str, before: Value, sources: Sources) -> Decision:
    """Return the scores of an MLPClassifier before its last activation: (-f, f) for two classes.

    Its hidden layers are the steps ``hidden1``, ``hidden2``, ... of the trace. Fitted on an indicator matrix, it
    predicts every label with a score above 0. Raises :class:`ModelError` if it gets texts.
    """
    kind = type(estimator).__name__
    features = features_before(before, name, estimator)
    check_width(features, len(estimator.coefs_[0]), name, kind)
    form = as_form(features)
    activation, bounds = _ACTIVATIONS[estimator.activation]
    *hidden, last = [
        _layer(weight, bias, kind) for weight, bias in zip(estimator.coefs_, estimator.intercepts_, strict=True)
    ]
    for number, (weight, bias) in enumerate(hidden, start=1):
        layer = sources.layer_name(f"hidden{number}", name)
        form = identity_form(Hidden(layer, affine(form, weight, bias), activation, bounds=bounds))
    outputs: Form = affine(form, *last)
    if fitted_on_indicator(estimator):
        return Decision(estimator.classes_, outputs, expit, thresholds=np.zeros(outputs.width))
    of_classes = outputs if outputs.width > 1 else affine(outputs, TO_TWO)
    return Decision(estimator.classes_, of_classes, softmax_of_decisions)


def _layer(weight: Array, bias: Array, kind: str) -> tuple[Array, Array]:
    advice = "Fit it again with more regularization, or on finite features."
    finite = [
        finite_weights(np.asarray(each, dtype=np.float64), f"coefs_ and intercepts_ of the {kind}", advice)
        for each in (weight.T, bias)
    ]
    return finite[0], finite[1]
