"""NaN or infinity in scores or relevance raises one ModelError, for every kind of model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from toys import LABELS, TEXTS, VARIANTS, fitted

from textlrp.cli.predictions import predict
from textlrp.errors import ModelError
from textlrp.explainers import batch_relevance
from textlrp.explainers.explain import explain
from textlrp.models.adapt import as_classifier
from textlrp.models.base import TextClassifier
from textlrp.models.wrapping import wrap
from textlrp.records import Document

BAYES = (MultinomialNB, ComplementNB, BernoulliNB)
DOCUMENTS = [Document(f"posts/{n}", text) for n, text in enumerate(TEXTS)]


def with_a_bad_weight(variant: str, value: float) -> TextClassifier:
    model = copy.deepcopy(fitted(variant))
    model.weights_["output.bias"] = np.full_like(model.weights_["output.bias"], value)
    return model


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scikit-learn's own, in fit
@pytest.mark.parametrize("kind", BAYES, ids=lambda kind: kind.__name__)
def test_naive_bayes_without_smoothing(kind: Any) -> None:
    pipeline = make_pipeline(CountVectorizer(), kind(alpha=0.0, force_alpha=True)).fit(TEXTS, LABELS)
    with pytest.raises(ModelError, match=rf"of the {kind.__name__} must be finite; got .*inf in .* Fit it again"):
        explain(pipeline, TEXTS[0])


@pytest.mark.parametrize("wrap", [lambda each: each, OneVsRestClassifier], ids=["alone", "one vs rest"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_linear_model_whose_weights_are_not_finite(value: float, wrap: Callable[[Any], Any]) -> None:
    pipeline = make_pipeline(TfidfVectorizer(), wrap(LogisticRegression())).fit(TEXTS, LABELS)
    head = pipeline[-1]
    (head.estimators_[0] if hasattr(head, "estimators_") else head).coef_[0, 3] = value
    with pytest.raises(
        ModelError, match=r"^coef_ and intercept_ of the LogisticRegression must be finite; got .* in 1 of"
    ):
        explain(pipeline, TEXTS[0])


def test_a_pipeline_whose_scores_overflow() -> None:
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    pipeline[-1].coef_[0] = 1e308
    model = as_classifier(pipeline)
    for call in (
        lambda: explain(pipeline, DOCUMENTS[3], target="all"),
        lambda: explain(pipeline, DOCUMENTS[3], method="occlusion"),
        lambda: next(predict(model, DOCUMENTS[3:])),
    ):
        with pytest.raises(ModelError, match=r"^scores must be finite; text 'posts/3' got inf for class 'autos'"):
            call()


@every("variant", VARIANTS)
@every("value", [np.nan, np.inf])
def test_a_classifier_of_textlrp(variant: str, value: float) -> None:
    model = with_a_bad_weight(variant, value)
    calls: list[Callable[[], Any]] = [
        lambda: explain(model, DOCUMENTS[0]),
        lambda: list(explain(model, DOCUMENTS, target="all", rule="alpha2-beta1")),
        lambda: explain(model, DOCUMENTS[0], method="gradient-x-input"),
        lambda: list(predict(model, DOCUMENTS)),
        lambda: model.predict(DOCUMENTS),
        lambda: model.decision_function(DOCUMENTS),
    ]
    if hasattr(model, "predict_proba"):
        calls.append(lambda: model.predict_proba(DOCUMENTS))
    for call in calls:
        with pytest.raises(ModelError, match=r"^scores must be finite; text '.*' got (nan|inf) for class 'autos'"):
            call()


@every("value", [torch.nan, torch.inf, -torch.inf])
@every("method", ["lrp", "gradient-x-input", "occlusion"])
def test_a_torch_module(value: float, method: str) -> None:
    module = torch.nn.Sequential(torch.nn.EmbeddingBag(3, 2), torch.nn.Linear(2, 2)).eval()
    with torch.no_grad():
        module[1].bias[1] = value
    with pytest.raises(ModelError, match=r"^scores must be finite; text '1' got (nan|-?inf) for class 1"):
        explain(wrap(module, tokenizer=str.split, vocabulary={"good": 1, "film": 2}), "good film", method=method)


@pytest.mark.parametrize("place", ["relevance", "ledger"])
@pytest.mark.parametrize("method", ["lrp", "occlusion"])
def test_relevance_that_is_not_finite(place: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "_explain_by_lrp" if method == "lrp" else "_explain_by_other_method"
    original = getattr(batch_relevance, name)

    def wrong(*args: Any) -> tuple[list[batch_relevance.DocumentRelevance], list[Any]]:
        (first, *others), _ = original(*args)
        if place == "relevance":
            changed = first._replace(relevance=first.relevance * np.nan)
        else:
            changed = first._replace(ledger={("output", "bias"): np.array([np.inf])})
        return [changed, *others], [changed.relevance, *changed.ledger.values()]

    monkeypatch.setattr(batch_relevance, name, wrong)
    with pytest.raises(
        ModelError, match=r"^relevance must be finite; got (nan|inf) for text 'posts/0' with .*\. Choose"
    ):
        explain(fitted("boe"), DOCUMENTS[0], method=method)


def test_finite_relevance_with_an_infinite_sum_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    original = batch_relevance._explain_by_lrp

    def large(*args: Any) -> tuple[list[batch_relevance.DocumentRelevance], list[Any]]:
        found = [each._replace(relevance=np.full_like(each.relevance, 3e38)) for each in original(*args)[0]]
        return found, [each.relevance for each in found]

    monkeypatch.setattr(batch_relevance, "_explain_by_lrp", large)
    assert np.isfinite(explain(fitted("boe"), DOCUMENTS[0]).relevance).all()
