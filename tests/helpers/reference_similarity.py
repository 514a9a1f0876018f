"""BiLRP as plain loops: the relevance of words for each feature, and of pairs of words for the similarity.

Nothing here imports ``textlrp.lrp`` or the networks of ``textlrp.models``. The features of a network are the classes
of the same network whose last layer is the identity, in the loops of :mod:`reference`.

Letters: M features, T and U words of two texts.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from reference import LRP_0, Array, Convolution, Feature, Ledger, Recipes, bag_of_embeddings, cnn


class OneFeature(NamedTuple):
    """The value of a feature, the relevance (T,) of the words for it, and what was absorbed."""

    value: float
    relevance: Array
    ledger: Ledger


class Pairs(NamedTuple):
    """The similarity, the relevance (T, U) of pairs of words, and the ledger."""

    score: float
    matrix: Array
    ledger: Ledger


Features = Mapping[Hashable, OneFeature]
"""The features of a text by name; a feature that is not named is 0."""


def filters_of(
    vectors: Array,
    known: Sequence[bool],
    convolutions: Mapping[int, Convolution],
    pooling: str,
    recipes: Recipes,
    bounds: Sequence[tuple[float, float]],
) -> Features:
    """The pooled filters of a text of T word ``vectors`` (T, D)."""
    count = sum(len(conv.bias) for conv in convolutions.values())
    found = {}
    for m in range(count):
        at_output = recipes._replace(dense=LRP_0)
        identity = np.eye(count), np.zeros(count)
        explained = cnn(vectors, known, convolutions, *identity, pooling, m, at_output, bounds)
        found[m] = OneFeature(float(explained.scores[m]), explained.relevance, before_output(explained.ledger))
    return found


def dimensions_of(ids: Sequence[int], table: Array, idf: Sequence[float], recipes: Recipes) -> Features:
    """The dimensions of the weighted sum of the vectors of T word ``ids``."""
    size = table.shape[1]
    found = {}
    for m in range(size):
        identity = np.eye(size), np.zeros(size)
        explained = bag_of_embeddings(ids, table, idf, *identity, m, recipes._replace(dense=LRP_0, first=None))
        found[m] = OneFeature(float(explained.scores[m]), explained.relevance, before_output(explained.ledger))
    return found


def ngrams_of(ids: Sequence[int], features: Sequence[Feature], sublinear: bool) -> Features:
    """The TF-IDF values of the n-grams in a text of T word ``ids``, shared equally among occurrences and words."""
    places = {}
    for feature in features:
        size = len(feature.words)
        found = [t for t in range(len(ids) - size + 1) if tuple(ids[t : t + size]) == feature.words]
        if found:
            places[feature.words] = (feature.idf, found)
    values = {}
    for words, (idf, found) in places.items():
        values[words] = (1 + math.log(len(found)) if sublinear else len(found)) * idf
    norm = math.sqrt(math.fsum(value**2 for value in values.values())) or 1.0
    ngrams = {}
    for words, (_, found) in places.items():
        relevance = np.zeros(len(ids))
        for t in found:
            for offset in range(len(words)):
                relevance[t + offset] += values[words] / norm / len(found) / len(words)
        ngrams[words] = OneFeature(values[words] / norm, relevance, {})
    return ngrams


def before_output(ledger: Ledger) -> Ledger:
    """The ledger without the last layer, which is not a part of the embedding."""
    return {key: entry for key, entry in ledger.items() if key[0] != "output"}


def pairs_of(first: Features, second: Features, shape: tuple[int, int]) -> Pairs:
    """Eberle et al. 2020, equation 6, with a ledger: one product at a time.

    For each feature, every part of its value in the one text meets every part in the other. A part is a word or a
    cause. A pair of two causes is divided equally between them.
    """
    matrix, ledger, score = np.zeros(shape), dict[tuple[str, str], float](), 0.0
    for name in first.keys() & second.keys():
        one, other = first[name], second[name]
        score += one.value * other.value
        for i in range(shape[0]):
            for j in range(shape[1]):
                matrix[i, j] += one.relevance[i] * other.relevance[j]
        for key, entry in one.ledger.items():
            for j in range(shape[1]):
                ledger[key] = ledger.get(key, 0.0) + entry * other.relevance[j]
            for other_key, other_entry in other.ledger.items():
                ledger[key] = ledger.get(key, 0.0) + entry * other_entry / 2
                ledger[other_key] = ledger.get(other_key, 0.0) + entry * other_entry / 2
        for other_key, other_entry in other.ledger.items():
            for i in range(shape[0]):
                ledger[other_key] = ledger.get(other_key, 0.0) + one.relevance[i] * other_entry
    return Pairs(score, matrix, ledger)
