"""Calibrated classifiers and classifiers with a threshold: the decision before the calibration or the threshold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from textlrp.errors import ModelError
from textlrp.models.pipeline.decisions import Decide, Decision
from textlrp.models.pipeline.forms import mean_form
from textlrp.models.pipeline.pipeline_steps import Sources, Value


def calibrated_decision(estimator: Any, name: str, before: Value, sources: Sources, decide: Decide) -> Decision:
    """Return the mean of the decisions of the calibrated classifiers (one for each fold, or a single one).

    A sigmoid or an isotonic regression turns each decision into a probability; these are shown beside the scores, and
    the classifier predicts by their mean. Raises :class:`ModelError` if it is not fitted, or if a classifier in it is
    not supported.
    """
    folds = fitted_folds(estimator, name)
    decisions = [decide(fold.estimator, name, before, sources) for fold in folds]
    for each in decisions:
        if not np.array_equal(each.classes, estimator.classes_):
            raise ModelError(
                f"step {name!r} must know all {len(estimator.classes_)} classes in each of its {len(folds)} folds; "
                f"one knows {len(each.classes)}. Fit it again with cv=StratifiedKFold()."
            )
    number = f"the mean decision of the {len(folds)} classifiers" if len(folds) > 1 else "the decision"
    note = f"The score is {number} before calibration; the probabilities are calibrated."
    return Decision(estimator.classes_, mean_form([each.form for each in decisions]), None, note)


def fitted_folds(estimator: Any, name: str) -> list[Any]:
    """Return the calibrated classifiers; raise :class:`ModelError` if there are none."""
    if not hasattr(estimator, "calibrated_classifiers_"):
        raise ModelError(
            f"step {name!r} must be fitted; got a CalibratedClassifierCV that is not. Call pipeline.fit(texts, "
            "labels) first."
        )
    return list(estimator.calibrated_classifiers_)


def thresholded_decision(estimator: Any, name: str, before: Value, sources: Sources, decide: Decide) -> Decision:
    """Return the decision of the classifier in a FixedThresholdClassifier or a TunedThresholdClassifierCV.

    Raises :class:`ModelError` if it is not fitted.
    """
    if not hasattr(estimator, "estimator_"):
        raise ModelError(
            f"step {name!r} must be fitted; got a {type(estimator).__name__} that is not. Call pipeline.fit(texts, "
            "labels) first."
        )
    note = "The score is that of the classifier before its decision threshold."
    return replace(decide(estimator.estimator_, name, before, sources), note=note, thresholded=True)
