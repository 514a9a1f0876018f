"""One text by one of the other methods: a map per class, so that tables compare like with like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import numpy as np

from textlrp.explainers.attribution import BASELINE, Attribution, Case
from textlrp.explainers.cams import cam, grad_cam
from textlrp.explainers.closed import closed_form, has_closed_form
from textlrp.explainers.gradients import (
    gradient_times_input,
    integrated_gradients,
    rectified_gradient,
    smoothgrad,
    squared_gradient,
)
from textlrp.explainers.method_table import Method
from textlrp.explainers.methods import (
    CAM,
    Deconvnet,
    GradCAM,
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    Lime,
    Occlusion,
    Random,
    Shap,
    SmoothGrad,
    SquaredGradient,
)
from textlrp.explainers.perturbation import lime, occlusions, random, shap
from textlrp.models.base import Classifier
from textlrp.text.batches import Batch


def attribute(
    model: Classifier, batch: Batch, n: int, classes: Sequence[int], method: Method, *, dtype: str | None = None
) -> Attribution:
    """Text ``n`` of a batch explained for each of K classes: relevance (K, L) of the words read, in float64.

    ``dtype`` is what gradients are taken in, the model's own unless given. Where the method is exact, relevance and
    ledger sum to the model's score. Raises :class:`ModelError` where the method does not apply to the model,
    :class:`MissingExtraError` where its package is not installed.
    """
    case = Case(model, batch, n, tuple(classes), dtype)
    if case.known.any() or isinstance(method, (CAM, GradCAM)):
        return _by(case, method)
    nothing = np.zeros((len(case.classes), len(case.known)))
    exact = isinstance(method, (IntegratedGradients, Lime, Shap))
    return Attribution(nothing, {BASELINE: case.scores()} if exact else {}, exact)


def attribute_batch(
    model: Classifier, batch: Batch, classes: Sequence[Sequence[int]], method: Method, *, dtype: str | None = None
) -> list[Attribution]:
    """Every text of a batch explained for its own ``classes[n]``; in closed form where there is one."""
    if has_closed_form(model, method):
        return closed_form(model, batch, classes, method, dtype=dtype)
    if isinstance(method, Occlusion):
        return occlusions(model, batch, classes)
    return [attribute(model, batch, n, own, method, dtype=dtype) for n, own in enumerate(classes)]


def _by(case: Case, method: Method) -> Attribution:
    match method:
        case SquaredGradient():
            return squared_gradient(case)
        case GradientTimesInput():
            return gradient_times_input(case)
        case IntegratedGradients():
            return integrated_gradients(case, method)
        case SmoothGrad():
            return smoothgrad(case, method)
        case Deconvnet() | GuidedBackprop():
            return rectified_gradient(case, guided=isinstance(method, GuidedBackprop))
        case Occlusion():
            return occlusions(case.model, case.batch.select([case.n]), [case.classes])[0]
        case CAM():
            return cam(case)
        case GradCAM():
            return grad_cam(case)
        case Random():
            return random(case, method)
        case Lime():
            return lime(case, method)
        case Shap():
            return shap(case, method)
        case _:
            assert_never(method)
