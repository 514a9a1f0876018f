"""What scikit-learn users fit around and inside a pipeline: searches, calibration, ensembles, decompositions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import covering, every
from laws import score_gap
from sklearn.calibration import CalibratedClassifierCV
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC
from toys import LABELS, TEXTS

from textlrp.errors import ModelError, OptionError
from textlrp.explainers.explain import explain

TWO = slice(0, 16)
MORE = ["", "the car and the doctor saw a zebra", "Rocket, rocket! the moon-probe's engine", TEXTS[0] + TEXTS[20]]


def rows(decision: Any) -> Any:
    """Scores (N, C) as textlrp has them, of a decision function (N,) or (N, C)."""
    return np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision


RULES = ("epsilon", "arras2017", "alpha2-beta1", "zero")


def check(model: Any, expected: Any, texts: list[str] | None = None, rules: tuple[str, ...] = RULES) -> list[Any]:
    """Law 1 with the ``expected`` scores (N, C), for all classes and rules; return the last rule's explanations."""
    texts = TEXTS[:6] + MORE if texts is None else texts
    for rule in rules:
        found = list(explain(model, texts, target="all", rule=rule))
        for why, scores in zip(found, expected, strict=True):
            np.testing.assert_allclose(why.scores, scores, rtol=1e-9, atol=1e-10)
            assert score_gap(why) < 1e-10, rule
    assert any(why.relevance.any() for why in found)
    return found


# ---- searches

SEARCHES: dict[str, Any] = {
    "grid": lambda model: GridSearchCV(model, {}, cv=2),
    "random": lambda model: RandomizedSearchCV(model, {}, n_iter=1, cv=2),
    "halving grid": lambda model: HalvingGridSearchCV(model, {}, cv=2, min_resources=12),
    "halving random": lambda model: HalvingRandomSearchCV(model, {}, n_candidates=1, cv=2, min_resources=12),
    "frozen": FrozenEstimator,
}


@every("search", SEARCHES)
@every("around", ["pipeline", "classifier", "vectorizer"])
def test_a_search_is_explained_as_its_best_estimator(search: str, around: str) -> None:
    parts = [TfidfVectorizer(), LinearSVC(random_state=0)]
    plain = make_pipeline(*parts).fit(TEXTS, LABELS)
    if around == "pipeline":
        wrapped = SEARCHES[search](plain).fit(TEXTS, LABELS)
    elif around == "classifier":
        wrapped = make_pipeline(plain[0], SEARCHES[search](plain[1]).fit(plain[0].transform(TEXTS), LABELS))
    elif search == "frozen":
        wrapped = make_pipeline(FrozenEstimator(plain[0]), plain[1])
    else:
        return
    for why, other in zip(explain(wrapped, TEXTS[:3]), explain(plain, TEXTS[:3]), strict=True):
        np.testing.assert_allclose(why.relevance, other.relevance, rtol=0, atol=1e-13)
        assert why.ledger.keys() == other.ledger.keys()
        assert why.notes == ()


def test_a_search_without_a_best_estimator_says_so() -> None:
    pipeline = make_pipeline(TfidfVectorizer(), LinearSVC())
    search = GridSearchCV(pipeline, {}, cv=2, refit=False).fit(TEXTS, LABELS)
    with pytest.raises(ModelError, match=r"must have a best estimator; got a GridSearchCV\(refit=False\)"):
        explain(search, TEXTS[0])
    with pytest.raises(ModelError, match=r"must be fitted; got a GridSearchCV that is not"):
        explain(GridSearchCV(pipeline, {}), TEXTS[0])
    with pytest.raises(OptionError, match=r"got a GridSearchCV\. Put its vectorizer and it into a Pipeline"):
        explain(GridSearchCV(LinearSVC(), {}), TEXTS[0])


# ---- calibration

VECTORIZERS: dict[str, Any] = {
    "words": lambda: TfidfVectorizer(),
    "characters": lambda: TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)),
    "counts": lambda: CountVectorizer(ngram_range=(1, 2), min_df=2),
}
BASES: dict[str, Any] = {
    "svm": lambda: LinearSVC(random_state=0),
    "logistic": lambda: LogisticRegression(),
    "bayes": lambda: MultinomialNB(),
}


def mean_decision(calibrated: Any, X: Any) -> Any:
    """The mean over folds of the decisions, in a plain loop."""
    total = 0.0
    for fold in calibrated.calibrated_classifiers_:
        base = fold.estimator
        if hasattr(base, "decision_function"):
            total = total + rows(base.decision_function(X))
        elif isinstance(base, Pipeline):
            total = total + base[-1].predict_joint_log_proba(base[:-1].transform(X))
        else:
            total = total + base.predict_joint_log_proba(X)
    return total / len(calibrated.calibrated_classifiers_)


@every(
    "vectorizer, base, method, ensemble, where, classes",
    covering([*VECTORIZERS], [*BASES], ["sigmoid", "isotonic"], [True, False], ["inside", "around"], [2, 3]),
)
def test_a_calibrated_classifier_is_explained_by_its_mean_decision(
    vectorizer: str, base: str, method: str, ensemble: bool, where: str, classes: int
) -> None:
    texts, labels = TEXTS[: 8 * classes], LABELS[: 8 * classes]
    parts = VECTORIZERS[vectorizer](), BASES[base]()
    some = TEXTS[:6] + MORE
    options: dict[str, Any] = {"method": method, "ensemble": ensemble, "cv": 2}
    if where == "inside":
        model = make_pipeline(parts[0], CalibratedClassifierCV(parts[1], **options)).fit(texts, labels)
        expected = mean_decision(model[-1], model[0].transform(some))
    else:
        model = CalibratedClassifierCV(make_pipeline(*parts), **options).fit(texts, labels)
        expected = mean_decision(model, some)
    found = check(model, expected)
    for why, probabilities in zip(found, model.predict_proba(some), strict=True):
        np.testing.assert_allclose(why.probabilities, probabilities, rtol=1e-12)
        assert "before calibration" in why.notes[0]
        assert ("classifiers" in why.notes[0]) == ensemble
