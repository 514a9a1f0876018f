"""Planted shortcuts: does a method mark the made-up words that a model was trained to depend on?

Shortcuts are planted into training documents (:mod:`textlrp.evaluation.planting`), a model is trained on them, and it
is checked that the model took the bait. Then the planted words are known to be what changed the predictions.

Letters: L words of a document that the model reads, k planted words among them, M measured documents.

Source: Bastings et al. 2022 (arXiv 2111.07367), sections 3 and 4.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from textlrp.arrays import Array
from textlrp.evaluation.measured_corpus import MethodSpec, ScoredCorpus, score_corpus, word_relevances
from textlrp.evaluation.planting import SHARE, Kind, Shortcut, decoy_probes, one_label, plant_shortcuts, probes
from textlrp.evaluation.retraining import split_documents, trainable, trained
from textlrp.models.base import TextClassifier
from textlrp.records import Document
from textlrp.text.batches import Batch

N_LABELS = 3
"""Labels that a shortcut is planted for by default: those of the most documents."""
TAKEN = 0.05
"""Share of changed predictions from which a model counts as having taken the bait."""
TFIDF = "TF-IDF"
"""The title of the baseline that orders the words of a document by TF-IDF, without a model."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundWords:
    """How well each method finds the planted words of one shortcut, in one trained model.

    Held-out documents of other labels are used that the model does not predict as the label of the shortcut.
    ``changed`` is the share of them that it does predict as the label once the words are planted; these M documents
    (``ids``) are measured. ``resisted`` is the share that it does not predict as the label with the words of a decoy,
    None for a shortcut of one word.

    ``precision[title]`` (M,) is precision@k, and ``rank[title]`` (M,) the mean rank of the planted words, from 1 for
    the most relevant word. ``chance`` (M,) is k / L, the expected precision of a random order.
    """

    shortcut: Shortcut
    changed: float
    resisted: float | None
    ids: tuple[str, ...]
    precision: Mapping[str, Array]
    rank: Mapping[str, Array]
    chance: Array

    @property
    def taken(self) -> bool:
        """Whether the model took the bait: the shortcut changes predictions, and most decoys do not."""
        return self.changed >= TAKEN and len(self.ids) > 0 and (self.resisted is None or self.resisted > 0.5)


def find_planted(
    model: TextClassifier,
    documents: Iterable[Document],
    methods: Sequence[MethodSpec],
    *,
    held_out: Iterable[Document] | None = None,
    labels: Sequence[str] | None = None,
    kind: Kind = "token",
    share: float = SHARE,
    max_documents: int = 200,
    seed: int = 0,
) -> list[FoundWords]:
    """Plant shortcuts, train a classifier with the options of ``model``, and measure which methods find the words.

    One classifier is trained for the shortcuts of all ``labels``, by default the three labels of the most documents.
    ``documents`` have one label each; a quarter of them is held out of training unless ``held_out`` is given. At most
    ``max_documents`` held-out documents are used for each shortcut. ``seed`` draws the split, the words, their places
    and the order of training. The baseline :data:`TFIDF` is measured too.

    Raises :class:`ModelError` if the model is not a textlrp classifier, and as :func:`.plant_shortcuts` and the
    methods do.
    """
    model, training = trainable(model), list(documents)
    if held_out is None:
        training, held_out = split_documents(training, seed=seed)
    rest = list(held_out)
    planted = plant_shortcuts(
        training, labels or largest_labels(training), kind=kind, share=share, skip=model.skip, seed=seed
    )
    retrained = trained(model, planted.documents, seed=seed)
    return [
        found_words(retrained, rest, shortcut, methods, max_documents=max_documents, seed=seed)
        for shortcut in planted.shortcuts
    ]


def largest_labels(documents: Iterable[Document], count: int = N_LABELS) -> list[str]:
    """Return the labels of the most documents; of equally many the first by name."""
    sizes = Counter(map(one_label, documents))
    return sorted(sizes, key=lambda label: (-sizes[label], label))[:count]


def found_words(
    model: TextClassifier,
    held_out: Sequence[Document],
    shortcut: Shortcut,
    methods: Sequence[MethodSpec],
    *,
    max_documents: int = 200,
    seed: int = 0,
) -> FoundWords:
    """Check whether a fitted model took the bait, and measure which methods find the planted words."""
    others = _others(model, held_out, shortcut, max_documents, seed)
    planted = probes(others, shortcut, skip=model.skip, seed=seed)
    changed = _predicted_as(model, planted, shortcut.label)
    decoys = decoy_probes(others, shortcut, skip=model.skip, seed=seed)
    resisted = float(1 - _predicted_as(model, decoys, shortcut.label).mean()) if decoys else None
    ids: list[str] = []
    chance: list[float] = []
    values: dict[str, list[tuple[float, float]]] = {title: [] for title in (*(spec.title for spec in methods), TFIDF)}
    fooled = [planted[row] for row in np.flatnonzero(changed).tolist()]
    for name, words, relevances in _explained(model, fooled, shortcut, methods):
        ids.append(name)
        chance.append(float(words.mean()))
        for title, relevance in relevances.items():
            values[title].append((precision_at_k(relevance, words), mean_rank(relevance, words)))
    tables = {title: np.array(rows, dtype=np.float64).reshape(-1, 2) for title, rows in values.items()}
    return FoundWords(
        shortcut,
        float(changed.mean()) if others else 0.0,
        resisted,
        tuple(ids),
        {title: table[:, 0] for title, table in tables.items()},
        {title: table[:, 1] for title, table in tables.items()},
        np.array(chance),
    )


