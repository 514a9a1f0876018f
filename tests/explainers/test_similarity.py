"""Similarity: relevance of pairs + ledger is the score; the closed form equals plain loops and recorded traces."""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import gap
from plain_nets import plain_module
from reference import RECIPES, table_bounds
from reference_similarity import Features, dimensions_of, filters_of, ngrams_of, pairs_of
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler
from test_laws import convolutions, features
from toys import LABELS, READ, TEXTS, VARIANTS, fitted

import textlrp
from textlrp import similarity
from textlrp.errors import DataError, ModelError, OptionError, RuleError
from textlrp.explainers.similar.feature_relevance import feature_relevance
from textlrp.explainers.similar.nearest_documents import nearest
from textlrp.lrp.composite import Composite
from textlrp.lrp.presets import as_composite
from textlrp.lrp.recorded.record import record
from textlrp.lrp.rules import Epsilon, Zero
from textlrp.lrp.trace import propagate
from textlrp.records import Document, Status
from textlrp.similar_texts import Similarity

LAW = {"float32": 2e-6, "float64": 1e-13}
RULES = ("zero", "epsilon", "arras2017", "alpha2-beta1", "epsilon-gamma-box", "deep_taylor", "flat")
"""Presets that have every rule at least once."""

each_variant = pytest.mark.parametrize("variant", VARIANTS)


def sum_gap(found: Similarity, *, without: tuple[str, str] | None = None) -> float:
    """The difference between relevance + ledger and the score, relative to the sum of all sizes."""
    absorbed = sum(entry for key, entry in found.ledger.items() if key != without)
    missing = found.matrix.sum(dtype=np.float64) + absorbed - found.score
    return gap(missing, found.matrix, found.ledger.values())


def text_of(document: str | Document) -> str:
    return document.text if isinstance(document, Document) else document


# ---- the law


words = st.sampled_from([*" ".join(map(text_of, READ)).split()[:60], "zzz", "?", "7"])
random_texts = st.lists(words, max_size=25).map(" ".join)


@settings(max_examples=20, deadline=None)
@given(
    a=random_texts, b=random_texts, variant=st.sampled_from(VARIANTS), rule=st.sampled_from(RULES),
    dtype=st.sampled_from(tuple(LAW)), normalize=st.booleans(),
)  # fmt: skip
def test_relevance_of_pairs_plus_ledger_is_the_score(
    a: str, b: str, variant: str, rule: str, dtype: str, normalize: bool
) -> None:
    model = fitted(variant, "float64")
    found = similarity(model, a, b, rule=rule, normalize=normalize, dtype=dtype)
    assert found.matrix.dtype == dtype
    assert sum_gap(found) < LAW[dtype]
    swapped = similarity(model, b, a, rule=rule, normalize=normalize, dtype=dtype)
    size = found.matrix, found.ledger.values()
    assert found.score == pytest.approx(swapped.score, rel=1e-12, abs=1e-300)
    assert gap(found.matrix - swapped.matrix.T, *size) < LAW[dtype]
    for key in found.ledger.keys() | swapped.ledger.keys():
        assert gap(found.ledger.get(key, 0.0) - swapped.ledger.get(key, 0.0), *size) < LAW[dtype]
    for side in range(2):
        assert not np.any(found.relevance[side][found.status[side] != Status.READ])


@pytest.mark.parametrize("variant", ["cnn-max", "cnn-mean"])
def test_the_law_fails_without_a_cause(variant: str) -> None:
    found = similarity(fitted(variant, "float64"), TEXTS[0], TEXTS[9], rule=Epsilon(0.01))
    assert sum_gap(found) < LAW["float64"]
    for key, entry in found.ledger.items():
        assert entry
        assert sum_gap(found, without=key) > 1e-6, key
    assert {cause for _, cause in found.ledger} == {"bias", "stabilizer"}


def test_nothing_is_absorbed_by_a_bag() -> None:
    for variant in ("boe", "svm"):
        assert similarity(fitted(variant), TEXTS[0], TEXTS[9]).ledger == {}


