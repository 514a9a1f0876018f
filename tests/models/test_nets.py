"""Scores and gradients of the models, compared with torch modules, plain loops and scikit-learn's TF-IDF."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Convolution, PlainBag, PlainCNN
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from toys import LABELS, READ, TEXTS, fitted, scrambled, small

from textlrp.models.bagnet import BagNet, new_bag_weights
from textlrp.models.base import TextClassifier
from textlrp.models.convnet import ConvNet, new_convnet, plain_weights
from textlrp.models.estimators import BagOfWordsClassifier
from textlrp.models.ngrams import frequent_keys, occurrences, word_ngram_keys
from textlrp.models.packing import pack


def texts_as_ids(model: TextClassifier, texts: Any) -> list[list[int]]:
    batch = model.encode(texts)
    return [ids[:length].tolist() for ids, length in zip(batch.ids, batch.lengths, strict=True)]


def plain_cnn(model: Any) -> PlainCNN:
    tensors = {name: torch.tensor(weight) for name, weight in model.weights_.items()}
    convolutions = {
        width: Convolution(plain_weights(tensors, width).numpy(), model.weights_[f"conv{width}.bias"])
        for width in model.widths
    }
    return PlainCNN(convolutions, model.weights_["output.weight"], model.weights_["output.bias"], model.pooling)


def rarity(model: Any) -> list[float]:
    counts = model.vocabulary_.counts
    idf = np.log((1 + model.vocabulary_.documents) / (1 + counts)) + 1
    return [0.0, *(idf**model.idf_power).tolist()]


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_the_convolutional_net_is_conv1d_and_linear(pooling: str) -> None:
    model = fitted(f"cnn-{pooling}", "float64")
    plain = plain_cnn(model)
    table = torch.tensor(model.weights_["embedding"])
    expected = [plain(table[torch.tensor(ids, dtype=torch.int64)]).tolist() for ids in texts_as_ids(model, READ)]
    np.testing.assert_allclose(model.decision_function(READ), expected, rtol=1e-12, atol=1e-12)
    trace = model.trace(model.encode(READ))
    np.testing.assert_allclose(trace.scores.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_the_bag_of_embeddings_is_embedding_bag_and_linear() -> None:
    model = fitted("boe", "float64")
    weights = model.weights_
    plain = PlainBag(weights["embedding"], rarity(model), weights["output.weight"], weights["output.bias"])
    expected = [plain(ids).tolist() for ids in texts_as_ids(model, READ)]
    np.testing.assert_allclose(model.decision_function(READ), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(model.trace(model.encode(READ)).scores.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_the_weights_of_the_bag_are_scikit_learns_tfidf() -> None:
    model = small("boe", dtype="float64", idf_power=1.0).fit(TEXTS, LABELS)
    theirs = TfidfVectorizer(
        tokenizer=model.reader().words, lowercase=False, token_pattern=None, sublinear_tf=True,
        vocabulary=model.vocabulary_.words,
    ).fit(TEXTS)  # fmt: skip
    weights = model.weights_
    bag = theirs.transform(READ) @ weights["embedding"][1:]
    expected = bag @ weights["output.weight"].T + weights["output.bias"]
    np.testing.assert_allclose(model.decision_function(READ), expected, rtol=1e-12, atol=1e-12)


def gradients(value: Tensor, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    found = torch.autograd.grad(value, list(parameters.values()))
    return dict(zip(parameters, found, strict=True))


@pytest.mark.parametrize("kind", ["max", "mean", "bag"])
def test_gradients_of_training_are_those_of_the_plain_module(kind: Any) -> None:
    draw = torch.Generator().manual_seed(0)
    table = torch.randn(7, 5, generator=draw, dtype=torch.float64)
    table[0] = 0
    texts = [np.array(ids, dtype=np.int64) for ids in ([1, 2, 3, 1, 2, 3], [4], [], [5, 6, 0, 5, 1], [0, 0])]
    packed = pack(texts)
    mix = torch.randn(len(texts), 3, generator=draw, dtype=torch.float64)
    vectors = table[torch.from_numpy(packed.distinct)].requires_grad_()
    plain_table = table.clone().requires_grad_()
    net: ConvNet | BagNet
    plain: nn.Module
    if kind == "bag":
        idf = np.array([0.0, 1.0, 2.0, 1.5, 3.0, 1.2, 1.1])
        net = BagNet(table, new_bag_weights(table, classes=3, seed=1), idf)
        plain = PlainBag(table.numpy(), idf.tolist(), net.weights["output.weight"].numpy(), np.zeros(3))
        plain.bag.weight.requires_grad_()  # type: ignore[union-attr]
        scores = torch.stack([plain(ids.tolist()) for ids in texts])
        expected = gradients((scores * mix).sum(), {"table": plain.bag.weight, "output": plain.output.weight})  # type: ignore[union-attr, dict-item]
    else:
        net = new_convnet(table, widths=(1, 3), filters=(2, 4), classes=3, pooling=kind, seed=1)
        for width in (1, 3):
            net.weights[f"conv{width}.bias"] += 0.1
        convolutions = {
            width: Convolution(plain_weights(net.weights, width).numpy(), net.weights[f"conv{width}.bias"].numpy())
            for width in (1, 3)
        }
        plain = PlainCNN(convolutions, net.weights["output.weight"].numpy(), np.zeros(3), kind)
        scores = torch.stack([plain(plain_table[torch.from_numpy(ids)]) for ids in texts])
        weights = {f"conv{layer.kernel_size[0]}": layer.weight for layer in plain.convolutions}  # type: ignore[union-attr]
        biases = {f"conv{layer.kernel_size[0]}.bias": layer.bias for layer in plain.convolutions}  # type: ignore[union-attr]
        expected = gradients(
            (scores * mix).sum(), {"table": plain_table, "output": plain.output.weight, **weights, **biases}
        )  # type: ignore[dict-item]
    for weight in net.weights.values():
        weight.requires_grad_()
    (net.forward(vectors, packed, None) * mix).sum().backward()
    assert vectors.grad is not None
    torch.testing.assert_close(vectors.grad[1:], expected["table"][torch.from_numpy(packed.distinct[1:])])
    torch.testing.assert_close(net.weights["output.weight"].grad, expected["output"])
    for width in (1, 3) if kind != "bag" else ():
        found = {f"conv{width}.weight": net.weights[f"conv{width}.weight"].grad}
        torch.testing.assert_close(plain_weights(found, width), expected[f"conv{width}"])  # type: ignore[arg-type]
        torch.testing.assert_close(net.weights[f"conv{width}.bias"].grad, expected[f"conv{width}.bias"])


# ---- bag of words


def feature_names(model: BagOfWordsClassifier) -> list[str]:
    """The features in the order of the columns, in scikit-learn's notation."""
    words, base = model.vocabulary_.words, len(model.vocabulary_) + 1
    names = list(words)
    for n in range(2, model.ngrams + 1):
        for key in model.weights_[f"keys{n}"].tolist():
            numbers = []
            for _ in range(n):
                key, word = divmod(key, base)
                numbers.append(words[word - 1])
            names.append(" ".join(reversed(numbers)))
    return names


