"""Comprehensiveness and sufficiency: are the relevant words needed, and are they enough?

Letters: M documents, L words read of one, B shares of its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import DataError
from textlrp.evaluation.deletion import order_of
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.measured_corpus import ReadCorpus
from textlrp.models.word_paths import masked_scores

SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)
"""Of a document's known words; at least one word."""


class Eraser(NamedTuple):
    """Means over M documents with bootstrap intervals, and each document's own (M,).

    ``of`` says what falls: the ``probability`` of the predicted class, or its ``score`` for models without.
    """

    comprehensiveness: float
    comprehensiveness_interval: Interval
    sufficiency: float
    sufficiency_interval: Interval
    of: Literal["probability", "score"]
    comprehensive: Array
    sufficient: Array


def eraser_scores(
    corpus: ReadCorpus,
    relevances: Sequence[Array | None],
    *,
    wanted: NDArray[np.bool_] | None = None,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> Eraser:
    """How far the predicted class falls without its most relevant words, and with these alone.

    ``relevances[n]`` (L,) are those of the predicted class; a word that goes becomes the zero vector. Each is the
    mean over the ``shares`` of the known words. Documents without a known word, without relevances, or not ``wanted``
    (N,), are left out; raises :class:`DataError` where none is left. Source: DeYoung et al. 2020 (arXiv 1911.03429),
    section 4: comprehensiveness, sufficiency, and the area over the perturbation curve.
    """
    chosen = np.array([each is not None for each in relevances])
    if wanted is not None:
        chosen &= wanted
    without: list[float] = []
    alone: list[float] = []
    has_probabilities = corpus.model.probabilities(corpus.scores[:1]) is not None
    for batch, rows in corpus.each_batch(chosen):
        for n, row in enumerate(rows.tolist()):
            relevance, known = relevances[row], batch.text(n) > 0
            if relevance is None or not known.any():
                continue
            keep = _alternatives(order_of(relevance, known, len(known), most_first=True), len(known), shares)
            scores = masked_scores(corpus.model, batch, n, keep)
            probabilities = corpus.model.probabilities(scores)
            values = scores if probabilities is None else probabilities
            falls = values[0] - values[1:]
            own = falls[:, int(corpus.predicted[row])]
            without.append(float(own[: len(shares)].mean()))
            alone.append(float(own[len(shares) :].mean()))
    if not without:
        raise DataError("no document with a known word is left to measure comprehensiveness and sufficiency on.")
    comprehensive, sufficient = np.array(without), np.array(alone)
    return Eraser(
        float(comprehensive.mean()),
        bootstrap_interval(comprehensive, seed=seed),
        float(sufficient.mean()),
        bootstrap_interval(sufficient, seed=seed),
        "probability" if has_probabilities else "score",
        comprehensive,
        sufficient,
    )


def _alternatives(order: NDArray[np.int64], length: int, shares: Sequence[float]) -> NDArray[np.bool_]:
    """(1 + 2 B, L) the whole text, B times without its first words, and B times with these alone."""
    keep = np.ones((1 + 2 * len(shares), length), dtype=bool)
    keep[1 + len(shares) :] = False
    for b, share in enumerate(shares):
        first = order[: max(1, round(share * len(order)))]
        keep[1 + b, first] = False
        keep[1 + len(shares) + b, first] = True
    return keep
