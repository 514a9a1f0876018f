"""Calibrated classifiers and classifiers with a threshold: the decision before the calibration or the threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.models.pipeline.decisions import Decision, MemberReaders
from textlrp.models.pipeline.form_steps import sum_to_1
from textlrp.models.pipeline.forms import Form, Hidden, affine, identity_form, mean_form
from textlrp.models.pipeline.links import TO_TWO, interpolated, logistic, one_vs_rest, softmax_form, two_classes
from textlrp.models.pipeline.step_errors import OTHER_WAY
from textlrp.models.pipeline.step_values import Sources, Value


def calibrated_decision(
    estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders
) -> Decision:
    """Return the mean of the decisions of the calibrated classifiers (one for each fold, or a single one).

    A sigmoid or an isotonic regression turns each decision into a probability. These are shown next to the scores,
    and the classifier predicts by their mean. Raises :class:`ModelError` if a classifier in it does not know all
    classes.
    """
    folds = estimator.calibrated_classifiers_
    decisions = [within.own_decision(fold.estimator, name, before, sources) for fold in folds]
    for fold, each in zip(folds, decisions, strict=True):
        # scikit-learn fits on the positions of labels that are strings if it calibrates by temperature
        of_positions = fold.method == "temperature" and each.classes.dtype.kind != estimator.classes_.dtype.kind
        known = np.arange(len(estimator.classes_)) if of_positions else estimator.classes_
        if not np.array_equal(each.classes, known):
            raise ModelError(
                f"step {name!r} must know all {len(estimator.classes_)} classes in each of its {len(folds)} folds; "
                f"one knows {len(each.classes)}. Fit it again with cv=StratifiedKFold()."
            )
    number = f"the mean decision of the {len(folds)} classifiers" if len(folds) > 1 else "the decision"
    note = f"The score is {number} before calibration; the probabilities are calibrated."
    likelihoods = all(each.likelihoods for each in decisions)
    form = mean_form([each.form for each in decisions])
    return Decision(estimator.classes_, form, None, note, likelihoods=likelihoods)


def thresholded_decision(
    estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders
) -> Decision:
    """Return the decision of the classifier in a FixedThresholdClassifier or a TunedThresholdClassifierCV."""
    note = "The score is that of the classifier before its decision threshold."
    scores = within.decide(estimator.estimator_, name, before, sources)
    return replace(scores, probabilities=None, note=note, thresholded=True)


def calibrated_probability(
    estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders
) -> Decision:
    """Return the mean of the calibrated probabilities: each decision through its sigmoid or isotonic regression.

    Raises :class:`ModelError` for the calibration of probabilities by temperature.
    """
    forms = []
    for fold in estimator.calibrated_classifiers_:
        of_decisions = hasattr(fold.estimator, "decision_function")
        if fold.method == "temperature" and not of_decisions:
            raise ModelError(
                f"{name!r} must calibrate decisions; got method='temperature' for the probabilities of a "
                f"{type(fold.estimator).__name__}. Pass method='sigmoid' and fit it again. {OTHER_WAY}"
            )
        read = within.own_decision if of_decisions else within.probable
        forms.append(_calibrated(read(fold.estimator, name, before, sources).form, fold, sources.layer_name(name)))
    return Decision(estimator.classes_, mean_form(forms))


def _calibrated(scores: Form, fold: Any, layer: str) -> Form:
    """The probabilities of one fold from the scores, or the probabilities, of its classifier."""
    classes = scores.width
    if fold.method == "temperature":
        scaled = affine(scores, float(fold.calibrators[0].beta_) * np.eye(classes))
        return logistic(scaled, layer, slope=2.0) if classes == 2 else softmax_form(scaled, layer)
    if classes == 2:  # one calibrator, for the second class
        scores = affine(scores, np.array([[0.0, 1.0]]))
    if fold.method == "sigmoid":
        slopes, offsets = (np.array([getattr(each, key) for each in fold.calibrators]) for key in ("a_", "b_"))
        logits = affine(scores, -np.diag(slopes), -offsets)
        return one_vs_rest(logits, layer) if classes > 2 else logistic(affine(logits, TO_TWO), layer)
    curves = [interpolated(each.X_thresholds_, each.y_thresholds_) for each in fold.calibrators]
    at_zero = np.array([float(curve(torch.zeros(1, dtype=torch.float64))) for curve in curves])
    units = identity_form(Hidden(layer, scores, partial(_risen, curves, at_zero), bounds=(-1.0, 1.0)))
    if classes == 2:
        return two_classes(affine(units, np.eye(1), at_zero - 0.5))
    return sum_to_1(affine(units, np.eye(classes), at_zero))


def _risen(curves: Sequence[Callable[[Tensor], Tensor]], at_zero: Array, values: Tensor) -> Tensor:
    """Each value (..., C) through its curve, minus the height of the curve at 0."""
    columns = [curve(values[..., c]) - float(at_zero[c]) for c, curve in enumerate(curves)]
    return torch.stack(columns, dim=-1)
