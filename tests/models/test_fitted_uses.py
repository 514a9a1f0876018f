"""What else is done with fitted scikit-learn models: other methods, deletion, files, refusals, random corpora."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io
import torch
from cases import covering, every
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import score_gap
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer, KBinsDiscretizer, MinMaxScaler, Normalizer
from sklearn.svm import SVC, LinearSVC
from test_fitted_classifiers import calibrated, dense, fitted, lr, perceptron, svm
from test_fitted_models import rows
from toys import LABELS, TEXTS

import textlrp
from textlrp.bulk import BatchExplainer
from textlrp.errors import ModelError
from textlrp.evaluation.measured_corpus import score_corpus
from textlrp.explainers.explain import explain
from textlrp.explanation_data import from_dict
from textlrp.lrp.composite import Composite
from textlrp.lrp.rules import Gamma, Zero
from textlrp.models.pipeline.links import interpolated
from textlrp.models.pipeline.pipeline_model import PipelineModel, pipeline_model
from textlrp.records import Document
from textlrp.reports.corpus.report_files import list_page
from textlrp.store import read, write

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
MODELS: dict[str, Callable[[], Any]] = {
    "search": lambda: GridSearchCV(make_pipeline(TfidfVectorizer(), svm()), {}, cv=2).fit(TEXTS, LABELS),
    "calibrated": lambda: fitted(TfidfVectorizer(), calibrated()),
    "around": lambda: CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), svm()), cv=2).fit(TEXTS, LABELS),
    "frozen": lambda: CalibratedClassifierCV(FrozenEstimator(fitted(TfidfVectorizer(), svm()))).fit(TEXTS, LABELS),
    "lsa": lambda: fitted(TfidfVectorizer(), TruncatedSVD(5, random_state=0), Normalizer(), lr()),
    "vote": lambda: fitted(CountVectorizer(), VotingClassifier([("a", lr()), ("b", BernoulliNB())], voting="soft")),
    "stack": lambda: fitted(CountVectorizer(), StackingClassifier([("a", lr()), ("b", svm())], cv=2)),
    "net": lambda: fitted(TfidfVectorizer(), perceptron("tanh", 4)()),
}
TEXT = "the doctor drove the car to the moon"


@every("name", MODELS)
def test_other_methods_explain_every_model(name: str) -> None:
    model = MODELS[name]()
    adapted = pipeline_model(model)
    batch = adapted.encode([TEXT])
    scores = adapted.scores(batch)
    for method in ("gradient-x-input", "squared-gradient", "integrated-gradients", "occlusion"):
        why = explain(model, TEXT, target="all", method=method)
        assert why.relevance.any()
        np.testing.assert_allclose(why.scores, scores[0], rtol=1e-9)
        if method == "integrated-gradients":
            assert score_gap(why) < 1e-6
    keep = np.ones((1, int(batch.lengths[0])), dtype=bool)
    keep[0, 1] = False
    by_hand = scores[0] - adapted.scores(adapted.encode([TEXT.replace("doctor", "      ")]))[0]
    np.testing.assert_allclose(scores[0] - adapted.scores(batch, keep=keep)[0], by_hand, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(why.relevance[:, 1], by_hand, rtol=1e-9, atol=1e-10)


@every("name", MODELS)
def test_a_batch_gives_what_single_texts_give_and_a_loaded_model_the_same(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    skops.io.dump(model, tmp_path / "model.skops")
    loaded = textlrp.load(tmp_path / "model.skops")
    assert isinstance(loaded, PipelineModel)
    assert loaded.fingerprint_ == pipeline_model(model).fingerprint_
    texts = [TEXT, "", "zebra", TEXTS[5], TEXTS[0] * 3]
    for why, other in zip(explain(loaded, texts), [explain(model, text) for text in texts], strict=True):
        np.testing.assert_allclose(why.relevance, other.relevance, atol=1e-12)
        np.testing.assert_allclose(why.scores, other.scores, atol=1e-12)
        assert why.notes == other.notes


# ---- perceptrons


@every("activation", ["relu", "tanh", "logistic", "identity"])
@every("rule", ["zero", "epsilon", "gamma", "alpha2-beta1", "arras2017"])
def test_a_perceptron_is_explained_as_the_same_torch_module(activation: str, rule: str) -> None:
    """The second opinion: a module with the same weights over a bag of words, recorded by operations."""
    pipeline = fitted(CountVectorizer(), perceptron(activation, 6, 5)())
    vocabulary = {word: column + 1 for word, column in pipeline[0].vocabulary_.items()}
    units = {"relu": torch.relu, "tanh": torch.tanh, "logistic": torch.sigmoid, "identity": lambda values: values}

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = [len(vocabulary), 6, 5, 3]
            self.words = torch.nn.Embedding(len(vocabulary) + 1, sizes[1], dtype=torch.float64)
            self.hidden = torch.nn.Linear(6, 5, dtype=torch.float64)
            self.last = torch.nn.Linear(5, 3, dtype=torch.float64)
            self.bias = torch.nn.Parameter(torch.from_numpy(pipeline[1].intercepts_[0]))
            with torch.no_grad():
                self.words.weight[0] = 0
                self.words.weight[1:] = torch.from_numpy(pipeline[1].coefs_[0])
                for layer, weight, bias in zip(
                    (self.hidden, self.last), pipeline[1].coefs_[1:], pipeline[1].intercepts_[1:], strict=True
                ):
                    layer.weight.copy_(torch.from_numpy(weight.T))
                    layer.bias.copy_(torch.from_numpy(bias))

        def forward(self, ids: Any) -> Any:
            act = units[activation]
            return self.last(act(self.hidden(act(self.words(ids).sum(dim=1) + self.bias))))

    module = textlrp.wrap(
        Net().eval(), tokenizer=str.split, vocabulary=vocabulary, classes=pipeline.classes_.tolist()
    )
    text = "doctor car moon engine orbit"
    # below the first layer the two have different inputs, words and dimensions: LRP-0 is the same for both
    composite = {"zero": Zero(), "gamma": Gamma()}.get(rule)
    first = Composite({"hidden1": Zero()}, default=composite) if composite else None
    if first is None or activation == "identity":
        why = explain(pipeline, text, target="all", rule=rule, start="score")
        assert score_gap(why) < 1e-11
        return
    other = Composite(default=composite)
    why = explain(pipeline, text, target="all", rule=first, start="score")
    same = explain(module, text, target="all", rule=other, start="score")
    np.testing.assert_allclose(why.scores, same.scores, rtol=1e-9)
    known = why.seen
    np.testing.assert_allclose(why.relevance[:, known], same.relevance[:, same.seen], rtol=1e-7, atol=1e-10)


def test_each_layer_of_a_perceptron_takes_a_rule_by_name() -> None:
    pipeline = fitted(CountVectorizer(), perceptron("relu", 6, 5)())
    why = explain(pipeline, TEXT, rule=Composite({"hidden1": Gamma(), "output": Zero()}))
    assert score_gap(why) < 1e-10
    assert {step for step, _ in why.ledger} >= {"hidden1", "hidden2", "output"}
    with pytest.raises(textlrp.errors.RuleError, match="no layer 'hidden3'"):
        explain(pipeline, TEXT, rule=Composite({"hidden3": Gamma()}))


# ---- probabilities as activations


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=6, unique=True),
    st.lists(st.floats(-5, 5), min_size=1, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_isotonic_curves_are_numpys_interpolation(points: list[float], values: list[float]) -> None:
    xs = np.sort(np.round(points, 3))
    xs = np.unique(xs)
    ys = np.linspace(0.1, 0.9, len(xs))
    found = interpolated(xs, ys)(torch.tensor(values, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(found, np.interp(values, xs, ys), atol=1e-12)


def test_a_word_that_raises_a_probability_supports_it() -> None:
    """The share of a word has the sign of its effect on the decision, also where the probability is small."""
    vote = fitted(CountVectorizer(), VotingClassifier([("only", lr())], voting="soft"), classes=2)
    weight, vocabulary = vote[1].estimators_[0].coef_[0], vote[0].vocabulary_
    for text in (*TEXTS[:16], TEXT):
        why = explain(vote, text, target="all", rule="zero")
        for place, word in enumerate(why.tokens.forms):
            if word in vocabulary:
                assert np.sign(why.relevance[1, place]) == np.sign(weight[vocabulary[word]])


# ---- random corpora

WORDS = st.lists(st.sampled_from(["car", "moon", "doctor", "Straße", "naïve", "x-ray", "über", "the"]), max_size=9)
KINDS = covering(["count", "tfidf", "char"], ["svd", "none", "lsa"], ["calibrated", "vote", "net", "stack"])


@pytest.mark.parametrize("seed", range(2))
@given(corpus=st.lists(WORDS, min_size=4, max_size=8), kind=st.sampled_from(KINDS))
@settings(max_examples=8, deadline=None)
def test_law_1_for_random_corpora(seed: int, corpus: list[list[str]], kind: tuple[str, str, str]) -> None:
    texts = [" ".join(words) + " car moon" for words in corpus] * 2 + ["car car", "moon doctor"] * 3
    labels = ["a", "b"] * (len(texts) // 2)
    vectorizer = {
        "count": CountVectorizer(binary=bool(seed)), "tfidf": TfidfVectorizer(ngram_range=(1, 2)),
        "char": TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)),
    }[kind[0]]  # fmt: skip
    between = {"svd": [TruncatedSVD(2, random_state=0)], "none": [], "lsa": [TruncatedSVD(2), Normalizer()]}[kind[1]]
    last = {
        "calibrated": calibrated(base=lr()),
        "vote": VotingClassifier([("a", lr()), ("b", calibrated())], voting="soft"),
        "net": MLPClassifier((3,), solver="lbfgs", max_iter=5, random_state=seed),
        "stack": StackingClassifier([("a", lr()), ("b", svm())], cv=2, passthrough=True),
    }[kind[2]]
    model = make_pipeline(vectorizer, *between, last).fit(texts, labels)
    for rule in ("zero", "epsilon"):
        for why in explain(model, [texts[0], texts[-1], "naïve moon"], target="all", rule=rule):
            assert score_gap(why) < 1e-9


# ---- refusals


@every(
    "steps, message",
    [
        ([RandomForestClassifier(2)], "must be a linear classifier, because only these are explained exactly; got a"),
        ([KNeighborsClassifier(1)], "must be a linear classifier, because only these are explained exactly; got a"),
        ([SVC(kernel="rbf")], "must have a linear kernel, so that its score is linear in the features"),
        ([FunctionTransformer(dense, accept_sparse=True), GaussianNB()], "got a GaussianNB"),
        ([Binarizer(), LinearSVC()], "step 'binarizer' must be linear in its features; got a Binarizer"),
        ([NMF(2, max_iter=3), LinearSVC()], "step 'nmf' must be linear in its features; got a NMF"),
        ([TruncatedSVD(2), MinMaxScaler(clip=True), LinearSVC()], "'minmaxscaler' must be linear in its features"),
        ([TruncatedSVD(2), KBinsDiscretizer(2, quantile_method="averaged_inverted_cdf"), LinearSVC()],
         "'kbinsdiscretizer' must be linear in its features; got a KBinsDiscretizer"),
        ([TruncatedSVD(2), BernoulliNB()], "'bernoullinb' must get features of words; got sums of features"),
        ([NearestCentroid(metric="manhattan")], "must compare Euclidean distances"),
        ([CalibratedClassifierCV(RandomForestClassifier(2), cv=2)], "got a RandomForestClassifier"),
        ([VotingClassifier([("a", RandomForestClassifier(2))])], "step 'a' must be a linear classifier"),
        ([VotingClassifier([("a", SVC(kernel="linear", probability=False)), ("b", KNeighborsClassifier(1))])],
         "step 'b' must be a linear classifier"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*probability.*:FutureWarning")
def test_models_that_are_not_linear_are_refused_and_the_other_way_is_named(steps: list[Any], message: str) -> None:
    model: Pipeline = fitted(CountVectorizer(), *steps, classes=2)
    with pytest.raises(ModelError) as refused:
        pipeline_model(model)
    assert message in str(refused.value)
    assert "textlrp.explain(model.predict_proba, texts, method='occlusion', classes=model" in str(refused.value)


def test_a_function_that_changes_values_is_refused_at_the_first_text() -> None:
    model = fitted(CountVectorizer(), FunctionTransformer(lambda X: X * 2, accept_sparse=True), LinearSVC())
    with pytest.raises(ModelError, match=r"'functiontransformer' must not change the values of features"):
        explain(model, TEXT)


def test_predictions_other_than_the_highest_score_are_noted() -> None:
    model = fitted(CountVectorizer(), CalibratedClassifierCV(svm(), cv=2, method="isotonic"))
    texts = [*TEXTS, TEXT, "car doctor", "moon doctor car", "the", "engine pill orbit"]
    predicted = model.predict(texts)
    found = list(explain(model, texts, method="random"))
    differs = 0
    for why, own in zip(found, predicted, strict=True):
        highest = why.labels[int(why.scores.argmax())]
        noted = f"The model itself predicts {own}, but the highest score is that of {highest}." in why.notes
        assert noted == (own != highest)
        differs += noted
    threshold = fitted(CountVectorizer(), FixedThresholdClassifier(lr(), threshold=0.9), classes=2)
    assert "before its decision threshold" in explain(threshold, TEXT).notes[0]


def biased() -> LogisticRegression:
    return LogisticRegression(C=1e-3, class_weight={0: 3, 1: 1, 2: 1})


OTHERWISE: dict[str, Callable[[], Any]] = {
    "calibrated": lambda: fitted(CountVectorizer(), calibrated()),
    "threshold": lambda: fitted(CountVectorizer(), FixedThresholdClassifier(lr(), threshold=0.95), classes=2),
    # two of three classifiers always vote for the first class; the third one is surer
    "vote": lambda: fitted(
        CountVectorizer(),
        VotingClassifier([("a", LogisticRegression(C=1000)), *((name, biased()) for name in "bc")]),
    ),
}


@every("name", OTHERWISE)
def test_pages_reports_tables_and_evaluation_have_the_predictions_of_the_model(name: str, tmp_path: Path) -> None:
    model = OTHERWISE[name]()
    texts = [*TEXTS[:16], TEXT, "car doctor", "moon doctor car", "the", "engine pill orbit"]
    documents = [Document(str(n), text, LABELS[n % 16]) for n, text in enumerate(texts)]
    predicted = model.predict(texts).tolist()
    whys = list(explain(model, documents))
    assert [why.labels[why.predicted] for why in whys] == [*map(str, predicted)]
    assert [why.targets for why in whys] == [(why.predicted,) for why in whys]
    assert any(why.own_prediction is not None for why in whys)
    assert all(score_gap(why) < 1e-9 for why in whys)
    for why in whys:
        assert f"<strong><bdi>{why.labels[why.predicted]}</bdi></strong>" in why.to_html().partition("<main>")[0]
        assert from_dict(why.to_dict()).predicted == why.predicted
    correct = sum(document.label == own for document, own in zip(documents, predicted, strict=True))
    assert f"({correct} of {len(texts)} labeled documents)" in list_page(whys)
    for file in ("whys.jsonl", "whys.parquet"):
        assert [why.predicted for why in read(write(whys, tmp_path / file))] == [why.predicted for why in whys]
    table = BatchExplainer(pipeline_model(model))(pa.table({"text": texts}))
    assert table["predicted"].to_pylist() == [*map(str, predicted)]
    assert score_corpus(pipeline_model(model), documents).accuracy == pytest.approx(correct / len(texts))


def test_rows_of_two_classes_are_minus_f_and_f() -> None:
    assert rows(np.array([2.0])).tolist() == [[-2.0, 2.0]]


def test_batches_and_measures_take_a_model_of_scikit_learn_as_it_is() -> None:
    bare = MODELS["lsa"]()
    table = pa.table({"text": TEXTS})
    assert BatchExplainer(bare)(table).equals(BatchExplainer(pipeline_model(bare))(table))
    documents = [Document(str(n), text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]
    np.testing.assert_array_equal(
        score_corpus(bare, documents).scores, score_corpus(pipeline_model(bare), documents).scores
    )
