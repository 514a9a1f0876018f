"""The classifiers at the end of a pipeline, which may contain pipelines, searches and ensembles themselves.

Open it for which classifiers are supported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from textlrp.models.pipeline.calibrated import calibrated_decision, thresholded_decision
from textlrp.models.pipeline.decisions import Decide, Decision, head_decision
from textlrp.models.pipeline.linear import linear_head
from textlrp.models.pipeline.pipeline_steps import Sources, Value, read_step
from textlrp.models.pipeline.unwrapped import unwrapped

Combined = Callable[[Any, str, Value, Sources, Decide], Decision]
"""As :data:`Decide`; the last argument returns the scores of a classifier within the classifier."""

_COMBINED: Mapping[type, Combined] = {
    CalibratedClassifierCV: calibrated_decision,
    FixedThresholdClassifier: thresholded_decision,
    TunedThresholdClassifierCV: thresholded_decision,
}
"""Classifiers that consist of others."""


def decision(estimator: Any, name: str, before: Value, sources: Sources) -> Decision:
    """Return the scores of a fitted classifier that reads the value ``before`` (None: the texts themselves).

    ``name`` is that of its step, for messages. The classifier may be a search, or a pipeline with steps of its own.
    For two classes the scores are (-f, f), where f is the decision function. Raises :class:`ModelError` if the
    classifier or a step is not supported or not fitted.
    """
    estimator = unwrapped(estimator, name)
    if isinstance(estimator, Pipeline):
        (*steps, (last, final)) = estimator.steps
        for inner, each in steps:
            before = read_step(each, inner, before, sources)
        return decision(final, last, before, sources)
    for kind, combined in _COMBINED.items():
        if isinstance(estimator, kind):
            return combined(estimator, name, before, sources, decision)
    return head_decision(linear_head(estimator, name), name, type(estimator).__name__, before, sources)
