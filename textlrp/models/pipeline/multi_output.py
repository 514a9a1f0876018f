"""Classifiers of scikit-learn with a binary classifier for each label, alone or in a chain.

In a ClassifierChain the earlier labels are features of the later ones. A predicted label is 0 or 1, a constant of the
text: what it contributes to the score of a later label is absorbed with the cause "earlier labels". A chain that
passes on decisions or probabilities is propagated through them to the words.

Letters: N texts, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from torch import Tensor

from textlrp.errors import ModelError
from textlrp.models.finite import finite_weights
from textlrp.models.pipeline.decisions import Decision, MemberReaders, head_decision
from textlrp.models.pipeline.form_steps import as_form
from textlrp.models.pipeline.forms import Form, Norm, Term, affine, constant_form, joined_form
from textlrp.models.pipeline.head_probabilities import (
    ProbabilityFunction,
    label_probabilities,
    one_vs_rest_probabilities,
    probability_of_second,
)
from textlrp.models.pipeline.linear import Head, fitted_on_indicator
from textlrp.models.pipeline.links import TO_TWO
from textlrp.models.pipeline.stages import Stage
from textlrp.models.pipeline.step_errors import OTHER_WAY
from textlrp.models.pipeline.step_values import Sources, Value

EARLIER_LABELS = "earlier labels"
"""The cause of relevance that the predicted labels of a chain absorb."""
CHAIN_NOTE = (
    "The model is a chain: a predicted label enters the scores of later labels as a constant, shown as earlier "
    "labels in the score breakdown."
)


class _Label(NamedTuple):
    """The score of one label, a ``form`` with one output: the label is predicted if it is above ``threshold``.

    ``probability`` maps scores (N,) to the probabilities (N,) of the label, or is None. ``is_probability``: the score
    is this probability.
    """

    form: Form
    threshold: float = 0.0
    probability: ProbabilityFunction | None = None
    is_probability: bool = False


def predicts_label_sets(estimator: Any) -> bool:
    """Whether a fitted classifier consists of binary classifiers and predicts a set of labels for each text."""
    if isinstance(estimator, OneVsRestClassifier):
        return bool(estimator.multilabel_)
    if isinstance(estimator, (RidgeClassifier, RidgeClassifierCV)):
        return fitted_on_indicator(estimator)
    return isinstance(estimator, (MultiOutputClassifier, ClassifierChain))


def label_set_decision(estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders) -> Decision:
    """Return the scores of all labels, which are predicted if they are above their thresholds.

    Raises :class:`ModelError` if the classifier has an output with other values than 0 and 1, or consists
    of classifiers that predict neither by their decision nor by their probability.
    """
    if isinstance(estimator, (RidgeClassifier, RidgeClassifierCV)):
        kind, advice = type(estimator).__name__, "Fit it again with more regularization, or on finite features."
        weight = finite_weights(np.asarray(estimator.coef_, dtype=np.float64), f"coef_ of the {kind}", advice)
        classes = np.arange(len(weight))
        bias = np.zeros(len(weight)) + estimator.intercept_
        of_all = head_decision(Head(classes, weight, bias), name, estimator, before, sources)
        return Decision(classes, of_all.form, thresholds=np.zeros(len(classes)))
    if isinstance(estimator, ClassifierChain):
        return _chain(estimator, name, before, sources, within)
    by_decision = isinstance(estimator, OneVsRestClassifier)
    classes = estimator.classes_ if by_decision else np.arange(len(estimator.estimators_))
    found = _labels(estimator, name, before, sources, within, by_decision=by_decision)
    thresholds = np.array([each.threshold for each in found])
    if by_decision and _is_constant(estimator.estimators_[0]):  # then scikit-learn compares all scores with 1/2
        of_decisions = [hasattr(each, "decision_function") for each in estimator.estimators_]
        thresholds[of_decisions] = 0.5
    form = joined_form([each.form for each in found])
    return Decision(
        np.asarray(classes),
        form,
        label_probabilities([each.probability for each in found]),
        _note_of(found),
        thresholds=thresholds,
    )


def one_vs_rest_decision(
    estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders
) -> Decision:
    """Return the scores of the classifiers of a OneVsRestClassifier that predicts the class with the highest one.

    For two classes, one classifier decides. Raises :class:`ModelError` for classifiers as in
    :func:`label_set_decision`.
    """
    found = _labels(estimator, name, before, sources, within, by_decision=True)
    form = joined_form([each.form for each in found])
    if len(found) == 1:
        form = affine(form, TO_TWO, np.array([float(found[0].is_probability), 0.0]))
    probabilities = one_vs_rest_probabilities([each.probability for each in found])
    return Decision(estimator.classes_, form, probabilities, _note_of(found))


def _labels(
    estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders, *, by_decision: bool
) -> list[_Label]:
    return [
        _label(each, f"{name} {number}", before, sources, within, by_decision=by_decision)
        for number, each in enumerate(estimator.estimators_, start=1)
    ]


def _label(
    estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders, *, by_decision: bool
) -> _Label:
    """The score of one label from its binary classifier, which was fitted on 0 and 1.

    ``by_decision``: the label is predicted by the ``decision_function`` if there is one, and not by ``predict``.
    """
    if _is_constant(estimator):
        return _Label(constant_form(np.asarray(estimator.y_, dtype=np.float64).ravel()), 0.0, lambda score: score)
    by_decision = by_decision and hasattr(estimator, "decision_function")
    found = (within.own_decision if by_decision else within.decide)(estimator, name, before, sources)
    if found.thresholds is None and found.classes.tolist() in ([0, 1], [False, True]):
        if not found.note or by_decision:
            probability = probability_of_second(found.probabilities, 0.5 if found.likelihoods else 1.0)
            return _Label(found.of_second_class, 0.0, probability)
        if hasattr(estimator, "predict_proba") and not found.thresholded:
            of_both = within.probable(estimator, name, before, sources).form
            return _Label(affine(of_both, np.array([[0.0, 1.0]])), 0.5, lambda score: score, is_probability=True)
    raise ModelError(
        f"{name!r} must have outputs of 0 and 1 and predict each by a decision or a probability; got a "
        f"{type(estimator).__name__} of the classes {found.classes.tolist()[:5]}. Use linear classifiers, and "
        f"fit the pipeline on an indicator matrix. {OTHER_WAY}"
    )


def _is_constant(estimator: Any) -> bool:
    """Whether a classifier of a OneVsRestClassifier is that of a label which all or no training texts have."""
    return type(estimator).__name__ == "_ConstantPredictor"


def _chain(estimator: Any, name: str, before: Value, sources: Sources, within: MemberReaders) -> Decision:
    method = getattr(estimator, "chain_method_", "predict")
    if not isinstance(before, (Stage, Form)) or method not in ("predict", "decision_function", "predict_proba"):
        raise ModelError(
            f"the ClassifierChain {name!r} must get features and pass on predictions, decisions or probabilities; "
            f"got {method if isinstance(before, (Stage, Form)) else 'texts'}. Put a vectorizer before it, and pass "
            "chain_method='predict'."
        )
    features = [as_form(before)]
    found: list[_Label] = []
    for position, each in enumerate(estimator.estimators_):
        inputs: Value = joined_form(features) if position else before
        found.append(_label(each, name, inputs, sources, within, by_decision=False))
        label = found[-1]
        if method == "predict":
            predicted = Norm(label.form, partial(_above, label.threshold))
            features.append(Form((Term(None, np.ones((1, 1)), norms=(predicted,), cause=EARLIER_LABELS),), 1))
        elif method == "decision_function":
            features.append(within.own_decision(each, name, inputs, sources).of_second_class)
        else:
            of_both = within.probable(each, f"{name} {position}", inputs, sources).form
            features.append(affine(of_both, np.array([[0.0, 1.0]])))
    in_order = [found[position] for position in np.argsort(estimator.order_)]
    form = joined_form([each.form for each in in_order])
    note = " ".join(filter(None, [CHAIN_NOTE if method == "predict" else "", _note_of(found)]))
    thresholds = np.array([each.threshold for each in in_order])
    probabilities = label_probabilities([each.probability for each in in_order])
    return Decision(np.arange(len(found)), form, probabilities, note, thresholds=thresholds)


def _above(threshold: float, scores: Tensor) -> Tensor:
    return (scores > threshold).to(scores.dtype)


def _note_of(found: Sequence[_Label]) -> str:
    return "The score of a class is its probability." if any(each.is_probability for each in found) else ""