@every(
    "options",
    [
        {},
        {"ngrams": 1, "sublinear_tf": False, "loss": "hinge"},
        {"ngrams": 3},
        {"min_df": 2, "min_df_ngrams": 2, "class_weight": "balanced", "C": 0.3},
    ],
)
@every("classes", [2, 3])
def test_the_bag_of_words_is_scikit_learns_own(classes: int, options: dict[str, Any]) -> None:
    texts, labels = [*TEXTS[: 8 * classes], "the car the car the car"], [*LABELS[: 8 * classes], "autos"]
    model = small("svm", dtype="float64", idf_power=1.0, **options).fit(texts, labels)
    assert isinstance(model, BagOfWordsClassifier)
    pipeline = make_pipeline(
        TfidfVectorizer(
            tokenizer=model.reader().words,
            lowercase=False,
            token_pattern=None,
            ngram_range=(1, model.ngrams),
            sublinear_tf=model.sublinear_tf,
            vocabulary=feature_names(model),
        ),
        LinearSVC(C=model.C, loss=model.loss, class_weight=model.class_weight, random_state=0),
    ).fit(texts, labels)
    read = [text for text in READ if isinstance(text, str)]
    np.testing.assert_allclose(
        model.decision_function(read), pipeline.decision_function(read), rtol=1e-12, atol=1e-12
    )
    assert model.predict(read).tolist() == pipeline.predict(read).tolist()
    own = TfidfVectorizer(
        tokenizer=model.reader().words, lowercase=False, token_pattern=None,
        ngram_range=(1, model.ngrams), min_df=model.min_df,
    ).fit(texts)  # fmt: skip
    assert sorted(feature_names(model)) == sorted(own.get_feature_names_out())


