"""Multi-label classifiers of scikit-learn in pipelines: scores, predictions, probabilities and the first law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import textlrp
from textlrp.errors import ModelError
from textlrp.models.adapt import as_classifier

WORDS = {"law": ["court", "judge", "trial"], "med": ["doctor", "pill", "fever"], "sky": ["orbit", "moon", "rocket"]}


def corpus(documents: int, seed: int) -> tuple[list[str], Any]:
    draw = np.random.default_rng(seed)
    matrix = (draw.random((documents, 3)) < 0.4).astype(np.int64)
    matrix[:, 2] |= matrix[:, 0] & (draw.random(documents) < 0.5)
    texts = []
    for row in matrix:
        words = draw.choice(["the", "of", "it", "and", "was", "a"], 6).tolist()
        for label in np.flatnonzero(row):
            words += draw.choice(list(WORDS.values())[label], 2).tolist()
        texts.append(" ".join(words))
    return texts, matrix


TEXTS, MATRIX = corpus(120, 0)
OTHERS, _ = corpus(30, 1)
MODELS = {
    "one-vs-rest SVM": OneVsRestClassifier(LinearSVC()),
    "one-vs-rest logistic": OneVsRestClassifier(LogisticRegression()),
    "one-vs-rest naive Bayes": OneVsRestClassifier(MultinomialNB()),
    "one-vs-rest Bernoulli": OneVsRestClassifier(BernoulliNB()),
    "one-vs-rest calibrated": OneVsRestClassifier(CalibratedClassifierCV(LinearSVC(), cv=2)),
    "calibrated outputs": MultiOutputClassifier(CalibratedClassifierCV(LinearSVC(), cv=2)),
    "constant outputs": MultiOutputClassifier(DummyClassifier(strategy="prior")),
    "chain of calibrated": ClassifierChain(CalibratedClassifierCV(LinearSVC(), cv=2), order=[1, 0, 2]),
    "layers": MLPClassifier((4,), solver="lbfgs", max_iter=9, random_state=0),
    "several outputs": MultiOutputClassifier(LogisticRegression()),
    "ridge": RidgeClassifier(),
    "chain": ClassifierChain(LinearSVC(), order=[2, 0, 1]),
    "chain of decisions": ClassifierChain(LinearSVC(), chain_method="decision_function", order=[1, 2, 0]),
    "chain of probabilities": ClassifierChain(LogisticRegression(), chain_method="predict_proba"),
}


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("name", MODELS)
def test_predictions_and_probabilities_are_those_of_scikit_learn(name: str) -> None:
    pipeline = make_pipeline(TfidfVectorizer(), MODELS[name]).fit(TEXTS, MATRIX)
    model: Any = as_classifier(pipeline)
    scores = model.scores(model.encode(OTHERS))
    assert np.array_equal(scores > model.thresholds_, pipeline.predict(OTHERS))
    found = model.probabilities(scores)
    assert (found is not None) == hasattr(pipeline, "predict_proba")
    if found is not None:
        own = pipeline.predict_proba(OTHERS)
        assert np.allclose(found, np.stack([each[:, 1] for each in own], axis=1) if isinstance(own, list) else own)


@pytest.mark.parametrize("name", MODELS)
def test_relevance_plus_absorbed_is_the_score_of_every_label(name: str) -> None:
    pipeline = make_pipeline(TfidfVectorizer(), MODELS[name]).fit(TEXTS, MATRIX)
    for rule in ("epsilon", "alpha2beta1"):
        for why in textlrp.explain(pipeline, OTHERS, target="all", rule=rule, start="score"):
            size = np.abs(why.relevance).sum(axis=1) + sum(np.abs(entry) for entry in why.ledger.values())
            assert (np.abs(why.relevance.sum(axis=1) + why.absorbed - why.target_scores) <= 1e-12 * size).all()


def test_a_chain_absorbs_the_contribution_of_earlier_labels_by_name() -> None:
    vectorizer = CountVectorizer()
    pipeline = make_pipeline(vectorizer, ClassifierChain(LinearSVC(), order=[2, 0, 1])).fit(TEXTS, MATRIX)
    chain = pipeline[-1]
    predicted = pipeline.predict(OTHERS)
    whys = list(textlrp.explain(pipeline, OTHERS, target="all"))
    for row, why in zip(predicted, whys, strict=True):
        wanted = np.zeros(3)
        for position, label in enumerate(chain.order_):
            weights = chain.estimators_[position].coef_[0, len(vectorizer.vocabulary_) :]
            wanted[label] = sum(weights[k] * row[chain.order_[k]] for k in range(position))
        found = why.ledger.get(("output", "earlier labels"), np.zeros(3))
        assert np.allclose(found, wanted, rtol=1e-5, atol=1e-9)  # epsilon takes a part of it
        assert why.notes[0].startswith("The model is a chain: a predicted label enters the scores of later labels")
        assert set(why.predicted_labels) == set(map(str, np.flatnonzero(row)))
    assert any(("output", "earlier labels") in why.ledger for why in whys)
    assert "absorbed by earlier labels" in whys[int(predicted.sum(axis=1).argmax())].to_html()


def test_a_chain_of_decisions_is_led_back_to_the_words() -> None:
    pipeline = make_pipeline(CountVectorizer(), MODELS["chain of decisions"]).fit(TEXTS, MATRIX)
    model: Any = as_classifier(pipeline)
    why = textlrp.explain(pipeline, OTHERS[0], target="all")
    assert {cause for _, cause in why.ledger} <= {"bias", "stabilizer"}
    for token, relevance in zip(why.tokens, why.relevance.T, strict=True):
        if list(why.tokens).count(token) == 1 and len(token) > 1:
            without = " ".join(word for word in why.tokens if word != token)
            change = why.scores - model.scores(model.encode([without]))[0]
            assert np.allclose(relevance, change, rtol=1e-4, atol=1e-6)


def test_a_constant_label_has_a_constant_score() -> None:
    odd = MATRIX.copy()
    odd[:, 0], odd[:, 1] = 1, 0
    with pytest.warns(UserWarning, match="present in all|not present in"):
        pipeline = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LinearSVC())).fit(TEXTS, odd)
    model: Any = as_classifier(pipeline)
    scores = model.scores(model.encode(OTHERS))
    assert np.array_equal(scores > model.thresholds_, pipeline.predict(OTHERS))
    assert (scores[:, 0] == 1).all()


def test_the_fingerprint_depends_on_the_chain() -> None:
    found = {
        as_classifier(
            make_pipeline(TfidfVectorizer(), ClassifierChain(LinearSVC(), order=order)).fit(TEXTS, MATRIX)
        ).fingerprint_
        for order in ([0, 1, 2], [2, 1, 0])
    }
    assert len(found) == 2


def test_what_cannot_be_explained_is_refused_in_one_sentence() -> None:
    def refused(classifier: Any, y: Any, match: str) -> None:
        pipeline = make_pipeline(TfidfVectorizer(), classifier).fit(TEXTS, y)
        with pytest.raises(ModelError, match=match):
            textlrp.explain(pipeline, "a text")

    refused(
        MultiOutputClassifier(LinearSVC()),
        MATRIX + 1,
        "must have outputs of 0 and 1 and predict each by a",
    )
    refused(ClassifierChain(BernoulliNB()), MATRIX, "which a BernoulliNB compares with a threshold")
    log = ClassifierChain(LogisticRegression(), chain_method="predict_log_proba")
    refused(
        log, MATRIX, "must get features and pass on predictions, decisions or probabilities; got predict_log_proba"
    )
    with pytest.raises(ModelError, match="must be fitted"):
        textlrp.explain(make_pipeline(TfidfVectorizer().fit(TEXTS), ClassifierChain(LinearSVC())), "a text")
