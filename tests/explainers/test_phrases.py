"""Winning windows as phrases, and the n-grams that activate each filter most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cases import every
from laws import gap
from toys import READ, TEXTS, fitted, scrambled

from textlrp.errors import ModelError, OptionError
from textlrp.explainers.explain import explain
from textlrp.explainers.phrases import filter_phrases
from textlrp.explanation import Explanation
from textlrp.lrp.presets import PRESETS

ALL = 10_000


def phrased(rule: str, seed: int = 0, phrases: int = ALL, **options: Any) -> Iterator[Explanation]:
    model = scrambled(fitted("cnn-max", "float64"), seed)
    return explain(model, READ, rule=rule, phrases=phrases, **options)


@every("rule", PRESETS)
def test_the_phrases_sum_to_the_relevance_of_the_words(rule: str) -> None:
    for seed in range(3):
        for why in phrased(rule, seed, target=["autos", ("med", "space")]):
            for k in range(2):
                total = sum((float(phrase.relevance[k]) for phrase in why.phrases), 0.0)
                size = why.relevance[k], [float(entry[k]) for entry in why.ledger.values()]
                assert gap(total - why.relevance[k].sum(), *size) < 1e-12


def test_a_phrase_is_a_winning_window_and_its_filter() -> None:
    model = scrambled(fitted("cnn-max", "float64"), 1)
    text = "the doctor gave me a pill, and the rocket burns"
    why = explain(model, text, phrases=ALL)
    vectors, words = model.weights_["embedding"], list(why.tokens.forms)
    ids = model.vocabulary_.ids(words)
    read = [i for i, seen in enumerate(why.status) if seen in (0, 3)]
    for phrase in why.phrases:
        width = int(phrase.step.removeprefix("conv"))
        weight = model.weights_[f"conv{width}.weight"].reshape(5, width, 4)[:, :, phrase.filter]
        values = [
            sum(float(vectors[ids[read[t + h]]] @ weight[:, h]) for h in range(width))
            for t in range(len(read) - width + 1)
        ]
        best = int(np.argmax(values))
        first, last = read[best], read[best + width - 1]
        assert (phrase.start, phrase.end) == (why.tokens.spans[first, 0], why.tokens.spans[last, 1])
    assert why.phrases


def test_the_most_relevant_phrases_come_first_up_to_the_limit() -> None:
    for whole, some in zip(phrased("epsilon"), phrased("epsilon", phrases=3), strict=True):
        sizes = [np.abs(phrase.relevance).max() for phrase in whole.phrases]
        assert sizes == sorted(sizes, reverse=True)
        assert [phrase[:4] for phrase in some.phrases] == [phrase[:4] for phrase in whole.phrases[:3]]


def test_no_phrases_unless_requested_and_only_with_winning_windows() -> None:
    assert explain(fitted("cnn-max"), TEXTS[0]).phrases == ()
    for variant, method in (("cnn-mean", "lrp"), ("boe", "lrp"), ("svm", "lrp"), ("cnn-max", "occlusion")):
        with pytest.raises(OptionError, match=r"phrases must be 0 unless .*; got 5\. Leave out phrases=\."):
            explain(fitted(variant), TEXTS[0], phrases=5, method=method)
    with pytest.raises(OptionError, match=r"phrases must be .*, 0 or more; got -1"):
        explain(fitted("cnn-max"), TEXTS[0], phrases=-1)


def test_a_filter_lists_the_phrases_that_activate_it_most_and_counts_their_documents() -> None:
    model = scrambled(fitted("cnn-max", "float64"), 2)
    won: dict[tuple[str, int], dict[str, list[float]]] = {}
    for text in TEXTS:  # one document at a time, by a plain loop over its windows
        forms = text.split()
        vectors = model.weights_["embedding"][model.vocabulary_.ids(forms)]
        for width in (1, 2, 3):
            weight = model.weights_[f"conv{width}.weight"].reshape(5, width, 4)
            for f in range(4):
                values = [
                    float((vectors[t : t + width] * weight[:, :, f].T).sum()) + model.weights_[f"conv{width}.bias"][f]
                    for t in range(len(forms) - width + 1)
                ]
                best = int(np.argmax(np.round(values, 9)))
                if values[best] > 0:
                    phrase = " ".join(forms[best : best + width])
                    won.setdefault((f"conv{width}", f), {}).setdefault(phrase, []).append(values[best])
    filters = filter_phrases(model, TEXTS, top=4)
    assert {(each.step, each.number) for each in filters} == {(f"conv{w}", f) for w in (1, 2, 3) for f in range(4)}
    for each in filters:
        expected = sorted(won.get((each.step, each.number), {}).items(), key=lambda item: (-max(item[1]), item[0]))[
            :4
        ]
        assert [phrase.words for phrase in each.phrases] == [words for words, _ in expected]
        np.testing.assert_allclose([phrase.activation for phrase in each.phrases], [max(v) for _, v in expected])
        assert [phrase.documents for phrase in each.phrases] == [len(values) for _, values in expected]
    weight = model.weights_["output.weight"]
    for column, each in enumerate(filters):
        assert dict(each.classes) == {name: weight[c, column] for c, name in enumerate(model.classes_)}
        assert [value for _, value in each.classes] == sorted(weight[:, column], reverse=True)


def test_only_a_cnn_with_max_pooling_has_filters_with_phrases() -> None:
    for variant in ("cnn-mean", "boe", "svm"):
        with pytest.raises(ModelError, match="winning windows"):
            filter_phrases(fitted(variant), TEXTS)