@each_variant
def test_the_score_is_the_product_of_the_inputs_of_the_last_layer(variant: str) -> None:
    model = fitted(variant, "float64")
    for a, b in ((TEXTS[0], TEXTS[9]), (READ[5], READ[-1])):
        embeddings = [embedding(model, text) for text in (a, b)]
        expected = float(embeddings[0] @ embeddings[1])
        assert similarity(model, a, b).score == pytest.approx(expected, rel=1e-12)
        lengths = [np.sqrt(each @ each) for each in embeddings]
        cosine = similarity(model, a, b, normalize=True)
        assert cosine.score == pytest.approx(expected / lengths[0] / lengths[1], rel=1e-12)
        assert cosine.measure == "cosine similarity"


def embedding(model: Any, text: str | Document) -> np.ndarray:
    """The embedding that gives the scores of the model when the last layer reads it."""
    batch = model.encode([text])
    if model.kind == "svm":
        found = model.tfidf_values(batch).toarray()[0]
    else:
        found = plain_features(model, batch.text(0))[0].scores[0].numpy()
    weight, bias = model.weights_["output.weight"], model.weights_["output.bias"]
    np.testing.assert_allclose(weight @ found + bias, model.scores(batch)[0], rtol=1e-9, atol=1e-9)
    return np.asarray(found)


# ---- three opinions


def plain_features(model: Any, ids: Any) -> tuple[Any, int]:
    """The recorded trace of the model as a torch module whose last layer is the identity."""
    module = plain_module(model, dtype="float64")
    count = module.output.weight.shape[1]
    module.output.weight.data = torch.eye(count, dtype=torch.float64)
    module.output.bias.data = torch.zeros(count, dtype=torch.float64)
    return record(module, torch.from_numpy(ids.copy())[None]), count


@pytest.mark.parametrize("variant", ["cnn-max", "cnn-mean", "boe"])
def test_the_closed_form_equals_the_recorded_trace_of_each_feature(variant: str) -> None:
    model = fitted(variant, "float64")
    composite = Composite({"output": Zero()}, default=Epsilon(0.01))
    for text in READ:
        batch = model.encode([text])
        if not len(batch.text(0)):
            continue
        found = feature_relevance(model, batch, Composite(default=Epsilon(0.01)))
        trace, count = plain_features(model, batch.text(0))
        np.testing.assert_allclose(found.values, trace.scores[0].numpy(), rtol=1e-12, atol=1e-12)
        recorded = propagate(trace, composite, torch.diag(trace.scores[0])[:, None])
        on_words = recorded.relevance[:, 0].numpy()
        size = on_words, [entry.numpy() for entry in recorded.ledger.values()]
        ours = found.relevance if isinstance(found.relevance, np.ndarray) else found.relevance.toarray()
        assert gap(ours.T - on_words[:, : len(ours)], *size) < 1e-13
        absorbed = sum(found.ledger.values(), np.zeros(count))
        theirs = sum((entry[:, 0].numpy() for entry in recorded.ledger.values()), np.zeros(count))
        assert gap(absorbed - theirs, *size) < 1e-13


@cache
def in_plain_loops(variant: str, rule: str, n: int) -> tuple[Features, int]:
    """The features of toy text ``n`` in the loops of the reference, and its number of words."""
    model: Any = fitted(variant, "float64")
    ids = model.encode([READ[n]]).text(0).tolist()
    recipes, weights = RECIPES[rule], model.weights_
    if variant.startswith("cnn"):
        table = weights["embedding"]
        vectors, known = table[np.array(ids, dtype=np.int64)], [i > 0 for i in ids]
        found = filters_of(vectors, known, convolutions(model), model.pooling, recipes, table_bounds(table))
    elif variant == "boe":
        documents, counts = model.vocabulary_.documents, model.vocabulary_.counts
        idf = [0.0, *((np.log((1 + documents) / (1 + counts)) + 1) ** model.idf_power).tolist()]
        found = dimensions_of(ids, weights["embedding"], idf, recipes)
    else:
        found = ngrams_of(ids, features(model, weights["output.weight"]), model.sublinear_tf)
    return found, len(ids)


MEAN_RULES = [pytest.param("cnn-mean", rule, marks=pytest.mark.slow) for rule in RULES if rule != "epsilon"]


