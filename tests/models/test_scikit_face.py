"""The three estimators in scikit-learn's tools: clone, Pipeline, GridSearchCV, and its conventions."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import every
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from toys import KINDS, LABELS, NAMES, SENTENCES, TEXTS, learner, small

from textlrp.models.base import TextClassifier
from textlrp.models.estimators import BagOfEmbeddingsClassifier, CNNClassifier
from textlrp.records import Document

pytestmark = pytest.mark.parametrize("kind", KINDS)


def same_weights(one: TextClassifier, other: TextClassifier) -> bool:
    """Whether all weights are equal, byte for byte."""
    return {n: w.tobytes() for n, w in one.weights_.items()} == {n: w.tobytes() for n, w in other.weights_.items()}


def test_params_clone_and_repr(kind: str) -> None:
    model = small(kind, random_state=7, skip=("headers", "quotes"))
    copied = clone(model)
    assert copied is not model
    assert copied.get_params() == model.get_params()
    assert model.get_params()["random_state"] == 7
    assert model.set_params(max_tokens=9).max_tokens == 9
    assert "random_state=7" in repr(model)
    assert is_classifier(model)


def test_constructors_only_store(kind: str) -> None:
    options = {"skip": ["headers"], "random_state": np.random.RandomState(0), "class_weight": {"med": 2.0}}
    model = small(kind, **options)
    for name, value in options.items():
        assert getattr(model, name) is value


def test_learns_and_scores(kind: str) -> None:
    model = learner(kind).fit(TEXTS, LABELS)
    assert model.score(TEXTS, LABELS) > 0.9
    assert model.classes_.tolist() == list(NAMES)
    assert model.n_documents_ == len(TEXTS)


def test_in_a_pipeline(kind: str) -> None:
    upper = FunctionTransformer(lambda texts: [text.upper() for text in texts])
    pipeline = Pipeline([("shout", upper), ("classify", learner(kind))]).fit(TEXTS, LABELS)
    assert pipeline.score(TEXTS, LABELS) > 0.9
    assert pipeline.get_params()["classify__tokenizer"] == "words"


def test_cross_validation(kind: str) -> None:
    scores = cross_val_score(learner(kind), TEXTS, LABELS, cv=2)
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_grid_search(kind: str) -> None:
    grid = {"min_df": np.array([1, 2]), "max_tokens": [None, 3]}
    if kind == "cnn":
        grid = {"widths": np.array([1, 2]), "pooling": ["max", "mean"]}
    search = GridSearchCV(small(kind), grid, cv=2, error_score="raise").fit(TEXTS, LABELS)
    assert set(search.best_params_) == set(grid)
    assert search.best_estimator_.predict(TEXTS[:1])[0] in NAMES
    assert len(search.best_estimator_.fingerprint_) == 12


@every("weights", ["balanced", {"autos": 1.0, "med": 3.0, "space": 1.0}, {"med": 5}])
def test_class_weight_moves_the_model(kind: str, weights: Any) -> None:
    texts, labels = TEXTS[2:], LABELS[2:]  # classes of 6, 8 and 8
    plain = small(kind).fit(texts, labels)
    weighted = small(kind, class_weight=weights).fit(texts, labels)
    even = small(kind, class_weight=dict.fromkeys(NAMES, 1.0)).fit(texts, labels)
    assert not same_weights(plain, weighted)
    np.testing.assert_allclose(even.decision_function(texts), plain.decision_function(texts), rtol=1e-3, atol=1e-5)


def test_a_heavy_class_wins_more_texts(kind: str) -> None:
    light = learner(kind, max_epochs=8) if kind != "svm" else small(kind)
    heavy = clone(light).set_params(class_weight={"med": 1000.0, "autos": 1.0, "space": 1.0})
    unseen = ["the road the moon", "is it", "oil in orbit", "not a circle on the road", "zebra"]
    before = light.fit(TEXTS, LABELS).decision_function(unseen)
    after = heavy.fit(TEXTS, LABELS).decision_function(unseen)
    assert ((after[:, 1] - after[:, [0, 2]].max(axis=1)) > (before[:, 1] - before[:, [0, 2]].max(axis=1))).all()


@every("classes", [2, 3, 20])
def test_shapes_of_scores_and_probabilities(kind: str, classes: int) -> None:
    texts = [f"{TEXTS[n % len(TEXTS)]} topic{chr(97 + n % classes)}" for n in range(3 * classes)]
    labels = [f"class {n % classes:02d}" for n in range(3 * classes)]
    model = small(kind, max_tokens=None).fit(texts, labels)
    assert model.classes_.tolist() == sorted(set(labels))
    scores = model.decision_function(texts[:5])
    assert scores.shape == ((5,) if classes == 2 else (5, classes))
    predicted = model.predict(texts[:5])
    if classes == 2:
        np.testing.assert_array_equal(predicted, model.classes_[(scores > 0).astype(int)])
        both = model.scores(model.encode(texts[:5]))
        margin = both[:, 1] if kind == "svm" else both[:, 1] - both[:, 0]
        np.testing.assert_allclose(scores, margin, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(predicted, model.classes_[scores.argmax(axis=1)])
    if kind == "svm":
        assert not hasattr(model, "predict_proba")
        return
    probabilities = model.predict_proba(texts[:5])  # type: ignore[attr-defined]
    assert probabilities.shape == (5, classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert (probabilities >= 0).all()
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], predicted)


@every(
    "labels, expected",
    [
        ([{"autos": 3, "med": -1, "space": 20}[label] for label in LABELS], [-1, 3, 20]),
        ([label == "med" for label in LABELS], [False, True]),
        (np.array(LABELS), list(NAMES)),
        (np.array(LABELS, dtype=object), list(NAMES)),
        (pd.Series(LABELS, index=range(100, 124)), list(NAMES)),
        (pd.Series(LABELS, dtype="category"), list(NAMES)),
        (pd.DataFrame({"label": LABELS}), list(NAMES)),
        (np.array([{"autos": 0, "med": 1, "space": 2}[label] for label in LABELS], dtype=np.int8), [0, 1, 2]),
        (np.array([label == "med" for label in LABELS]), [False, True]),
    ],
)
def test_kinds_of_labels(kind: str, labels: Any, expected: list[Any]) -> None:
    model = small(kind).fit(TEXTS, labels)
    assert model.classes_.tolist() == expected
    assert [type(name) for name in model.classes_.tolist()] == [type(name) for name in expected]
    assert set(model.predict(TEXTS).tolist()) <= set(expected)


@every(
    "container",
    [
        list,
        tuple,
        np.array,
        lambda texts: np.array(texts, dtype=object),
        lambda texts: pd.Series(texts, index=range(50, 50 + len(texts))),
        lambda texts: pd.Series(texts, dtype="string"),
        lambda texts: pd.DataFrame({"text": texts}),
        lambda texts: [Document(str(n), text) for n, text in enumerate(texts)],
        iter,
    ],
)
def test_kinds_of_containers(kind: str, container: Any) -> None:
    expected = small(kind).fit(TEXTS, LABELS)
    model = small(kind).fit(container(TEXTS), container(LABELS) if container is iter else LABELS)
    assert same_weights(model, expected)
    np.testing.assert_array_equal(model.predict(container(TEXTS)), expected.predict(TEXTS))
    np.testing.assert_array_equal(model.decision_function(container(TEXTS)), expected.decision_function(TEXTS))


def test_no_texts_have_no_predictions(kind: str) -> None:
    model = small(kind).fit(TEXTS, LABELS)
    assert model.predict([]).shape == (0,)
    assert model.decision_function([]).shape == (0, 3)
    assert small(kind).fit(TEXTS[:16], LABELS[:16]).decision_function([]).shape == (0,)
    if kind != "svm":
        assert model.predict_proba([]).shape == (0, 3)  # type: ignore[attr-defined]


def test_an_unfitted_model_raises_scikit_learns_error(kind: str) -> None:
    for call in (small(kind).predict, small(kind).decision_function, small(kind).encode):
        with pytest.raises(NotFittedError):
            call(TEXTS)
    with pytest.raises(NotFittedError):
        _ = small(kind).fingerprint_


def test_a_second_fit_does_not_depend_on_the_first(kind: str) -> None:
    model = small(kind).fit(TEXTS[:16], LABELS[:16])
    model.fit(TEXTS, LABELS)
    assert same_weights(model, small(kind).fit(TEXTS, LABELS))
    assert model.classes_.tolist() == list(NAMES)


def test_a_fitted_model_can_be_sent_to_another_process(kind: str) -> None:
    model = small(kind).fit(TEXTS, LABELS)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(TEXTS), model.decision_function(TEXTS))


def test_the_default_settings_fit_too(kind: str) -> None:
    default = type(small(kind))(**({} if kind == "svm" else {"max_epochs": 1}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        default.fit(TEXTS, LABELS)
    assert default.predict(SENTENCES["med"][:2]).shape == (2,)


def test_masked_words_count_as_unknown_words(kind: str) -> None:
    model = small(kind).fit(TEXTS, LABELS)
    texts = ["the doctor gave me a pill", "the car"]
    batch = model.encode(texts)
    keep = np.ones(batch.ids.shape, dtype=bool)
    np.testing.assert_array_equal(model.scores(batch, keep=keep), model.scores(batch))
    keep[0, 1] = False
    expected = model.scores(model.encode(["the zebra gave me a pill", "the car"]))
    np.testing.assert_allclose(model.scores(batch, keep=keep), expected, rtol=1e-6)
    assert not np.allclose(model.scores(batch, keep=keep)[0], model.scores(batch)[0])


def test_presets_of_the_paper(kind: str) -> None:
    if kind == "boe":
        assert not hasattr(BagOfEmbeddingsClassifier, "arras2017")
        return
    model = type(small(kind)).arras2017(random_state=3)  # type: ignore[attr-defined]
    assert (model.tokenizer, model.max_tokens, model.random_state) == ("treebank", 400, 3)
    model.set_params(tokenizer="words", **({} if kind == "svm" else {"max_epochs": 1, "min_df": 1, "filters": 3}))
    assert model.fit(TEXTS, LABELS).predict(TEXTS[:1]).shape == (1,)
    if kind == "svm":
        assert (model.ngrams, model.sublinear_tf, model.loss, model.lowercase) == (1, False, "hinge", True)
        return
    shapes = {net: CNNClassifier.arras2017(net) for net in ("CNN1", "CNN2", "CNN3")}
    assert {n: (m.widths, m.filters) for n, m in shapes.items()} == {
        "CNN1": ((1,), 600), "CNN2": ((2,), 800), "CNN3": ((3,), 600),
    }  # fmt: skip
    assert (model.embedding_dim, model.tune_vectors, model.lowercase) == (300, False, False)
