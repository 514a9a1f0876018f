"""Random fitted scikit-learn models: explained exactly, with scikit-learn's own numbers, or refused by name."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
import skops.io
from cases import every
from laws import difference
from random_pipelines import READ, TEXTS, Model, random_model, to_dense
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler
from sklearn.svm import SVC, LinearSVC
from stated_scores import stated_scores

import textlrp
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
    r"must be finite; got .* (Fit it again|Give every class a prior above 0)",
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
        if not np.isfinite(of_scores(drawn.inputs[:1])).all():  # a naive Bayes whose weights are no numbers
            return
        (why,) = explain(of_scores, drawn.inputs[:1], method="occlusion", classes=classes)
        assert len(why.scores) == len(classes)


def check_results(drawn: Model, whys: list[Any]) -> None:
    model, inputs = drawn
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected, predicted = stated_scores(model, inputs), model.predict(inputs)
        probable = model.predict_proba(inputs) if hasattr(model, "predict_proba") else None
    options = repr(model.get_params())
    # a support vector machine adds up its support vectors, whose weights may be large and cancel
    precision = 1e-5 if "float32" in options else 1e-7 if "SVC(" in options.replace("LinearSVC(", "") else 1e-10
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


FOUND: dict[str, Any] = {
    "tuned threshold": lambda: TunedThresholdClassifierCV(LogisticRegression(), cv=2),
    "temperature of strings": lambda: CalibratedClassifierCV(LinearSVC(), method="temperature", cv=2),
    "one-vs-rest of likelihoods": lambda: OneVsRestClassifier(MultinomialNB()),
    "one-vs-rest of probabilities": lambda: OneVsRestClassifier(CalibratedClassifierCV(LinearSVC(), cv=2)),
    "one-vs-rest of pipelines": lambda: OneVsRestClassifier(make_pipeline(MaxAbsScaler(), LogisticRegression())),
    "one-vs-rest of bagging": lambda: OneVsRestClassifier(BaggingClassifier(LinearSVC(), 2, random_state=0)),
    "centroids": lambda: NearestCentroid(priors="empirical"),
    "separate probabilities": lambda: OneVsRestClassifier(SVC(kernel="linear", probability=True, random_state=0)),
    "linear one-vs-rest": lambda: OneVsRestClassifier(LogisticRegression()),
}
"""Classifiers whose random models once had other scores, predictions or probabilities, or were refused."""


@pytest.mark.filterwarnings("ignore::FutureWarning:sklearn")
@every("name", FOUND)
@every("classes", [2, 3])
def test_a_model_that_was_wrong_once_is_exact(name: str, classes: int) -> None:
    texts, labels = TEXTS[: 8 * classes], ["autos", "med", "space"][:classes]
    classifier = FOUND[name]()
    if name == "tuned threshold" and classes > 2:
        return
    model = make_pipeline(TfidfVectorizer(), classifier).fit(texts, np.repeat(labels, 8))
    check_results(Model(model, READ), list(explain(model, READ, target="all", rule="zero")))


@pytest.mark.filterwarnings("ignore:.*zero standard deviation")
def test_a_decision_that_is_not_linear_is_not_passed_on() -> None:
    """The decision_function of a NearestCentroid scales features, but its predictions do not."""
    labels = np.repeat(["a", "b"], 8)
    for classifier in (
        OneVsRestClassifier(make_pipeline(MaxAbsScaler(), NearestCentroid())),
        CalibratedClassifierCV(NearestCentroid(), cv=2),
        StackingClassifier([("a", NearestCentroid())], cv=2, stack_method="decision_function"),
    ):
        model = make_pipeline(TfidfVectorizer(), FunctionTransformer(to_dense), classifier).fit(TEXTS[:16], labels)
        with pytest.raises(ModelError, match="must pass on a decision that is linear in the features; got one with"):
            explain(model, TEXTS[0])


def test_a_pipeline_is_found_within_frozen_estimators() -> None:
    labels = np.repeat(["a", "b"], 8)
    search = GridSearchCV(make_pipeline(TfidfVectorizer(), LinearSVC()), {}, cv=2).fit(TEXTS[:16], labels)
    model = CalibratedClassifierCV(FrozenEstimator(search)).fit(TEXTS[:16], labels)
    check_results(Model(model, READ), list(explain(model, READ, target="all")))


def test_weights_of_naive_bayes_that_are_no_numbers_are_refused_without_a_warning() -> None:
    model = make_pipeline(CountVectorizer(), BernoulliNB(binarize=None)).fit(
        [f"{text} " * 9 for text in TEXTS[:16]], [0, 1] * 8
    )
    with pytest.raises(ModelError, match=r"must be finite; got .* on features from 0 to 1"):
        explain(model, TEXTS[0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_a_model_of_another_version_is_loaded_with_its_warning(tmp_path: Any, monkeypatch: Any) -> None:
    model = make_pipeline(CountVectorizer(), LinearSVC()).fit(TEXTS[:16], [0, 1] * 8)
    with monkeypatch.context() as patched:
        patched.setattr("sklearn.base.__version__", "1.3.2")
        skops.io.dump(model, tmp_path / "model.skops")
    with pytest.warns(InconsistentVersionWarning, match=r"LinearSVC from version 1\.3\.2"):
        textlrp.load(tmp_path / "model.skops")


def test_a_classifier_without_an_attribute_of_this_version_is_refused() -> None:
    model = make_pipeline(CountVectorizer(), NearestCentroid()).fit(TEXTS[:16], [0, 1] * 8)
    del model[-1].class_prior_  # scikit-learn 1.5 had none
    with pytest.raises(ModelError, match=r"must have the attributes of a model .* has no attribute 'class_prior_'"):
        explain(model, TEXTS[0])


@every("seed", range(6))
def test_a_random_model_is_explained_exactly_or_refused(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(3))
def test_many_random_models(hundred: int) -> None:
    found = [check(seed) for seed in range(1000 + 100 * hundred, 1100 + 100 * hundred)]
    assert found.count(True) >= 40
    assert found.count(False) >= 1