@pytest.mark.parametrize(
    ("variant", "rule"),
    [*product(("cnn-max", "boe", "svm"), RULES), ("cnn-mean", "epsilon"), *MEAN_RULES],
)
def test_the_closed_form_equals_plain_loops(variant: str, rule: str) -> None:
    model = fitted(variant, "float64")
    pairs = [(0, 3), (5, 5), (len(READ) - 1, 1)] if rule == "epsilon" else [(len(READ) - 1, 3)]
    for first, second in pairs:
        one, other = (in_plain_loops(variant, rule, n) for n in (first, second))
        expected = pairs_of(one[0], other[0], (one[1], other[1]))
        found = similarity(model, READ[first], READ[second], rule=rule)
        positions = [model.encode([READ[n]]).readings[0].positions for n in (first, second)]
        size = expected.matrix, expected.ledger.values()
        assert gap(found.score - expected.score, *size) < 1e-13
        assert gap(found.matrix[np.ix_(*positions)] - expected.matrix, *size) < 1e-13
        for key in expected.ledger.keys() | found.ledger.keys():
            assert gap(found.ledger.get(key, 0.0) - expected.ledger.get(key, 0.0), *size) < 1e-13, key


@pytest.mark.slow
def test_the_law_on_500_pairs_of_sample_posts(capsys: pytest.CaptureFixture[str]) -> None:
    train, test = textlrp.load_sample_posts("train"), textlrp.load_sample_posts("test")
    models = {
        "20newsgroups-cnn": textlrp.load("20newsgroups-cnn"),
        "20newsgroups-boe": textlrp.load("20newsgroups-boe"),
        "CNN, mean pooling": textlrp.CNNClassifier(pooling="mean", max_epochs=1).fit(train.texts, train.labels),
        "bag of words": textlrp.BagOfWordsClassifier().fit(train.texts, train.labels),
    }
    draw = np.random.default_rng(0)
    pairs = [(test.documents[draw.integers(80)], train.documents[draw.integers(180)]) for _ in range(500)]
    for (name, model), dtype in product(models.items(), LAW):
        gaps = [sum_gap(similarity(model, a, b, dtype=dtype)) for a, b in pairs]
        with capsys.disabled():
            print(f"\n{name}, {dtype}: 500 pairs, largest relative error {max(gaps):.1e}", end="")
        assert max(gaps) < LAW[dtype]


# ---- options and errors


@each_variant
def test_a_text_without_words_is_similar_to_nothing(variant: str) -> None:
    for a, b in (("", TEXTS[0]), ("", ""), ("? !", "zzz")):
        found = similarity(fitted(variant), a, b, normalize=True)
        assert found.ties() == []
        assert sum_gap(found) < 1e-6
        if variant in ("boe", "svm"):
            assert found.score == 0
        assert "textlrp" in found.to_html()


def test_rules_apply_as_in_explain() -> None:
    model = fitted("cnn-max", "float64")
    composite = Composite({"conv2": Zero(), -2: Epsilon(0.5)})
    found = similarity(model, TEXTS[0], TEXTS[9], rule=composite)
    assert found.rule == composite.printed
    assert ("conv2", "stabilizer") not in found.ledger
    assert found.ledger["conv1", "stabilizer"]
    assert found.ledger["conv3", "stabilizer"]
    with pytest.raises(RuleError, match="no layer 'conv9'"):
        similarity(model, TEXTS[0], TEXTS[9], rule=Composite({"conv9": Zero()}))
    bag = similarity(fitted("boe", "float64"), TEXTS[0], TEXTS[9], rule=Composite({"bag": Epsilon(0.1)}))
    assert set(bag.ledger) == {("bag", "stabilizer")}
    assert sum_gap(bag) < LAW["float64"]


def test_other_models_and_options_are_refused() -> None:
    model: Any = fitted("svm")
    with pytest.raises(ModelError, match=r"^similarity is available for textlrp's classifiers, .* got a float\."):
        similarity(1.5, "a", "b")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"^dtype must be 'float32' or 'float64'; got 'float16'\."):
        similarity(model, "a", "b", dtype="float16")
    with pytest.raises(OptionError, match=r"^normalize must be True or False; got 'yes'\."):
        similarity(model, "a", "b", normalize="yes")  # type: ignore[arg-type]
    with pytest.raises(RuleError, match="no rule is called"):
        similarity(model, "a", "b", rule="no such rule")
    with pytest.raises(OptionError, match=r"^a must be a string or a Document; got"):
        similarity(model, ["a"], "b")  # type: ignore[arg-type]