def test_the_power_of_the_inverse_document_frequency_is_a_power() -> None:
    model = small("svm", dtype="float64", ngrams=1, idf_power=2.5).fit(TEXTS, LABELS)
    counts = CountVectorizer(
        tokenizer=model.reader().words, lowercase=False, token_pattern=None, vocabulary=feature_names(model)
    ).transform(TEXTS)  # fmt: skip
    once = TfidfTransformer(sublinear_tf=True, norm=None).fit(counts)
    weighted = normalize(once.transform(counts).multiply(once.idf_**1.5))
    expected = LinearSVC(C=model.C, random_state=0).fit(weighted, LABELS).decision_function(weighted)
    np.testing.assert_allclose(model.decision_function(TEXTS), expected, rtol=1e-12, atol=1e-12)


words = st.lists(st.integers(0, 4), max_size=9)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(words, min_size=1, max_size=5), n=st.integers(1, 3), min_df=st.integers(1, 2))
def test_ngrams_are_those_of_plain_loops(texts: list[list[int]], n: int, min_df: int) -> None:
    arrays = [np.array(ids, dtype=np.int64) for ids in texts]
    grams = [[(t, tuple(ids[t : t + n])) for t in range(len(ids) - n + 1) if all(ids[t : t + n])] for ids in texts]
    for ids, found in zip(arrays, grams, strict=True):
        keys, positions = word_ngram_keys(ids, n, 5)
        assert positions.tolist() == [t for t, _ in found]
        assert [np.base_repr(key, 5).zfill(n) for key in keys] == ["".join(map(str, gram)) for _, gram in found]
    table = frequent_keys(arrays, n, 5, min_df)
    kept = {gram for _, found in enumerate(grams) for _, gram in found}
    kept = {gram for gram in kept if sum(gram in {g for _, g in found} for found in grams) >= min_df}
    assert [np.base_repr(key, 5).zfill(n) for key in table] == sorted("".join(map(str, gram)) for gram in kept)
    placed = occurrences(arrays, [np.arange(0), table], 5)
    if n == 2:
        expected = [(k, t, sorted(kept).index(g)) for k, found in enumerate(grams) for t, g in found if g in kept]
        assert (
            sorted(zip(placed.text.tolist(), placed.position.tolist(), placed.column.tolist(), strict=True))
            == expected
        )


# ---- packing


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(words, max_size=6))
def test_packing_keeps_every_word_in_its_place(texts: list[list[int]]) -> None:
    arrays = [np.array(ids, dtype=np.int64) for ids in texts]
    packed = pack(arrays)
    assert packed.distinct[0] == 0
    assert len(packed) == len(texts)
    ends = list(pairwise(packed.starts.tolist()))
    assert [packed.distinct[packed.ids[a:b]].tolist() for a, b in ends] == texts
    grid = packed.distinct[packed.padded(min_words=3)]
    assert grid.shape[1] == max(3, *map(len, texts), 0)
    assert [row.tolist()[: len(ids)] for row, ids in zip(grid, texts, strict=True)] == texts
    assert all(not row[len(ids) :].any() for row, ids in zip(grid, texts, strict=True))


@every("variant", ["cnn-max", "cnn-mean", "boe", "svm"])
@every("dtype", ["float32", "float64"])
def test_scores_keep_the_dtype_of_the_model(variant: str, dtype: str) -> None:
    model = fitted(variant, dtype)
    assert model.decision_function(READ).dtype == dtype
    assert model.trace(model.encode(READ)).scores.dtype == getattr(torch, dtype)
    other = scrambled(model, seed=1)
    assert not np.allclose(other.decision_function(READ), model.decision_function(READ))
