"""Similarity by sentence encoders: the law, the fast engine against the recorded trace, and nearest documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from laws import gap

import textlrp
from textlrp import EncoderClassifier, similarity
from textlrp.explainers.similar.nearest_documents import nearest
from textlrp.lrp.composite import Composite
from textlrp.lrp.product_rules import SourceOnly
from textlrp.lrp.rules import Epsilon, Zero

pytest.importorskip("transformers")
from test_similarity import sum_gap
from tiny_encoders import LABELS, LONG, TEXTS, save_encoder

from textlrp.explainers.similar.encoder_features import sentence_embeddings

pytestmark = pytest.mark.transformers

LAW = {"float32": 2e-6, "float64": 1e-12}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoders") / "tiny", dense="Tanh")


@pytest.fixture(scope="module")
def fitted(encoder: Path) -> EncoderClassifier:
    return EncoderClassifier(encoder=encoder, C=1e4, cache=False).fit([*TEXTS, LONG], [*LABELS, "science"])


@pytest.mark.parametrize("dtype", LAW)
@pytest.mark.parametrize("rule", [None, "attnlrp"])
def test_relevance_of_pairs_plus_ledger_is_the_score(fitted: EncoderClassifier, rule: Any, dtype: str) -> None:
    for a, b in ((TEXTS[0], TEXTS[5]), (LONG, TEXTS[1]), ("", TEXTS[2])):
        found = similarity(fitted, a, b, rule=rule, dtype=dtype)
        assert found.matrix.dtype == dtype
        assert found.embedding == "sentence embedding"
        assert sum_gap(found) < LAW[dtype]
        swapped = similarity(fitted, b, a, rule=rule, dtype=dtype)
        assert gap(found.matrix - swapped.matrix.T, found.matrix, found.ledger.values()) < LAW[dtype]


def test_the_fast_engine_equals_the_recorded_trace(fitted: EncoderClassifier) -> None:
    fast = similarity(fitted, TEXTS[0], TEXTS[5], dtype="float64")
    # the engine knows presets only: a composite that names a layer is propagated through the recorded trace
    layers = {"product": SourceOnly(), "output": Zero()}
    recorded = similarity(fitted, TEXTS[0], TEXTS[5], dtype="float64", rule=Composite(layers, default=Zero()))
    size = fast.matrix, fast.ledger.values()
    assert gap(fast.score - recorded.score, *size) < 1e-12
    assert gap(fast.matrix - recorded.matrix, *size) < 1e-12
    assert gap(fast.absorbed - recorded.absorbed, *size) < 1e-12


def test_the_identity_absorbs_nothing(fitted: EncoderClassifier) -> None:
    found = similarity(fitted, TEXTS[0], TEXTS[5], dtype="float64", rule=Composite(default=Epsilon(0.5)))
    assert sum_gap(found) < LAW["float64"]
    assert "output" not in {step for step, _ in found.ledger}
    assert any(cause == "stabilizer" for _, cause in found.ledger)


def test_the_score_is_the_product_of_embeddings(fitted: EncoderClassifier) -> None:
    own = sentence_embeddings(fitted)
    corpus = [*TEXTS, LONG]
    vectors = own.embeddings(fitted.encode(corpus)).astype(np.float64)
    weight, bias = fitted.weights_["output.weight"], fitted.weights_["output.bias"]
    np.testing.assert_allclose(vectors @ weight.T + bias, fitted.scores(fitted.encode(corpus)), rtol=1e-4, atol=1e-4)
    scores = vectors @ vectors[-1] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[-1])
    found = nearest(fitted, corpus, LONG, k=3)
    assert [each.position for each in found] == np.argsort(-scores, kind="stable")[:3].tolist()
    assert [each.similarity.score for each in found] == pytest.approx(sorted(scores, reverse=True)[:3], rel=1e-5)


def test_a_sentence_transformer_needs_no_head(encoder: Path, fitted: EncoderClassifier) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    bare = sentence_transformers.SentenceTransformer(str(encoder), device="cpu")
    found = similarity(bare, TEXTS[0], TEXTS[5])
    first, second = bare.encode([TEXTS[0], TEXTS[5]])
    assert found.score == pytest.approx(float(first @ second), rel=1e-5)
    same = similarity(fitted, TEXTS[0], TEXTS[5])
    np.testing.assert_allclose(found.matrix, same.matrix, rtol=1e-4, atol=1e-6)
    assert textlrp.similarity(textlrp.wrap(bare, head=head_of(fitted)), TEXTS[0], TEXTS[5]).score == pytest.approx(
        found.score
    )


def head_of(fitted: EncoderClassifier) -> Any:
    from sklearn.linear_model import LogisticRegression

    vectors = sentence_embeddings(fitted).embeddings(fitted.encode(TEXTS))
    return LogisticRegression().fit(vectors, LABELS)
