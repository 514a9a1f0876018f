"""Document vectors against plain sums, and the explanatory power index of six documents computed manually."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from toys import LABELS, TEXTS, fitted, scrambled

from textlrp.errors import DataError, ModelError
from textlrp.evaluation.docvectors import document_vectors, map_positions_of, weightings_of
from textlrp.evaluation.measured_corpus import score_corpus
from textlrp.evaluation.neighbor_accuracy import explanatory_power
from textlrp.explainers.explain import explain
from textlrp.lrp.presets import as_composite
from textlrp.records import Document

EPSILON = as_composite("epsilon")
DOCUMENTS = [Document(str(n), text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]


def corpus_of(variant: str) -> Any:
    return score_corpus(scrambled(fitted(variant, "float64"), 3), DOCUMENTS)


@pytest.mark.parametrize("variant", ["cnn-max", "cnn-mean", "boe"])
@pytest.mark.parametrize("weighting", ["lrp", "squared-gradient"])
def test_vectors_are_sums_of_word_vectors_times_relevance(variant: str, weighting: Any) -> None:
    corpus = corpus_of(variant)
    found = document_vectors(corpus, weighting, composite=EPSILON)
    table = corpus.model.weights_["embedding"]
    method = "lrp" if weighting == "lrp" else "squared-gradient"
    for row, why in zip(found, explain(corpus.model, DOCUMENTS, method=method), strict=True):
        expected = sum(
            value * table[corpus.model.vocabulary_.ids([form])[0]]
            for value, form, seen in zip(why.relevance[0], why.tokens.forms, why.seen, strict=True)
            if seen
        )
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("variant", ["cnn-max", "cnn-mean", "boe"])
def test_elementwise_squared_gradients(variant: str) -> None:
    import torch

    corpus = corpus_of(variant)
    found = document_vectors(corpus, "squared-gradient-elementwise", composite=EPSILON)
    for n, document in enumerate(DOCUMENTS[:6]):
        batch = corpus.model.encode([document])
        point = corpus.model.input_point(batch, 0)
        leaf = point.inputs[None].detach().requires_grad_()
        (gradient,) = torch.autograd.grad(point.forward(leaf)[0, corpus.predicted[n]], leaf)
        expected = (gradient[0].square() * point.inputs).sum(dim=0).numpy()
        np.testing.assert_allclose(found[n], expected, rtol=1e-9, atol=1e-12)


def test_elementwise_lrp_of_a_window_matches_manual_result() -> None:
    """One word, one width: a dimension gets x_d w_fd / z_f of the relevance of filter f."""
    from toys import small

    model = small("cnn", widths=1, dtype="float64").fit(TEXTS, LABELS)
    model = scrambled(model, 1)
    corpus = score_corpus(model, [Document("0", "orbit", "space")])
    x = model.weights_["embedding"][model.vocabulary_.ids(["orbit"])[0]]
    w, b = model.weights_["conv1.weight"], model.weights_["conv1.bias"]
    v, c = model.weights_["output.weight"], model.weights_["output.bias"]
    z = x @ w + b
    p = np.maximum(z, 0)
    scores = p @ v.T + c
    k = scores.argmax()
    epsilon = 1e-6
    received = np.zeros(5)
    for f in range(4):
        top = p[f] * v[k, f] / (scores[k] + epsilon * np.sign(scores[k])) * scores[k]
        for d in range(5):
            received[d] += x[d] * w[d, f] / (z[f] + epsilon * (1 if z[f] >= 0 else -1)) * top
    found = document_vectors(corpus, "lrp-elementwise", composite=EPSILON)
    np.testing.assert_allclose(found[0], received * x, rtol=1e-9)


def test_tfidf_and_uniform_weights() -> None:
    corpus = corpus_of("cnn-max")
    table, words = corpus.model.weights_["embedding"], corpus.model.vocabulary_
    idf = dict(zip(words.words, words.inverse_frequencies(), strict=True))
    uniform = document_vectors(corpus, "uniform", composite=EPSILON)
    tfidf = document_vectors(corpus, "tfidf", composite=EPSILON)
    for n, text in enumerate(TEXTS):
        forms = [form for form in text.split() if form in idf]
        vectors = table[words.ids(forms)]
        np.testing.assert_allclose(uniform[n], vectors.sum(axis=0), rtol=1e-9)
        np.testing.assert_allclose(tfidf[n], np.array([idf[form] for form in forms]) @ vectors, rtol=1e-9)


def test_a_bag_of_words_has_vectors_of_its_features() -> None:
    corpus = corpus_of("svm")
    model = corpus.model
    features = document_vectors(corpus, "tfidf", composite=EPSILON).toarray()
    weight, bias = model.weights_["output.weight"], model.weights_["output.bias"]
    scores = features @ weight.T + bias
    lrp = document_vectors(corpus, "lrp", composite=as_composite("zero")).toarray()
    np.testing.assert_allclose(lrp, features * weight[scores.argmax(axis=1)], rtol=1e-9, atol=1e-12)
    present = document_vectors(corpus, "uniform", composite=EPSILON).toarray()
    assert np.array_equal(present, (features != 0).astype(float))
    squared = document_vectors(corpus, "squared-gradient", composite=EPSILON).toarray()
    np.testing.assert_allclose(squared, present * weight[scores.argmax(axis=1)] ** 2, rtol=1e-9)
    assert "lrp-elementwise" not in weightings_of(model)
    with pytest.raises(ModelError, match="no document vectors"):
        document_vectors(corpus, "lrp-elementwise", composite=EPSILON)


# ---- the index


def test_six_documents_match_manual_results() -> None:
    """Two directions, three documents each: the nearest neighbor has the same class if the known half contains it."""
    vectors = np.array([[1, 0.0], [1, 0.1], [1, 0.2], [0, 1.0], [0.1, 1], [0.2, 1]])
    labels = ["a", "a", "a", "b", "b", "b"]
    found = explanatory_power(vectors, labels, n_splits=4, max_neighbors=3, seed=1)
    draw = np.random.default_rng(1)
    nearest, all_three = [], []
    for _ in range(4):
        order = draw.permutation(6)
        known, held_out = order[:3].tolist(), order[3:].tolist()
        classes = [labels[k] for k in known]
        nearest.append(np.mean([labels[n] in classes for n in held_out]))
        winner = "a" if classes.count("a") >= 2 else "b"
        all_three.append(np.mean([labels[n] == winner for n in held_out]))
    assert found.accuracy[0] == pytest.approx(np.mean(nearest))
    assert found.accuracy[2] == pytest.approx(np.mean(all_three))
    assert found.epi == found.accuracy.max()
    assert found.k == int(found.accuracy.argmax()) + 1
    assert found.accuracy_sd[0] == pytest.approx(np.std(nearest, ddof=1))


def test_the_vote_is_scikit_learns() -> None:
    draw = np.random.default_rng(1)
    vectors, labels = draw.normal(size=(60, 4)), draw.integers(3, size=60)
    found = explanatory_power(vectors, labels.tolist(), n_splits=2, max_neighbors=7, seed=5)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    again = np.random.default_rng(5)
    expected = np.zeros((2, 7))
    for split in range(2):
        order = again.permutation(60)
        known, held_out = order[:30], order[30:]
        for k in range(1, 8):
            model = KNeighborsClassifier(k, metric="cosine").fit(unit[known], labels[known])
            expected[split, k - 1] = model.score(unit[held_out], labels[held_out])
    np.testing.assert_allclose(found.accuracy, expected.mean(axis=0))
    # the contributions of the documents at the best K
    assert found.k > 1
    again, right = np.random.default_rng(5), np.zeros(60)
    for _ in range(2):
        order = again.permutation(60)
        known, held_out = order[:30], order[30:]
        predicted = KNeighborsClassifier(found.k, metric="cosine").fit(unit[known], labels[known]).predict(unit)
        right[held_out] += (predicted == labels)[held_out]
    np.testing.assert_allclose(found.values, right)  # a document is held out once on average
    assert found.values.mean() == pytest.approx(found.epi)


def test_documents_without_a_known_word_are_not_the_neighbors_of_others() -> None:
    """By distance a zero vector would be a near neighbor of dissimilar documents; by cosine it is similar to none."""
    unlike = np.eye(20) + 0.02
    vectors = np.concatenate([unlike, np.zeros((1, 20))])
    found = explanatory_power(vectors, ["a"] * 20 + ["empty"], max_neighbors=1, n_splits=20)
    assert found.epi > 0.9


def test_random_vectors_are_at_chance() -> None:
    draw = np.random.default_rng(0)
    found = explanatory_power(draw.normal(size=(800, 10)), draw.integers(4, size=800).tolist(), max_neighbors=1)
    assert found.epi == pytest.approx(1 / 4, abs=0.05)


def test_too_few_documents() -> None:
    with pytest.raises(DataError, match="at least 4 documents, 2 per half; got 3"):
        explanatory_power(np.ones((3, 2)), ["a", "b", "a"])
    with pytest.raises(DataError, match="at least 2 documents to draw a map; got 1"):
        map_positions_of(np.ones((1, 2)))


def test_a_map_has_the_largest_variance_on_the_first_axis() -> None:
    angles = np.linspace(0, 1, 9)
    drawn = map_positions_of(np.stack([np.cos(angles), np.sin(angles), np.zeros(9)], axis=1))
    assert drawn.coordinates.shape == (9, 2)
    assert drawn.explained_variance_ratio[0] > drawn.explained_variance_ratio[1]
    assert np.all(np.diff(drawn.coordinates[:, 0]) > 0) or np.all(np.diff(drawn.coordinates[:, 0]) < 0)
