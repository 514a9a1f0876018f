"""Ensembles of classifiers: votes, stacked classifiers and bagging.

What is explained is what the ensemble predicts by, where that is a sum: the mean probability of a soft vote, the
decision of the last classifier of a stack. A hard vote and bagging count predictions, so their mean decision is
explained instead, and a note states it. Open it for how classifiers are combined.

Letters: C classes, J features.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from textlrp.arrays import IntArray
from textlrp.errors import ModelError
from textlrp.models.pipeline.decisions import Decision, MemberReaders, features_before
from textlrp.models.pipeline.form_steps import as_form, chosen_outputs
from textlrp.models.pipeline.forms import Form, affine, contrasted, joined_form, mean_form
from textlrp.models.pipeline.links import TO_TWO
from textlrp.models.pipeline.stages import Stage
from textlrp.models.pipeline.step_values import Sources, Value


def voting_decision(estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders) -> Decision:
    """Return the weighted mean probability of a soft vote, or the weighted mean decision of a hard vote."""
    members = _members(estimator)
    weights = np.ones(len(estimator.estimators)) if estimator.weights is None else np.asarray(estimator.weights)
    shares = (weights[_used(estimator)] / weights[_used(estimator)].sum()).tolist()
    if estimator.voting == "soft":
        found = [within.probable(member, inner, before, sources) for inner, member in members]
        note = f"The score is the mean probability of {len(members)} classifiers, which the model predicts by."
        return Decision(estimator.classes_, mean_form([each.form for each in found], shares), lambda p: p, note)
    decided = [within.decide(member, inner, before, sources) for inner, member in members]
    note = f"The score is the mean decision of {len(members)} classifiers; the model counts their predictions."
    return Decision(estimator.classes_, mean_form([_on_decision_scale(each) for each in decided], shares), None, note)


def bagging_decision(estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders) -> Decision:
    """Return the mean decision of the classifiers of a BaggingClassifier, its ``decision_function``."""
    members = members_of(estimator, name, before)
    found = [within.decide(member, inner, value, sources) for inner, member, value in members]
    form = mean_form([_on_decision_scale(each) for each in found])
    own_decision = all(each.own_decision for each in found)
    counts = "averages their probabilities" if hasattr(members[0][1], "predict_proba") else "counts their predictions"
    note = f"The score is the mean decision of {len(members)} classifiers; the model {counts}."
    return Decision(estimator.classes_, form, None, note, own_decision=own_decision)


def stacking_decision(estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders) -> Decision:
    """Return the decision of the last classifier of a StackingClassifier, which reads those of the first ones.

    Raises :class:`ModelError` if a first classifier passes on its predictions, which are no numbers to explain.
    """
    members = _members(estimator)
    forms: list[Form] = []
    for (inner, member), method in zip(members, estimator.stack_method_, strict=True):
        if method == "predict":
            raise ModelError(
                f"{inner!r} in the StackingClassifier {name!r} must pass on probabilities or decisions; got its "
                "predictions. Pass stack_method='auto' and fit it again."
            )
        read = within.probable if method == "predict_proba" else within.own_decision
        form = read(member, inner, before, sources).form
        # for two classes the last classifier reads one number: f, or the probability of the second class
        forms.append(affine(form, np.array([[0.0, 1.0]])) if form.width == 2 else form)
    if estimator.passthrough:
        forms.append(as_form(features_before(before, name, estimator)))
    last = within.decide(estimator.final_estimator_, "final_estimator", joined_form(forms), sources)
    return replace(last, classes=estimator.classes_)


def members_of(bagging: Any, name: str, before: Value) -> list[tuple[str, Any, Value]]:
    """Return the name, the classifier and the features that it reads, of each classifier of a BaggingClassifier."""
    chosen = zip(bagging.estimators_, bagging.estimators_features_, strict=True)
    return [(f"{name} {n}", each, _columns(before, columns)) for n, (each, columns) in enumerate(chosen, start=1)]


def _members(ensemble: Any) -> list[tuple[str, Any]]:
    """The fitted classifiers of a vote or a stack with their names."""
    return list(zip([ensemble.estimators[n][0] for n in _used(ensemble)], ensemble.estimators_, strict=True))


def _used(ensemble: Any) -> list[int]:
    """The positions of the classifiers that were not dropped."""
    return [n for n, (_, each) in enumerate(ensemble.estimators) if not (isinstance(each, str) and each == "drop")]


def _on_decision_scale(scores: Decision) -> Form:
    """Scores on the scale of decision functions.

    Joint log-likelihoods (naive Bayes) become their differences, because their sizes depend on the number of words.
    """
    if not scores.likelihoods:
        return scores.form
    if len(scores.classes) == 2:
        return affine(scores.of_second_class, TO_TWO)
    return contrasted(scores.form)


def _columns(before: Value, columns: IntArray) -> Value:
    """The features that one classifier of a BaggingClassifier reads."""
    if not isinstance(before, (Stage, Form)):
        return before
    form = as_form(before)
    if np.array_equal(columns, np.arange(form.width)):
        return before
    return chosen_outputs(form, columns)
