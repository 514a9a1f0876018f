"""Comprehensiveness and sufficiency (ERASER): are the most relevant words necessary, and are they sufficient?

Letters: N documents, M documents that are measured, L words of a document that the model reads, B shares of its
words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array
from textlrp.errors import DataError
from textlrp.evaluation.deletion import deletion_order
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.measured_corpus import ScoredCorpus
from textlrp.models.word_paths import masked_scores

SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)
"""Shares of a document's known words that are deleted or kept; at least one word each."""


class EraserScores(NamedTuple):
    """Mean comprehensiveness and sufficiency with 95% bootstrap intervals, and the values of each document (M,).

    ``quantity`` is what is measured: the "probability" of the predicted class, or its "score" if the model has no
    probabilities.
    """

    comprehensiveness: float
    comprehensiveness_interval: Interval
    sufficiency: float
    sufficiency_interval: Interval
    quantity: Literal["probability", "score"]
    comprehensiveness_values: Array
    sufficiency_values: Array


def eraser_scores(
    corpus: ScoredCorpus,
    relevances: Sequence[Array | None],
    *,
    mask: NDArray[np.bool_] | None = None,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> EraserScores:
    """Compute comprehensiveness and sufficiency: how much does the predicted class's probability decrease?

    Comprehensiveness is the decrease when the most relevant words are deleted, sufficiency the decrease when only
    they are kept; both are means over ``shares`` of the known words. A deleted word becomes the zero vector.
    ``relevances[n]`` (L,) is the relevance of document n's words for its predicted class. Documents are left out if
    they have no known word, if their relevances are None, or if ``mask`` (N,) is False.

    Raises :class:`DataError` if no document remains. Source: DeYoung et al. 2020 (arXiv 1911.03429), section 4:
    comprehensiveness, sufficiency, and the area over the perturbation curve (AOPC).
    """
    included = np.array([each is not None for each in relevances])
    if mask is not None:
        included &= mask
    comprehensiveness: list[float] = []
    sufficiency: list[float] = []
    has_probabilities = corpus.model.probabilities(corpus.scores[:1]) is not None
    for batch, rows in corpus.iter_batches(included):
        for n, row in enumerate(rows.tolist()):
            relevance, known = relevances[row], batch.text(n) > 0
            if relevance is None or not known.any():
                continue
            keep = _kept_words(
                deletion_order(relevance, known, len(known), most_relevant_first=True), len(known), shares
            )
            scores = masked_scores(corpus.model, batch, n, keep)
            probabilities = corpus.model.probabilities(scores)
            values = scores if probabilities is None else probabilities
            decreases = (values[0] - values[1:])[:, int(corpus.predicted[row])]
            comprehensiveness.append(float(decreases[: len(shares)].mean()))
            sufficiency.append(float(decreases[len(shares) :].mean()))
    if not comprehensiveness:
        raise DataError(
            "no document is left to measure comprehensiveness and sufficiency on. Pass documents with words of the "
            "model's vocabulary."
        )
    comprehensive, sufficient = np.array(comprehensiveness), np.array(sufficiency)
    return EraserScores(
        float(comprehensive.mean()),
        bootstrap_interval(comprehensive, seed=seed),
        float(sufficient.mean()),
        bootstrap_interval(sufficient, seed=seed),
        "probability" if has_probabilities else "score",
        comprehensive,
        sufficient,
    )


def _kept_words(order: NDArray[np.int64], length: int, shares: Sequence[float]) -> NDArray[np.bool_]:
    """(1 + 2 B, L) masks of kept words: all, B times all but the first words of ``order``, B times only these."""
    keep = np.ones((1 + 2 * len(shares), length), dtype=bool)
    keep[1 + len(shares) :] = False
    for b, share in enumerate(shares):
        first = order[: max(1, round(share * len(order)))]
        keep[1 + b, first] = False
        keep[1 + len(shares) + b, first] = True
    return keep
