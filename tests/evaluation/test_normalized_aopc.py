"""Normalized AOPC against all permutations of the words, and the laws of its limits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from cases import every
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from toys import LABELS, TEXTS, fitted, scrambled, small

from textlrp.errors import DataError, OptionError
from textlrp.evaluation.aopc_scale import AopcLimits, aopc_limits, deletion_areas, normalized_aopc
from textlrp.evaluation.measured_corpus import ScoredCorpus, score_corpus
from textlrp.models.adapt import as_classifier
from textlrp.models.pipeline.additive import is_additive
from textlrp.models.word_orders import ExtremeOrders, iter_extreme_orders, search_order, target_values
from textlrp.records import Document

WIDE = 1000
SHORT = (
    "the engine of the car",
    "zebra the pill fever",
    "the doctor, the doctor",
    "moon orbit",
    "fever quux rocket moon",
)


def plain_values(model: Any, batch: Any, n: int, target: int, kept: list[bool]) -> float:
    """The probability (or score) of a class with some words kept, by a complete forward pass."""
    scores = model.scores(batch.select([n]), keep=np.array([kept]))
    if model.probabilities(scores) is None:
        return float(scores[0, target])
    if not hasattr(model, "weights_"):  # a pipeline with two classes: its scores are -f and f
        return float(1 / (1 + np.exp(-scores[0, target])))
    exps = np.exp(scores[0].astype(np.float64) - scores[0].max())
    return float(exps[target] / exps.sum())


def area_of(value: Callable[[list[bool]], float], words: int, order: Any) -> float:
    """AOPC by the equation: the mean over k of f(all) - f(without the first k words)."""
    kept = [True] * words
    whole, decreases = value(kept), []
    for word in order:
        kept[word] = False
        decreases.append(whole - value(kept))
    return sum(decreases) / len(decreases)


def plain_area(model: Any, batch: Any, n: int, target: int, order: Any) -> float:
    return area_of(lambda kept: plain_values(model, batch, n, target, kept), int(batch.lengths[n]), order)


def all_areas(model: Any, batch: Any, n: int, target: int) -> list[float]:
    known = np.flatnonzero(batch.text(n) > 0).tolist()
    values: dict[tuple[bool, ...], float] = {}  # of each subset, once for all orders

    def value(kept: list[bool]) -> float:
        if tuple(kept) not in values:
            values[tuple(kept)] = plain_values(model, batch, n, target, kept)
        return values[tuple(kept)]

    return [area_of(value, int(batch.lengths[n]), order) for order in permutations(known)]


def linear_model(kind: str) -> Any:
    vectorizer = CountVectorizer() if kind != "tf-idf" else TfidfVectorizer()
    classifier = LinearSVC(C=10) if kind == "three classes" else LogisticRegression(C=10)
    number = 24 if kind in ("three classes", "softmax") else 16
    return as_classifier(make_pipeline(vectorizer, classifier).fit(TEXTS[:number], LABELS[:number]))


def model_of(name: str) -> Any:
    return linear_model("tf-idf") if name == "pipeline" else fitted(name)


@every("name", ["cnn-max", "cnn-mean", "boe", "svm", "pipeline"])
def test_a_wide_search_finds_the_limits_over_all_permutations(name: str) -> None:
    model = model_of(name)
    corpus = score_corpus(model, [Document(str(n), text, LABELS[0]) for n, text in enumerate(SHORT)])
    limits = aopc_limits(corpus, beam_width=WIDE)
    assert limits.documents.tolist() == [n for n in range(len(SHORT)) if corpus.known[n] >= 2]
    assert not limits.exact.any()
    batch = model.encode(list(SHORT))
    for row, lower, upper in zip(limits.documents.tolist(), limits.lower, limits.upper, strict=True):
        areas = all_areas(model, batch, row, int(corpus.predicted[row]))
        assert (min(areas), max(areas)) == pytest.approx((lower, upper), abs=1e-5)


def orders_of(model: Any, text: str, target: int, *, beam_width: int) -> ExtremeOrders:
    """The orders of a single text."""
    (found,) = iter_extreme_orders(model, model.encode([text]), [target], beam_width=beam_width)
    return found


@every("kind", ["two classes", "three classes"])
def test_the_closed_form_of_a_linear_model_is_exact(kind: str) -> None:
    model = linear_model(kind)
    assert is_additive(model)
    for text in (*SHORT, "the car the car"):
        batch = model.encode([text])
        if not (batch.text(0) > 0).any():
            continue
        target = int(model.scores(batch)[0].argmax())
        best, worst, exact = orders_of(model, text, target, beam_width=1)
        assert exact
        areas = all_areas(model, batch, 0, target)
        assert plain_area(model, batch, 0, target, best) == pytest.approx(max(areas), abs=1e-9)
        assert plain_area(model, batch, 0, target, worst) == pytest.approx(min(areas), abs=1e-9)


@every("kind", ["softmax", "tf-idf"])
def test_other_models_are_searched(kind: str) -> None:
    model = linear_model(kind)
    *_, exact = orders_of(model, SHORT[0], 0, beam_width=2)
    assert not exact


@every("seed", range(8))
def test_the_fast_search_of_a_cnn_follows_complete_forward_passes(seed: int) -> None:
    model: Any = scrambled(small("cnn", filters=6).fit(TEXTS, LABELS), seed)
    for name in ("output.weight", "output.bias"):  # so that probabilities are not so near 0 or 1 that orders tie
        model.weights_[name] = model.weights_[name] * 0.3
    draw = np.random.default_rng(seed)
    words = " ".join(TEXTS).split()
    text = " ".join([*draw.permutation(words)[: (1, 2, 9, 25)[seed % 4]].tolist(), "quux", "the"])
    batch = model.encode([text])
    known, target = np.flatnonzero(batch.text(0) > 0), int(model.scores(batch)[0].argmax())
    fast = orders_of(model, text, target, beam_width=1)
    values = target_values(model, batch, 0, target)
    for order, sign in zip(fast[:2], (1.0, -1.0), strict=True):
        assert sorted(order.tolist()) == known.tolist()
        plain = search_order(values, known, int(batch.lengths[0]), 1, sign)
        assert plain_area(model, batch, 0, target, order) == pytest.approx(
            plain_area(model, batch, 0, target, plain), abs=1e-5
        )


def test_the_texts_of_a_batch_are_searched_as_if_alone() -> None:
    model: Any = scrambled(small("cnn", filters=6).fit(TEXTS, LABELS), 3)
    texts = [TEXTS[0], "quux", *SHORT, "", TEXTS[5]]
    targets = [n % len(model.classes_) for n in range(len(texts))]
    together = iter_extreme_orders(model, model.encode(texts), targets, beam_width=3)
    for text, target, found in zip(texts, targets, together, strict=True):
        alone = orders_of(model, text, target, beam_width=3)
        assert found.lowest.tolist() == alone.lowest.tolist()
        assert found.highest.tolist() == alone.highest.tolist()


def test_several_labels_use_the_logistic_function() -> None:
    sets = [[label] if n % 2 else [label, "med"] for n, label in enumerate(LABELS)]
    model: Any = scrambled(small("cnn").fit(TEXTS, sets), 1)
    batch = model.encode([SHORT[0]])
    lowest, highest, _ = orders_of(model, SHORT[0], 1, beam_width=WIDE)
    values = target_values(model, batch, 0, 1)
    known = np.flatnonzero(batch.text(0) > 0)

    def total(order: Any) -> float:
        keep = np.ones((len(order), int(batch.lengths[0])), dtype=bool)
        for k, word in enumerate(order):
            keep[k:, word] = False
        return float(values(keep).sum())

    totals = [total(order) for order in permutations(known.tolist())]
    assert (total(lowest), total(highest)) == pytest.approx((min(totals), max(totals)), abs=1e-5)


def corpus_and_orders() -> tuple[ScoredCorpus, dict[str, list[Any]]]:
    """Longer texts, and for each the best and the worst order that a wide search finds, and random orders."""
    model = fitted("cnn-max")
    texts = [" ".join(TEXTS[n : n + 1]) for n in range(0, 24, 2)]
    corpus = score_corpus(model, [Document(str(n), text, LABELS[n]) for n, text in enumerate(texts)])
    batch = model.encode(texts)
    orders: dict[str, list[Any]] = {"best": [], "worst": [], "random": [], "other": []}
    draw = np.random.default_rng(0)
    for n in range(len(texts)):
        best, worst, _ = orders_of(model, texts[n], int(corpus.predicted[n]), beam_width=WIDE)
        for name, order in (("best", best), ("worst", worst)):
            relevance = np.zeros(int(batch.lengths[n]))
            relevance[order] = -np.arange(len(order))
            orders[name].append(relevance)
        orders["random"].append(draw.normal(size=int(batch.lengths[n])))
        orders["other"].append(draw.normal(size=int(batch.lengths[n])))
    return corpus, orders


def test_best_is_one_worst_is_zero_and_random_between() -> None:
    corpus, orders = corpus_and_orders()
    found = normalized_aopc(corpus, orders, aopc_limits(corpus, beam_width=WIDE))
    assert found["best"].comprehensiveness == pytest.approx(1, abs=1e-6)
    assert found["worst"].comprehensiveness == pytest.approx(0, abs=1e-6)
    assert 0.1 < found["random"].comprehensiveness < 0.9
    for each in found.values():
        for values in (each.comprehensiveness_values, each.sufficiency_values):
            inside = values[np.isfinite(values)]
            assert ((inside >= 0) & (inside <= 1)).all()
        low, high = each.comprehensiveness_interval
        assert low <= each.comprehensiveness <= high


def test_an_order_that_beats_the_search_becomes_the_limit() -> None:
    corpus, orders = corpus_and_orders()
    limits = aopc_limits(corpus, beam_width=1)
    narrow = AopcLimits(limits.documents, limits.lower + 0.01, limits.upper - 0.01, limits.exact, 1, limits.quantity)
    found = normalized_aopc(corpus, orders, narrow)
    assert found["best"].comprehensiveness == pytest.approx(1, abs=1e-6)
    assert found["worst"].comprehensiveness == pytest.approx(0, abs=1e-6)


def test_an_affine_change_of_the_score_changes_nothing() -> None:
    draw = np.random.default_rng(0)
    lower, upper = -draw.uniform(size=9), draw.uniform(size=9)
    areas = lower + draw.uniform(size=9) * (upper - lower)
    shared: Any = (np.arange(9), np.zeros(9, dtype=bool), 5, "score")

    def limits(scale: float) -> AopcLimits:
        rows, exact, width, quantity = shared
        # AOPC is a mean of differences: a constant that is added to the score drops out
        return AopcLimits(rows, lower * scale, upper * scale, exact, width, quantity)

    np.testing.assert_allclose(limits(3.0).normalized(areas * 3.0), limits(1.0).normalized(areas), rtol=1e-12)


def test_areas_follow_the_equation() -> None:
    corpus, orders = corpus_and_orders()
    batch = corpus.model.encode([corpus.ids[0]])  # only to have a batch of this model
    assert len(batch) == 1
    rows = np.arange(len(corpus))
    first = deletion_areas(corpus, orders["random"], rows)
    last = deletion_areas(corpus, orders["random"], rows, most_relevant_first=False)
    for part, places in corpus.iter_batches():
        for n, row in enumerate(places.tolist()):
            known = np.flatnonzero(part.text(n) > 0)
            order = known[np.argsort(-orders["random"][row][known])]
            target = int(corpus.predicted[row])
            assert first[row] == pytest.approx(plain_area(corpus.model, part, n, target, order), abs=1e-5)
            assert last[row] == pytest.approx(plain_area(corpus.model, part, n, target, order[::-1]), abs=1e-5)


def test_documents_left_out_and_wrong_options() -> None:
    model = fitted("boe")
    corpus = score_corpus(
        model, [Document(str(n), text, LABELS[0]) for n, text in enumerate((*SHORT, "car", "quux"))]
    )
    limits = aopc_limits(corpus, beam_width=1, max_words=3)
    assert limits.documents.tolist() == np.flatnonzero((corpus.known >= 2) & (corpus.known <= 3)).tolist()
    with pytest.raises(DataError, match="at least two words of the model's vocabulary and at most 1"):
        aopc_limits(corpus, max_words=1)
    with pytest.raises(OptionError, match="beam_width must be a whole number"):
        aopc_limits(corpus, beam_width=0)
    nothing: list[Any] = [None] * len(corpus)
    with pytest.raises(DataError, match="are missing"):
        normalized_aopc(corpus, {"lrp": nothing}, limits)