def _explained(
    model: TextClassifier, documents: Sequence[Document], shortcut: Shortcut, methods: Sequence[MethodSpec]
) -> Iterator[tuple[str, NDArray[np.bool_], dict[str, Array]]]:
    """Yield the id of each document, which of its words (L,) are planted, and their relevance (L,) by each method.

    Documents of which the model reads no planted word are left out.
    """
    if not documents:
        return
    # with the label of the shortcut as their own, documents are explained for one class, not for two
    corpus = score_corpus(model, [replace(document, label=shortcut.label) for document in documents])
    found = {spec.title: word_relevances(corpus, spec).predicted for spec in methods}
    found[TFIDF] = tfidf_values(corpus)
    for batch, rows in corpus.iter_batches():
        for n, row in enumerate(rows.tolist()):
            words = planted_words(batch, n, shortcut.words)
            if words.any():
                own = {title: relevances[row] for title, relevances in found.items()}
                yield corpus.ids[row], words, {title: each for title, each in own.items() if each is not None}


def _others(
    model: TextClassifier, held_out: Sequence[Document], shortcut: Shortcut, max_documents: int, seed: int
) -> list[Document]:
    """At most ``max_documents`` documents that have another label and another prediction, drawn by the seed."""
    others = [document for document in held_out if one_label(document) != shortcut.label]
    others = [others[row] for row in np.random.default_rng(seed).permutation(len(others))]
    found: list[Document] = []
    for start in range(0, len(others), max_documents):
        block = others[start : start + max_documents]
        as_label = _predicted_as(model, block, shortcut.label)
        found += [block[row] for row in np.flatnonzero(~as_label)]
        if len(found) >= max_documents:
            break
    return found[:max_documents]


def _predicted_as(model: TextClassifier, documents: Sequence[Document], label: str) -> NDArray[np.bool_]:
    """(N,) whether the model predicts the label."""
    if not documents:
        return np.zeros(0, dtype=bool)
    return np.array([str(found) == label for found in model.predict(documents).tolist()])


def planted_words(batch: Batch, n: int, words: Sequence[str]) -> NDArray[np.bool_]:
    """(L,) whether each word of text ``n`` is one of the planted ``words``, or a part of one."""
    reading = batch.readings[n]
    marked = np.zeros(len(reading.tokens.text), dtype=bool)
    for found in re.finditer("|".join(map(re.escape, words)), reading.tokens.text):
        marked[found.start() : found.end()] = True
    spans = reading.tokens.spans[reading.positions]
    return np.array([bool(marked[start:end].any()) for start, end in spans.tolist()], dtype=bool)


def precision_at_k(relevance: Array, planted: NDArray[np.bool_]) -> float:
    """Compute the share of the k most relevant words that are planted; k is the number of planted words.

    ``relevance`` and ``planted`` are (L,). Words of equal relevance count with the expectation over their orders.
    Source: Bastings et al. 2022, section 4.
    """
    k = int(planted.sum())
    limit = np.sort(relevance)[-k]
    above, equal = relevance > limit, relevance == limit
    places = k - int(above.sum())
    return float((planted[above].sum() + places * planted[equal].mean()) / k)


def mean_rank(relevance: Array, planted: NDArray[np.bool_]) -> float:
    """Compute the mean rank of the planted words, from 1 for the most relevant; equal words share their mean rank."""
    return float(rankdata(-np.asarray(relevance), method="average")[planted].mean())


def tfidf_values(corpus: ScoredCorpus) -> list[Array]:
    """(L,) for each document: occurrences of each word × ln((1 + N) / (1 + df)), df of N training documents."""
    found: list[Array] = [np.zeros(0)] * len(corpus)
    for batch, rows in corpus.iter_batches():
        for n, row in enumerate(rows.tolist()):
            reading = batch.readings[n]
            times = Counter(reading.forms)
            frequency = batch.counts[n][reading.positions]
            documents = corpus.model.n_documents_ if isinstance(corpus.model, TextClassifier) else 0
            rarity = np.log((1 + documents) / (1 + frequency))
            found[row] = np.array([times[form] for form in reading.forms]) * rarity
    return found
