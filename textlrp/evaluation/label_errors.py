"""Likely label errors: documents whose given label the model's scores and relevance oppose most.

:func:`likely_label_errors` lists them with the words that oppose the given label. How well a ranking finds wrong
labels is measured by :mod:`textlrp.evaluation.planted_errors`.

Letters: N documents, L words that the model reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import DataError, ModelError, OptionError, must_be
from textlrp.evaluation.measured_corpus import MethodSpec, ScoredCorpus, score_corpus
from textlrp.explainers.batch_relevance import relevance_of_batch
from textlrp.explainers.explain import explain
from textlrp.explainers.targets import Index
from textlrp.models.classifier import Classifier
from textlrp.models.options import check_whole
from textlrp.records import Document
from textlrp.relevant_words import WordRelevance

Ranking = Literal["margin", "self-confidence", "net relevance", "opposing share", "opposing share of the contrast"]
RANKINGS: Mapping[Ranking, str] = {
    "margin": "score of the best other label minus score of the given label",
    "self-confidence": "minus the probability of the given label (its score, if the model has no probabilities)",
    "net relevance": "relevance of the words that oppose the given label minus that of the words that support it",
    "opposing share": "share of the relevance of the given label that opposes it",
    "opposing share of the contrast": "share of the relevance of given label − best other label that opposes the "
    "given label",
}
"""Each ranking of documents by suspicion with its definition; the first two use scores, the others relevance."""

RANKING: Ranking = "margin"
"""The ranking of lists: it was the best on validation posts of 20 Newsgroups (``benchmarks/label_errors.py``)."""


class LabelError(NamedTuple):
    """A document whose label may be wrong.

    ``position`` is that in the corpus, ``suspicion`` the value of the ranking, larger for a more likely error.
    ``margin`` is the score of the ``given`` label minus that of the ``predicted`` one, which is below 0. ``opposing``
    are the words with the most negative relevance for this difference (the contrast of the two labels),
    ``supporting`` those with the most positive relevance.
    """

    position: int
    document_id: str
    given: str
    predicted: str
    margin: float
    suspicion: float
    opposing: tuple[WordRelevance, ...]
    supporting: tuple[WordRelevance, ...]


def likely_label_errors(
    model: Classifier,
    documents: Iterable[Document],
    *,
    n: int = 20,
    ranking: Ranking = RANKING,
    spec: MethodSpec | None = None,
    n_words: int = 8,
) -> list[LabelError]:
    """List the ``n`` documents that most likely have a wrong label, the most likely first.

    Only documents whose best label is not the given one are listed. A model that was trained on the same documents
    has learned their wrong labels too, and finds few of them: pass a model that was trained on others. ``ranking`` is
    one of :data:`RANKINGS`, ``spec`` the attribution method, by default LRP.

    Raises :class:`OptionError` for another ranking, :class:`ModelError` for a multi-label model, and as
    :func:`.score_corpus` does.
    """
    check_whole("n", n)
    documents = list(documents)
    return errors_of_corpus(
        score_corpus(model, documents),
        documents,
        n=n,
        ranking=ranking,
        spec=spec or MethodSpec("LRP"),
        n_words=n_words,
    )


def errors_of_corpus(
    corpus: ScoredCorpus,
    documents: Sequence[Document],
    *,
    n: int,
    ranking: Ranking,
    spec: MethodSpec,
    n_words: int = 8,
) -> list[LabelError]:
    """Do the work of :func:`likely_label_errors` for a scored corpus of ``documents``."""
    suspicion = suspicions(corpus, (ranking,), spec=spec)[ranking]
    other, classes = best_other_labels(corpus), [str(name) for name in corpus.model.classes_.tolist()]
    margin = _margins(corpus, other)
    order = np.argsort(-np.where(np.isnan(suspicion), -np.inf, suspicion), kind="stable")
    chosen = [row for row in order.tolist() if corpus.true_label[row] >= 0 and margin[row] < 0][:n]
    targets = [(Index(int(corpus.true_label[row])), Index(int(other[row]))) for row in chosen]
    whys = explain(
        corpus.model, [documents[row] for row in chosen], targets=targets, method=spec.method, rule=spec.rule
    )
    found = []
    for row, why in zip(chosen, whys if chosen else (), strict=True):
        words = why.words()
        found.append(
            LabelError(
                row,
                corpus.ids[row],
                classes[corpus.true_label[row]],
                classes[other[row]],
                float(margin[row]),
                float(suspicion[row]),
                tuple(word for word in reversed(words[-n_words:]) if word.relevance < 0),
                tuple(word for word in words[:n_words] if word.relevance > 0),
            )
        )
    return found


def suspicions(
    corpus: ScoredCorpus,
    rankings: Sequence[Ranking] = tuple(RANKINGS),
    *,
    spec: MethodSpec | None = None,
) -> dict[Ranking, Array]:
    """How suspicious the label of each document is, by ranking: (N,), larger for a more likely error.

    The value is not a number if the given label is not a class of the model. A document without relevance has the
    share 1/2. Raises :class:`OptionError` for an unknown ranking, :class:`ModelError` for a multi-label model.
    """
    for name in rankings:
        if name not in RANKINGS:
            raise OptionError(must_be("ranking", f"one of {', '.join(RANKINGS)}", name, 'Pass ranking="margin".'))
    if corpus.counts is not None:
        raise ModelError("model must have one label for each document; got a multi-label model.")
    other = best_other_labels(corpus)
    found: dict[Ranking, Array] = {"margin": -_margins(corpus, other), "self-confidence": -_confidences(corpus)}
    if not {*rankings} <= found.keys():
        found |= _relevance_suspicions(corpus, other, spec)
    return {name: np.where(corpus.true_label < 0, np.nan, found[name]) for name in rankings}


def best_other_labels(corpus: ScoredCorpus) -> NDArray[np.int64]:
    """(N,) position of the class with the highest score among those that are not the given label."""
    if corpus.scores.shape[1] < 2:
        raise DataError("the model must have at least 2 classes; got 1.")
    scores = np.array(corpus.scores, dtype=np.float64)
    scores[np.arange(len(corpus)), corpus.true_label] = -np.inf
    return np.asarray(scores.argmax(axis=1))


def _margins(corpus: ScoredCorpus, other: NDArray[np.int64]) -> Array:
    rows = np.arange(len(corpus))
    return np.asarray(corpus.scores[rows, corpus.true_label] - corpus.scores[rows, other], dtype=np.float64)


def _confidences(corpus: ScoredCorpus) -> Array:
    probabilities = corpus.model.probabilities(corpus.scores)
    values = corpus.scores if probabilities is None else probabilities
    return np.asarray(values[np.arange(len(corpus)), corpus.true_label], dtype=np.float64)


def _relevance_suspicions(
    corpus: ScoredCorpus, other: NDArray[np.int64], spec: MethodSpec | None
) -> dict[Ranking, Array]:
    settings = (spec or MethodSpec("LRP")).settings(corpus.model)
    net, share, contrast = (np.full(len(corpus), np.nan) for _ in range(3))
    for batch, rows in corpus.iter_batches(corpus.true_label >= 0):
        targets: list[Any] = []
        for row in rows.tolist():
            given = Index(int(corpus.true_label[row]))
            targets.append([given, (given, Index(int(other[row])))])
        for row, found in zip(
            rows.tolist(), relevance_of_batch(corpus.model, batch, None, targets, settings), strict=True
        ):
            of_given, of_contrast = found.relevance.astype(np.float64)
            net[row], share[row] = -of_given.sum(), _opposing_share(of_given)
            contrast[row] = _opposing_share(of_contrast)
    return {"net relevance": net, "opposing share": share, "opposing share of the contrast": contrast}


def _opposing_share(relevance: Array) -> float:
    """The share of |relevance| (L,) that is negative; 1/2 if there is none."""
    size = float(np.abs(relevance).sum())
    return float(-relevance[relevance < 0].sum()) / size if size > 0 else 0.5
