"""A real model that others trained: the calibrated support vector machine of the package alt-profanity-check."""

from __future__ import annotations

import warnings
from importlib.resources import files

import numpy as np
import pytest
from laws import score_gap
from sklearn.pipeline import make_pipeline

from textlrp.explainers.explain import explain

package = pytest.importorskip("profanity_check")
pytestmark = [pytest.mark.slow, pytest.mark.transformers]
TEXTS = (
    "what a stupid idiot wrote this wonderful report",
    "The meeting is on Monday; please bring the damn slides.",
    "",
    "Thank you for the flowers, you lovely people",
)


def test_relevance_and_ledger_sum_to_the_mean_decision_of_its_folds() -> None:
    joblib = pytest.importorskip("joblib")
    data = files("profanity_check") / "data"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package was trained with another version of scikit-learn
        vectorizer, model = (joblib.load(data / f"{name}.joblib") for name in ("vectorizer", "model"))
    pipeline = make_pipeline(vectorizer, model)
    features = vectorizer.transform(TEXTS)
    decisions = [fold.estimator.decision_function(features) for fold in model.calibrated_classifiers_]
    own = package.predict_prob(list(TEXTS))
    for n, why in enumerate(explain(pipeline, TEXTS, target="all", rule="zero", dtype="float64")):
        mean = sum(float(decision[n]) for decision in decisions) / len(decisions)
        assert why.scores[1] == pytest.approx(mean, abs=1e-12)
        assert abs(why.relevance[1].sum() + why.absorbed[1] - mean) < 1e-10
        assert score_gap(why) < 1e-10
        assert why.probabilities is not None
        assert why.probabilities[1] == pytest.approx(own[n], abs=1e-12)
        by_word = np.zeros(len(why.tokens))
        for fold in model.calibrated_classifiers_:
            for place, word in enumerate(why.tokens.forms):
                column = vectorizer.vocabulary_.get(word)
                if column is not None and why.seen[place]:
                    share = fold.estimator.coef_[0, column] * features[n, column] / why.tokens.forms.count(word)
                    by_word[place] += share / len(decisions)
        np.testing.assert_allclose(why.relevance[1], by_word, rtol=1e-9, atol=1e-12)
    assert [each.word for each in next(explain(pipeline, TEXTS[:1], target=1)).top(2)] == ["idiot", "stupid"]
