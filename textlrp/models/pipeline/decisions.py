"""The scores of a fitted classifier as a form of the features that it reads.

Open it for what a classifier of a pipeline is to the rest of the package.

Letters: N texts, J features, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import binarize

from textlrp.arrays import Array
from textlrp.errors import ModelError
from textlrp.models.abilities import OwnResults
from textlrp.models.pipeline.form_steps import as_form
from textlrp.models.pipeline.forms import Form, Term, affine
from textlrp.models.pipeline.linear import BAYES, Head
from textlrp.models.pipeline.stages import Stage, StepOutputs, ValueRange
from textlrp.models.pipeline.step_errors import OTHER_WAY
from textlrp.models.pipeline.step_values import Sources, Value


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The scores (N, C) of a classifier: a ``form`` with one output for each of the ``classes`` (C,).

    ``probabilities`` maps scores to probabilities, both (N, C), or is None. ``note`` is a sentence that states which
    scores these are, if they are not the decisions that the classifier itself predicts by. ``thresholded``: it does
    not predict the class with the highest probability either.
    ``likelihoods``: they are joint log-likelihoods (naive Bayes). ``thresholds`` (C,): a multi-label classifier
    predicts every label with a score above its threshold. ``own_decision``: the scores are those of the classifier's
    ``decision_function``, if it has one.
    """

    classes: Array
    form: Form
    probabilities: Callable[[Array], Array] | None = None
    note: str = ""
    thresholded: bool = False
    likelihoods: bool = False
    thresholds: Array | None = None
    own_decision: bool = True

    @property
    def of_second_class(self) -> Form:
        """The decision function of two classes: f for scores (-f, f), the difference of joint log-likelihoods."""
        return affine(self.form, np.array([[-1.0, 1.0] if self.likelihoods else [0.0, 1.0]]))


Decide = Callable[[Any, str, Value, Sources], Decision]
"""A function: fitted classifier, name of its step, value that it reads, sources -> its scores."""


class MemberReaders(NamedTuple):
    """The functions that read a classifier within another one: its scores, or its probabilities in their place."""

    decide: Decide
    probable: Decide

    def own_decision(self, estimator: Any, name: str, before: Value, sources: Sources) -> Decision:
        """Return scores that are those of ``decision_function``, which the classifier around this one reads.

        Raises :class:`ModelError` if they are no linear function of the features.
        """
        found = self.decide(estimator, name, before, sources)
        if not found.own_decision:
            raise ModelError(
                f"{name!r} must pass on a decision that is linear in the features; got one with a NearestCentroid, "
                f"whose decision_function is not. Use a linear classifier such as LinearSVC. {OTHER_WAY}"
            )
        return found


def head_decision(head: Head, name: str, estimator: Any, before: Value, sources: Sources) -> Decision:
    """Return the scores of a linear classifier, whose weights are ``head``, after the value ``before``.

    Raises :class:`ModelError` if the classifier gets texts, or was fitted on other features.
    """
    features = features_before(before, name, estimator)
    check_width(features, head.weight.shape[1], name, type(estimator).__name__)
    likelihoods = isinstance(estimator, BAYES)
    if head.threshold is not None and not isinstance(features, Stage):
        raise ModelError(
            f"step {name!r} must get features of words; got sums of features, which a BernoulliNB compares with a "
            f"threshold. Put it directly after the vectorizer, and fit the pipeline again. {OTHER_WAY}"
        )
    form = _head_form(head, features, sources)
    return Decision(
        head.classes, form, head.probabilities, head.note, thresholded=bool(head.note), likelihoods=likelihoods,
        own_decision=head.own_decision,
    )  # fmt: skip


def features_before(before: Value, name: str, estimator: Any) -> Stage | Form:
    """Return the features that a classifier reads; raise :class:`ModelError` if it gets the texts themselves."""
    if isinstance(before, (Stage, Form)):
        return before
    raise ModelError(
        f"the pipeline must have a text vectorizer before its classifier; got none before {name!r}, a "
        f"{type(estimator).__name__}. Pass make_pipeline(CountVectorizer(), classifier), or use TfidfVectorizer or "
        "HashingVectorizer."
    )


def check_width(before: Stage | Form, fitted: int, name: str, kind: str) -> None:
    """Raise :class:`ModelError` unless a classifier gets as many features as it was ``fitted`` on."""
    width = len(before.column) if isinstance(before, Stage) else before.width
    if width != fitted:
        raise ModelError(
            f"step {name!r} must be fitted on the features of the steps before it; got a {kind} of {fitted} features "
            f"after steps that make {width}. Fit the pipeline again."
        )


def _head_form(head: Head, before: Stage | Form, sources: Sources) -> Form:
    if head.threshold is not None and isinstance(before, Stage):
        before = _binarized(before, head.threshold, sources)
    form = affine(as_form(before), head.weight, head.bias)
    if head.absent is None:
        return form
    if head.threshold is None or not isinstance(before, Stage):
        bias = head.bias + head.absent.sum(axis=1)
        return affine(as_form(before), head.weight - head.absent, bias)
    return Form((*form.terms, Term(before, head.absent, absent=True)), form.width)


def _binarized(stage: Stage, threshold: float, sources: Sources) -> Stage:
    """The features above the threshold as 1, all others as 0 (BernoulliNB)."""

    def make() -> Stage:
        def run(outputs: StepOutputs) -> Any:
            values = stage.run(outputs)
            return sparse.csr_matrix(binarize(values, threshold=threshold)) if values.nnz else values

        return replace(stage, run=run, bounds=ValueRange(0.0, 1.0))

    binarized: Stage = sources.shared(("binarized", threshold), stage, make)
    return binarized


def own_predictions(estimator: Any, texts: Any, scores_are: Decision, scores: Array) -> OwnResults:
    """Return what an estimator predicts for N texts or rows of a table.

    The notes state which ``scores`` (N, C) are explained instead.
    """
    best = scores.argmax(axis=1)
    if not len(texts):
        return OwnResults(best, None, ())
    probabilities = np.asarray(estimator.predict_proba(texts)) if hasattr(estimator, "predict_proba") else None
    positions = {label: position for position, label in enumerate(scores_are.classes.tolist())}
    predicted = np.array([positions[label] for label in np.asarray(estimator.predict(texts)).tolist()])
    notes = []
    for own, highest in zip(predicted.tolist(), best.tolist(), strict=True):
        labels = scores_are.classes[own], scores_are.classes[highest]
        differs = (f"The model itself predicts {labels[0]}, but the highest score is that of {labels[1]}.",)
        notes.append((*filter(None, [scores_are.note]), *(differs if own != highest else ())))
    return OwnResults(predicted, probabilities, tuple(notes))