def test_two_texts_whose_matrix_would_not_fit_into_memory_are_refused() -> None:
    long = Document("book", "doctor " * 20_000)
    with pytest.raises(DataError, match=r"^the two texts must have at most 268,435,456 .*; got 20,000 × 20,000 for"):
        similarity(fitted("boe"), long, long)
    assert similarity(fitted("boe"), long, "doctor").matrix.shape == (20_000, 1)


def test_subword_vectors_and_characters_satisfy_the_law() -> None:
    labels = ["x", "y"] * 4
    texts = TEXTS[:8]
    bag = textlrp.BagOfEmbeddingsClassifier(
        embedding_dim=5, max_epochs=1, subwords=(3, 4), buckets=64, validation_fraction=0.0, vectors=None
    ).fit(texts, labels)
    characters = textlrp.BagOfWordsClassifier(analyzer="both", min_df_char_ngrams=1).fit(texts, labels)
    for model in (bag, characters):
        found = similarity(model, f"{TEXTS[0]} unheardof", f"unheard {TEXTS[0]}", normalize=True)
        assert sum_gap(found) < 1e-6
        assert found.score > 0.5
        assert "unheardof" in {tie.first for tie in found.ties(1000)}


# ---- pipelines of scikit-learn

PIPELINES = {
    "TF-IDF": (TfidfVectorizer(),),
    "steps": (CountVectorizer(ngram_range=(1, 2)), TfidfTransformer(), SelectKBest(k=60), MaxAbsScaler()),
    "characters": (TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)),),
    "union": (make_union(CountVectorizer(), TfidfVectorizer(analyzer="char", ngram_range=(3, 3))),),
    "hashes": (HashingVectorizer(n_features=32),),
}


@every("name", PIPELINES)
def test_a_pipeline_is_compared_by_its_features(name: str) -> None:
    pipeline = make_pipeline(*map(clone, PIPELINES[name]), LogisticRegression()).fit(TEXTS, LABELS)
    a, b = "the car and the engine, the rocket moon", "a car! the Engine of the doctor"
    found = similarity(pipeline, a, b)
    assert sum_gap(found) < LAW["float64"]
    first, second = pipeline[:-1].transform([a, b]).toarray()
    assert found.score == pytest.approx(first @ second)
    assert found.embedding == "features of the vectorizers"
    assert gap(found.matrix - similarity(pipeline, b, a).matrix.T, found.matrix, ()) < 1e-15
    corpus = [*TEXTS, a, b]
    vectors = pipeline[:-1].transform(corpus).toarray()
    scores = [first @ each / np.linalg.norm(first) / np.linalg.norm(each) for each in vectors]
    neighbors = nearest(pipeline, corpus, a, k=4)
    assert [each.similarity.score for each in neighbors] == pytest.approx(sorted(scores, reverse=True)[:4])
    assert neighbors[0].position == len(TEXTS)


def test_equal_words_are_tied_and_share_their_feature() -> None:
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    a, b = "the car and the engine", "car engine the car"
    found = similarity(pipeline, a, b)
    names = pipeline[0].get_feature_names_out().tolist()
    first, second = pipeline[:-1].transform([a, b]).toarray()
    for tokens, other in product(range(len(found.tokens[0])), range(len(found.tokens[1]))):
        one, two = found.tokens[0].forms[tokens], found.tokens[1].forms[other]
        expected = 0.0
        if one == two and one in names:
            m = names.index(one)
            expected = first[m] / found.tokens[0].forms.count(one) * second[m] / found.tokens[1].forms.count(one)
        assert found.matrix[tokens, other] == pytest.approx(expected)


