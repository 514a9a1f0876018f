"""Random fitted scikit-learn models: explained exactly, with scikit-learn's own numbers, or refused by name."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from cases import every
from laws import difference
from random_pipelines import Model, random_model
from stated_scores import stated_scores

from textlrp.errors import ModelError
from textlrp.explainers.explain import explain
from textlrp.models.adapt import as_classifier

RULES = ("epsilon", "zero", "arras2017", "alpha2-beta1")
REFUSED = (
    r"must be a linear classifier, because only these are explained exactly; got a \w+\. Use one of",
    r"must be linear in its features; got a (Binarizer|PolynomialFeatures|NMF|\w+Transformer)\. Leave it out",
    r"must not change the values of features; got a FunctionTransformer whose function does\. Leave it out",
    r"must have a linear kernel, .*; got (SVC|NuSVC)\(kernel='rbf'\)\. Pass kernel='linear'",
    r"got a (SVC|NuSVC) with 3 classes, which compares them in pairs and counts votes\. Use LinearSVC",
    r"must compare Euclidean distances, .* Pass metric='euclidean'",
    r"compares with a threshold\. Put it directly after the vectorizer",
    r"must have probabilities that are a logistic function or a softmax .* Use LogisticRegression",
    r"must calibrate decisions; got method='temperature' .* Pass method='sigmoid'",
    r"must pass on probabilities or decisions; got its predictions\. Pass stack_method='auto'",
    r"must have a vectorizer for a text column; got none\. Add one",
    r"must have outputs of 0 and 1 and predict each by a decision or a probability; .* Use linear classifiers",
    r"must be finite; got .* Fit it again",
    r"must pass on a decision that is linear in the features; got one with a NearestCentroid.* Use a linear",
    r"must be fitted on one label for each text; got a DummyClassifier .* Put it into a MultiOutputClassifier",
    r"must predict the same class for the same text; .* Pass strategy='prior'",
)
"""What is refused, and what to do: any other refusal is a fault."""


def check(seed: int) -> bool | None:
    """Test the model of a seed; return whether it was explained, None if scikit-learn cannot fit it."""
    drawn = random_model(seed)
    if drawn is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r".*PassiveAggressiveClassifier is deprecated", FutureWarning)
        try:
            whys = list(explain(drawn.estimator, drawn.inputs, target="all", rule=RULES[seed % 4]))
        except ModelError as refusal:
            check_refusal(drawn, str(refusal))
            return False
    check_results(drawn, whys)
    for n in (0, 1, 3):
        alone = drawn.inputs[n : n + 1]
        (single,) = explain(drawn.estimator, alone, target="all", rule=RULES[seed % 4])
        assert difference(single, whys[n]) < 1e-9
    return True


def check_refusal(drawn: Model, message: str) -> None:
    assert "\n" not in message
    warnings.simplefilter("ignore")  # scikit-learn's own
    assert any(re.search(pattern, message) for pattern in REFUSED), message
    of_scores = getattr(drawn.estimator, "predict_proba", getattr(drawn.estimator, "decision_function", None))
    one_label = isinstance(drawn.inputs, list) and np.ndim(drawn.estimator.predict(drawn.inputs[:1])) == 1
    if "method='occlusion'" in message and of_scores is not None and one_label:
        classes = drawn.estimator.classes_
        (why,) = explain(of_scores, drawn.inputs[:1], method="occlusion", classes=classes)
        assert len(why.scores) == len(classes)


def check_results(drawn: Model, whys: list[Any]) -> None:
    model, inputs = drawn
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected, predicted = stated_scores(model, inputs), model.predict(inputs)
        probable = model.predict_proba(inputs) if hasattr(model, "predict_proba") else None
    precision = 1e-5 if "float32" in repr(model.get_params()) else 1e-10
    scores = np.array([why.scores for why in whys])
    assert scores.shape == expected.shape
    np.testing.assert_allclose(scores, expected, rtol=0, atol=precision * max(1e-9, abs(expected).max()))
    for why in whys:  # a score of 0 may have parts that only rounding leaves
        size = abs(why.relevance).sum(axis=1) + sum(abs(entry) for entry in why.ledger.values())
        missing = abs(why.relevance.sum(axis=1) + why.absorbed - why.start_scores)
        assert (missing <= 1e-10 * size + 1e-15 * abs(why.scores).max() + 1e-300).all()
    labels = [str(label) for label in as_classifier(model).classes_.tolist()]
    for own, why in zip(np.asarray(predicted).tolist(), whys, strict=True):
        if isinstance(own, list):
            assert {labels[c] for c in np.flatnonzero(own)} == set(why.predicted_labels)
        elif labels[why.predicted] != str(own) and np.ptp(np.sort(why.scores)[-2:]) > 1e-12 * abs(why.scores).max():
            assert any(f"The model itself predicts {own}, but the highest score is" in note for note in why.notes)
    if whys[0].probabilities is None:
        assert probable is None or whys[0].thresholds is not None
        return
    if isinstance(probable, list):
        probable = np.stack([each[:, 1] for each in probable], axis=1)
    shown = np.array([why.probabilities for why in whys])
    np.testing.assert_allclose(shown, probable, rtol=0, atol=precision)


@every("seed", range(24))
def test_a_random_model_is_explained_exactly_or_refused(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(6))
def test_many_random_models(hundred: int) -> None:
    found = [check(seed) for seed in range(1000 + 100 * hundred, 1100 + 100 * hundred)]
    assert found.count(True) >= 40
    assert found.count(False) >= 1
