"""The classifiers at the end of a pipeline, which may contain pipelines, searches and ensembles themselves.

Open it for which classifiers are supported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from textlrp.errors import ModelError
from textlrp.models.pipeline.calibrated import calibrated_decision, calibrated_probability, thresholded_decision
from textlrp.models.pipeline.constant import constant_decision
from textlrp.models.pipeline.decisions import Decide, Decision, MemberReaders, head_decision
from textlrp.models.pipeline.ensembles import bagging_decision, members_of, stacking_decision, voting_decision
from textlrp.models.pipeline.forms import mean_form
from textlrp.models.pipeline.layered import perceptron_decision
from textlrp.models.pipeline.linear import is_linear_one_vs_rest, linear_head
from textlrp.models.pipeline.links import link_of
from textlrp.models.pipeline.multi_output import (
    label_set_decision,
    one_vs_rest_decision,
    predicts_label_sets,
)
from textlrp.models.pipeline.pipeline_steps import read_step
from textlrp.models.pipeline.step_errors import OTHER_WAY, check_fitted
from textlrp.models.pipeline.step_values import Sources, Value
from textlrp.models.pipeline.unwrapped import unwrapped

Combined = Callable[[Any, str, Value, Sources, MemberReaders], Decision]
"""As :data:`Decide`, for a classifier that contains others."""

_COMBINED: Mapping[type, Combined] = {
    CalibratedClassifierCV: calibrated_decision,
    FixedThresholdClassifier: thresholded_decision,
    TunedThresholdClassifierCV: thresholded_decision,
    VotingClassifier: voting_decision,
    StackingClassifier: stacking_decision,
    BaggingClassifier: bagging_decision,
}
"""Classifiers that consist of others."""
_ALONE: Mapping[type, Decide] = {MLPClassifier: perceptron_decision, DummyClassifier: constant_decision}
"""Classifiers that are no single linear layer."""


def decision(estimator: Any, name: str, before: Value, sources: Sources) -> Decision:
    """Return the scores of a fitted classifier that reads the value ``before`` (None: the texts themselves).

    ``name`` is that of its step, for messages. The classifier may be a search, or a pipeline with steps of its own.
    For two classes the scores are (-f, f), where f is the decision function. Raises :class:`ModelError` if the
    classifier or a step is not supported or not fitted.
    """
    estimator = unwrapped(estimator, name)
    if isinstance(estimator, Pipeline):
        last, final = estimator.steps[-1]
        return decision(final, last, _before_last_step(estimator, before, sources), sources)
    check_fitted(estimator, name)
    within = MemberReaders(decision, probability)
    if predicts_label_sets(estimator):
        return label_set_decision(estimator, name, before, sources, within)
    if isinstance(estimator, OneVsRestClassifier) and not is_linear_one_vs_rest(estimator):
        return one_vs_rest_decision(estimator, name, before, sources, within)
    for kind, combined in _COMBINED.items():
        if isinstance(estimator, kind):
            return combined(estimator, name, before, sources, within)
    for kind, alone in _ALONE.items():
        if isinstance(estimator, kind):
            return alone(estimator, name, before, sources)
    return head_decision(linear_head(estimator, name), name, estimator, before, sources)


def probability(estimator: Any, name: str, before: Value, sources: Sources) -> Decision:
    """Return the probabilities of a fitted classifier, its ``predict_proba``, in place of its scores.

    ``name`` is that of the classifier in an ensemble; it becomes the name of a layer. Raises :class:`ModelError` as
    :func:`decision` does, and for a classifier whose probabilities cannot be propagated.
    """
    estimator = unwrapped(estimator, name)
    if isinstance(estimator, Pipeline):
        return probability(estimator.steps[-1][1], name, _before_last_step(estimator, before, sources), sources)
    if isinstance(estimator, DummyClassifier) or getattr(estimator, "voting", "") == "soft":  # scores already
        return decision(estimator, name, before, sources)
    if isinstance(estimator, CalibratedClassifierCV):
        return calibrated_probability(estimator, name, before, sources, MemberReaders(decision, probability))
    if isinstance(estimator, BaggingClassifier) and hasattr(estimator.estimators_[0], "predict_proba"):
        found = [
            probability(each, inner, value, sources) for inner, each, value in members_of(estimator, name, before)
        ]
        return Decision(estimator.classes_, mean_form([each.form for each in found]))
    last = estimator.final_estimator_ if isinstance(estimator, StackingClassifier) else estimator
    scores = decision(estimator, name, before, sources)
    link = link_of(unwrapped(last, name))
    if link is None:
        raise ModelError(
            f"{name!r} must have probabilities that are a logistic function or a softmax of a linear decision; got a "
            f"{type(last).__name__}. Use LogisticRegression, naive Bayes or a CalibratedClassifierCV of a linear "
            f"classifier, and fit it again. {OTHER_WAY}"
        )
    return Decision(scores.classes, link(scores.form, sources.layer_name(name)))


def _before_last_step(pipeline: Pipeline, before: Value, sources: Sources) -> Value:
    """The value that the last step of a pipeline reads."""
    for name, step in pipeline.steps[:-1]:
        before = read_step(step, name, before, sources)
    return before
