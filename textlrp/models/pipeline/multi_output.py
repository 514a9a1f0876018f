"""Multi-label classifiers of scikit-learn: a binary classifier for each label, alone or in a chain.

In a ClassifierChain the earlier labels are features of the later ones. A predicted label is 0 or 1, a constant of the
text: what it contributes to the score of a later label is absorbed with the cause "earlier labels". A chain that
passes on decisions or probabilities is propagated through them to the words.

Letters: N texts, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from torch import Tensor

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.models.finite import finite_weights
from textlrp.models.pipeline.decisions import Decision, Within, head_decision
from textlrp.models.pipeline.form_steps import as_form
from textlrp.models.pipeline.forms import Form, Norm, Term, affine, constant_form, joined_form
from textlrp.models.pipeline.linear import Head
from textlrp.models.pipeline.stages import Stage
from textlrp.models.pipeline.step_errors import OTHER_WAY, not_fitted
from textlrp.models.pipeline.step_values import Sources, Value

EARLIER_LABELS = "earlier labels"
"""The cause of relevance that the predicted labels of a chain absorb."""
CHAIN_NOTE = (
    "The model is a chain: a predicted label enters the scores of later labels as a constant, shown as earlier "
    "labels in the score breakdown."
)


def predicts_label_sets(estimator: Any) -> bool:
    """Whether a fitted classifier predicts a set of labels for each text."""
    binarizer = getattr(estimator, "_label_binarizer", None)
    if isinstance(estimator, (RidgeClassifier, RidgeClassifierCV)):
        return str(getattr(binarizer, "y_type_", "")).startswith("multilabel")
    if isinstance(estimator, OneVsRestClassifier):
        return hasattr(estimator, "estimators_") and bool(estimator.multilabel_)
    return isinstance(estimator, (MultiOutputClassifier, ClassifierChain))


def label_set_decision(estimator: Any, name: str, before: Value, sources: Sources, within: Within) -> Decision:
    """Return the scores of all labels: a label is predicted if its score is above 0.

    Raises :class:`ModelError` if the classifier is not fitted, has an output with other values than 0 and 1, or
    consists of classifiers that do not predict by their decision.
    """
    if isinstance(estimator, (RidgeClassifier, RidgeClassifierCV)):
        kind, advice = type(estimator).__name__, "Fit it again with more regularization, or on finite features."
        weight = finite_weights(np.asarray(estimator.coef_, dtype=np.float64), f"coef_ of the {kind}", advice)
        classes = np.arange(len(weight))
        bias = np.zeros(len(weight)) + estimator.intercept_
        of_all = head_decision(Head(classes, weight, bias), name, estimator, before, sources)
        return Decision(classes, of_all.form, thresholds=np.zeros(len(classes)))
    if not hasattr(estimator, "estimators_"):
        raise not_fitted(name, estimator)
    if isinstance(estimator, ClassifierChain):
        return _chain(estimator, name, before, sources, within)
    classes = (
        estimator.classes_ if isinstance(estimator, OneVsRestClassifier) else np.arange(len(estimator.estimators_))
    )
    found = [_binary(each, name, before, sources, within) for each in estimator.estimators_]
    form = joined_form([each.form for each in found])
    return Decision(np.asarray(classes), form, _probabilities(found), thresholds=_thresholds(estimator))


def _thresholds(estimator: Any) -> Array:
    """(C,) zeros; if a OneVsRestClassifier begins with a constant label, 1/2 for decisions, as in its ``predict``."""
    members = estimator.estimators_
    constant_first = isinstance(estimator, OneVsRestClassifier) and _is_constant(members[0])
    return np.array([0.5 if constant_first and hasattr(each, "decision_function") else 0.0 for each in members])


def _is_constant(estimator: Any) -> bool:
    """Whether a classifier of a OneVsRestClassifier is that of a label which all or no training texts have."""
    return type(estimator).__name__ == "_ConstantPredictor"


def _chain(estimator: Any, name: str, before: Value, sources: Sources, within: Within) -> Decision:
    method = getattr(estimator, "chain_method_", "predict")
    if not isinstance(before, (Stage, Form)) or method not in ("predict", "decision_function", "predict_proba"):
        raise ModelError(
            f"the ClassifierChain {name!r} must get features and pass on predictions, decisions or probabilities; "
            f"got {method if isinstance(before, (Stage, Form)) else 'texts'}. Put a vectorizer before it, and pass "
            "chain_method='predict'."
        )
    features = [as_form(before)]
    found: list[Decision] = []
    for position, each in enumerate(estimator.estimators_):
        inputs: Value = joined_form(features) if position else before
        found.append(_binary(each, name, inputs, sources, within))
        score = found[-1].form
        if method == "predict":
            features.append(
                Form((Term(None, np.ones((1, 1)), norms=(Norm(score, _predicted),), cause=EARLIER_LABELS),), 1)
            )
        elif method == "decision_function":
            features.append(score)
        else:
            of_both = within.probable(each, f"{name} {position}", inputs, sources).form
            features.append(affine(of_both, np.array([[0.0, 1.0]])))
    order = np.argsort(estimator.order_)
    in_order = [found[position] for position in order]
    form = joined_form([each.form for each in in_order])
    note = CHAIN_NOTE if method == "predict" else ""
    return Decision(np.arange(len(found)), form, _probabilities(in_order), note, thresholds=np.zeros(len(found)))


def _predicted(scores: Tensor) -> Tensor:
    return (scores > 0).to(scores.dtype)


def _binary(estimator: Any, name: str, before: Value, sources: Sources, within: Within) -> Decision:
    """The score of one label, positive if it is predicted; its classes are without and with the label."""
    if _is_constant(estimator):
        return Decision(np.array([0, 1]), constant_form(np.asarray(estimator.y_, dtype=np.float64).ravel()))
    found = within.decide(estimator, name, before, sources)
    if found.note or found.thresholds is not None or found.classes.tolist() not in ([0, 1], [False, True]):
        raise ModelError(
            f"{name!r} must have outputs of 0 and 1 and predict each by a decision above 0; got a "
            f"{type(estimator).__name__} of the classes {found.classes.tolist()[:5]}. Use linear classifiers, and "
            f"fit the pipeline on an indicator matrix. {OTHER_WAY}"
        )
    second = np.array([[-1.0, 1.0]]) if found.likelihoods else np.array([[0.0, 1.0]])
    return Decision(found.classes, affine(found.form, second), found.probabilities, likelihoods=found.likelihoods)


def _probabilities(found: Sequence[Decision]) -> Any:
    """``predict_proba`` of all labels as a function of scores (N, C); None if a classifier has none."""
    if any(each.probabilities is None for each in found):
        return None

    def probabilities(scores: Array) -> Array:
        columns = []
        for c, each in enumerate(found):
            score = scores[:, c] / 2 if each.likelihoods else scores[:, c]
            assert each.probabilities is not None
            columns.append(each.probabilities(np.stack([-score, score], axis=1))[:, 1])
        return np.stack(columns, axis=1)

    return probabilities
