"""Normalized AOPC: the area over the deletion curve of an order of words, between the worst and the best order.

How much the probability of a class can decrease depends on the model and the text. Dividing by the distance between
the limits makes the values of different models comparable.

Letters: N documents, M documents that are measured, L known words of a document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import Array, FloatArray, IntArray
from textlrp.errors import DataError
from textlrp.evaluation.deletion import deletion_order
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.measured_corpus import ScoredCorpus
from textlrp.models.options import check_whole
from textlrp.models.word_orders import Order, iter_extreme_orders
from textlrp.models.word_paths import path_scores
from textlrp.text.batches import Batch

BEAM_WIDTH = 5
"""States of the beam search, as in Edin et al. 2025."""


@dataclass(frozen=True, slots=True, eq=False)
class AopcLimits:
    """The smallest and the largest AOPC, ``lower`` and ``upper`` (M,), of any order of the words of M documents.

    ``documents`` (M,) are their positions in the corpus. Where ``exact`` (M,) is True, no order is outside; the
    others are the limits that a beam search of ``beam_width`` states found. ``quantity`` is what decreases: the
    "probability" of the predicted class, or its "score" if the model has no probabilities.
    """

    documents: IntArray
    lower: FloatArray
    upper: FloatArray
    exact: NDArray[np.bool_]
    beam_width: int
    quantity: Literal["probability", "score"]

    def including(self, *areas: FloatArray) -> AopcLimits:
        """The limits widened to include the AOPC (M,) of further orders."""
        return replace(self, lower=np.min([self.lower, *areas], axis=0), upper=np.max([self.upper, *areas], axis=0))

    def normalized(self, areas: FloatArray) -> FloatArray:
        """(M,) the AOPC of an order between the limits: (AOPC - lower) / (upper - lower), nan if they are equal."""
        width = self.upper - self.lower
        found: FloatArray = np.divide(areas - self.lower, width, out=np.full(len(width), np.nan), where=width > 0)
        return found


class NormalizedAopc(NamedTuple):
    """Mean normalized AOPC with 95% bootstrap intervals, and the values of the single documents (M,).

    ``comprehensiveness`` is that of deleting the most relevant words first, ``sufficiency`` of the least relevant
    first. ``values`` are those of each document, nan where all orders have the same AOPC.
    """

    comprehensiveness: float
    comprehensiveness_interval: Interval
    sufficiency: float
    sufficiency_interval: Interval
    comprehensiveness_values: FloatArray
    sufficiency_values: FloatArray


def searched_documents(
    corpus: ScoredCorpus, *, mask: NDArray[np.bool_] | None = None, max_words: int | None = None
) -> NDArray[np.bool_]:
    """(N,) mask of the documents with two or more known words, but not more than ``max_words``."""
    longest = np.inf if max_words is None else max_words
    return np.asarray((corpus.known >= 2) & (corpus.known <= longest) & (True if mask is None else mask))


def aopc_limits(
    corpus: ScoredCorpus,
    *,
    mask: NDArray[np.bool_] | None = None,
    beam_width: int = BEAM_WIDTH,
    max_words: int | None = None,
    progress: Callable[[int], object] = lambda documents: None,
) -> AopcLimits:
    """Find the smallest and the largest AOPC of any order of the words, for the predicted class of each document.

    ``mask`` (N,) selects documents; those with fewer than two known words, or with more than ``max_words``, are left
    out. ``progress`` is called with the number of documents done since the last call.

    A beam search keeps the ``beam_width`` best sets of deleted words. A CNN with max pooling computes only what a
    deleted word changes; other models need up to 2 × ``beam_width`` × L² / 2 forward passes for a document. The
    limits are exact, without a search, if the score is a sum over words and the model has two classes or no
    probabilities: the best order then deletes the words with the largest part of the score first.

    Raises :class:`DataError` if no document remains. Source: Edin et al. 2025 (arXiv 2408.08137), sections 3 and 4.
    """
    check_whole("beam_width", beam_width)
    check_whole("max_words", max_words, none="all documents")
    included = searched_documents(corpus, mask=mask, max_words=max_words)
    rows: list[int] = []
    found: list[tuple[float, float, bool]] = []
    for batch, places in corpus.iter_batches(included):
        targets = corpus.predicted[places].tolist()
        for n, orders in enumerate(iter_extreme_orders(corpus.model, batch, targets, beam_width=beam_width)):
            both = batch.select([n, n])
            areas = _order_areas(corpus, both, [orders.lowest, orders.highest], [targets[n]] * 2)
            rows.append(int(places[n]))
            found.append((min(areas), max(areas), orders.exact))
            progress(1)
    if not rows:
        limit = "" if max_words is None else f" and at most {max_words}"
        raise DataError(
            f"no document is left to compute normalized AOPC on: each needs at least two words of the model's "
            f"vocabulary{limit}. Pass other documents{'' if max_words is None else ' or a larger number of words'}."
        )
    lower, upper, is_exact = (np.array(each) for each in zip(*found, strict=True))
    order = np.argsort(rows)
    return AopcLimits(
        np.array(rows)[order], lower[order], upper[order], is_exact[order], beam_width, _quantity(corpus)
    )


def deletion_areas(
    corpus: ScoredCorpus, relevances: Sequence[Array | None], documents: IntArray, *, most_relevant_first: bool = True
) -> FloatArray:
    """(M,) AOPC of deleting the words of the ``documents`` (M,) in order of their relevance for the predicted class.

    AOPC is the mean over k = 1 to L of f(all words) - f(without the first k words), where f is the probability of the
    predicted class, or its score if the model has no probabilities. A deleted word becomes the zero vector.
    Source: Samek et al. 2017 (arXiv 1509.06321), equation 12; for words Edin et al. 2025, equation 1.
    """
    mask = np.zeros(len(corpus), dtype=bool)
    mask[documents] = True
    areas = np.full(len(corpus), np.nan)
    for batch, rows in corpus.iter_batches(mask):
        orders = []
        for n, row in enumerate(rows.tolist()):
            relevance, known = relevances[row], batch.text(n) > 0
            if relevance is None:
                raise DataError(
                    f"relevances must contain the words of every measured document; those of {corpus.ids[row]!r} are "
                    "missing. Explain it, or leave it out with mask=."
                )
            orders.append(deletion_order(relevance, known, len(known), most_relevant_first=most_relevant_first))
        areas[rows] = _order_areas(corpus, batch, orders, corpus.predicted[rows].tolist())
    return areas[documents]


def normalized_aopc(
    corpus: ScoredCorpus,
    relevances: Mapping[str, Sequence[Array | None]],
    limits: AopcLimits,
    *,
    seed: int = 0,
) -> dict[str, NormalizedAopc]:
    """Compute normalized AOPC of the orders of several methods: 1 for the best order of the words, 0 for the worst.

    ``relevances`` maps the name of each method to the relevance (L,) of each document's words for its predicted
    class. The limits of a document are those of :func:`aopc_limits`, widened to include the order of every method
    and its reverse, so that all values are from 0 to 1. A document of which all orders have the same AOPC is left
    out of the means. Raises :class:`DataError` if no document remains.
    Source: Edin et al. 2025 (arXiv 2408.08137), equation 5.
    """
    areas = {
        name: [deletion_areas(corpus, each, limits.documents, most_relevant_first=first) for first in (True, False)]
        for name, each in relevances.items()
    }
    return normalized_areas(areas, limits, seed=seed)


def normalized_areas(
    areas: Mapping[str, Sequence[FloatArray]], limits: AopcLimits, *, seed: int = 0
) -> dict[str, NormalizedAopc]:
    """As :func:`normalized_aopc`, from the AOPC (M,) of each method's order and of its reverse."""
    limits = limits.including(*(area for both in areas.values() for area in both))
    found = {}
    for name, (most_first, least_first) in areas.items():
        values, reverse = limits.normalized(most_first), limits.normalized(least_first)
        defined = np.isfinite(values)
        if not defined.any():
            raise DataError(
                "no document is left to compute normalized AOPC on: in each, all orders of deletion have the same "
                "AOPC. Pass documents with words that change the prediction."
            )
        found[name] = NormalizedAopc(
            float(values[defined].mean()),
            bootstrap_interval(values[defined], seed=seed),
            float(reverse[defined].mean()),
            bootstrap_interval(reverse[defined], seed=seed),
            values,
            reverse,
        )
    return found


def _quantity(corpus: ScoredCorpus) -> Literal["probability", "score"]:
    return "score" if corpus.model.probabilities(corpus.scores[:1]) is None else "probability"


def _order_areas(corpus: ScoredCorpus, batch: Batch, orders: Sequence[Order], targets: Sequence[int]) -> list[float]:
    """The AOPC of an order of each text of a batch."""
    areas = []
    for scores, target in zip(path_scores(corpus.model, batch, orders), targets, strict=True):
        probabilities = corpus.model.probabilities(scores)
        values = (scores if probabilities is None else probabilities)[:, target].astype(np.float64)
        areas.append(float((values[0] - values[1:]).mean()) if len(values) > 1 else 0.0)
    return areas