def test_a_pipeline_that_reads_a_table_is_refused() -> None:
    table = pd.DataFrame({"text": TEXTS})
    columns = ColumnTransformer([("words", TfidfVectorizer(), "text")])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(table, LABELS)
    with pytest.raises(ModelError, match=r"a scikit-learn Pipeline that reads texts.*; got a Pipeline\."):
        similarity(pipeline, TEXTS[0], TEXTS[1])


# ---- the value


def test_ties_sum_over_occurrences_and_their_order_is_by_size() -> None:
    found = similarity(fitted("svm"), "the car and the car. engine!", "a car, the engine, the car")
    pairs = found.pairs()
    assert pairs.relevance.sum() == pytest.approx(found.matrix.sum())
    ties = found.ties(1000)
    assert sum(tie.relevance for tie in ties) == pytest.approx(found.score, rel=1e-5)
    assert [abs(tie.relevance) for tie in ties] == sorted((abs(tie.relevance) for tie in ties), reverse=True)
    car = next(tie for tie in ties if tie.first == tie.second == "car")
    assert car.first_spans == ((4, 7), (16, 19))
    assert car.second_spans == ((2, 5), (23, 26))
    by_token = found.ties(1000, by="token")
    cars = [tie for tie in by_token if tie.first == tie.second == "car"]
    assert len(cars) == 4
    assert sum(tie.relevance for tie in cars) == pytest.approx(car.relevance)
    assert found.ties(2) == ties[:2]
    assert found.ties(0) == []
    for wrong in (-1, 1.5, True):
        with pytest.raises(OptionError, match="n must be"):
            found.ties(wrong)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="by must be 'word' or 'token'"):
        found.ties(by="sentence")  # type: ignore[call-overload]


def test_a_similarity_is_plain_data() -> None:
    first = Document("one", TEXTS[0])
    found = similarity(fitted("cnn-max"), first, TEXTS[9])
    data = json.loads(found.to_json())
    assert data == json.loads(json.dumps(found.to_dict()))
    assert data["document_ids"] == ["one", "text"]
    assert data["texts"] == list(found.texts) == [TEXTS[0], TEXTS[9]]
    np.testing.assert_array_equal(np.array(data["matrix"], dtype=np.float32), found.matrix)
    total = np.sum(data["matrix"]) + sum(entry["relevance"] for entry in data["ledger"])
    assert total == pytest.approx(found.score, rel=1e-5)
    assert repr(found).startswith("<Similarity of 'one' and 'text': dot product ")


# ---- nearest documents


@pytest.mark.parametrize(
    ("variant", "normalize"), [("cnn-max", True), ("cnn-mean", False), ("boe", False), ("svm", True)]
)
def test_the_nearest_documents_are_those_with_the_highest_similarity(variant: str, normalize: bool) -> None:
    model = fitted(variant, "float64")
    corpus, text = [*TEXTS * 3, *READ, ""], READ[-1]
    scores = [similarity(model, text, each, normalize=normalize).score for each in corpus]
    best = sorted(range(len(corpus)), key=lambda row: (-round(scores[row], 9), row))[:7]
    found = nearest(model, iter(corpus), text, k=7, normalize=normalize)
    assert [each.position for each in found] == best
    assert [each.similarity.score for each in found] == pytest.approx([scores[row] for row in best], rel=1e-9)
    assert [each.document.text for each in found] == [text_of(corpus[row]) for row in best]
    assert found[0].similarity.texts == (text_of(text), text_of(corpus[best[0]]))


def test_nearest_reads_any_corpus_and_refuses_a_wrong_k() -> None:
    model: Any = fitted("svm")
    assert nearest(model, [], "a car") == []
    assert len(nearest(model, TEXTS[:3], "a car", k=10)) == 3
    (only,) = nearest(model, [Document("x", "the car")], Document("q", "the car"))
    assert only.similarity.document_ids == ("q", "x")
    for wrong in (0, -1, 2.5):
        with pytest.raises(OptionError, match=r"^k must be the number of documents to find, 1 or more; got"):
            nearest(model, TEXTS, "a car", k=wrong)
    with pytest.raises(DataError, match="the texts must be a list"):
        nearest(model, "one text", "a car")
    assert as_composite("epsilon").printed == nearest(model, TEXTS, "a car")[0].similarity.rule
