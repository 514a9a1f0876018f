"""Sanity check by randomized weights, stability across models, and the shares of the ledger.

:func:`randomization_check` is the model parameter randomization test of Adebayo et al. 2018. :func:`stability`
compares the explanations of two models or two methods. :func:`ledger_shares` measures how much of the score reaches
no word.

Letters: N documents, L words of a document that the model reads, K targets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.class_words import ReadWords, most_relevant, read_words
from textlrp.errors import DataError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.randomizing import cascade_layers, randomizable, randomize_weights
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Method
from textlrp.explainers.targets import Index
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.shares import Rule
from textlrp.models.classifier import Classifier
from textlrp.models.options import check_whole
from textlrp.records import Document
from textlrp.relevant_words import rank_correlations


@dataclass(frozen=True, slots=True, eq=False)
class Randomization:
    """Rank correlation of explanations before and after ``layer`` and all layers above it are randomized.

    ``rank_correlation`` is the mean of ``values`` (n_documents,), with its 95% bootstrap ``interval``. It is near 0
    if the method depends on what the model learned. ``n_excluded`` documents have no rank correlation: the model
    reads fewer than two words, or all words have the same relevance in one of the explanations.
    """

    layer: str
    rank_correlation: float
    interval: Interval
    n_documents: int
    n_excluded: int
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """Agreement of two explanations of the same documents: means over documents with 95% bootstrap intervals.

    ``rank_correlation`` is over all words that the model reads; ``top_overlap`` is the share of the ``top_k`` most
    relevant words that the two have in common. ``correlations`` and ``overlaps`` (n_documents,) are the values of the
    single documents. ``n_excluded`` is defined as in :class:`Randomization`.
    """

    rank_correlation: float
    interval: Interval
    top_overlap: float
    overlap_interval: Interval
    top_k: int
    n_documents: int
    n_excluded: int
    correlations: NDArray[np.float64]
    overlaps: NDArray[np.float64]


class LedgerShare(NamedTuple):
    """Mean and maximum of the share of one ledger entry: |entry| / (sum |relevance| + sum |ledger entries|)."""

    step: str
    cause: str
    mean_share: float
    largest_share: float


# ---- random weights


def randomization_check(
    model: Classifier,
    documents: Iterable[str | Document],
    *,
    method: str | Method = "lrp",
    rule: str | Rule | Composite | None = None,
    seed: int = 0,
) -> list[Randomization]:
    """Compare explanations of the model with those of the same model with randomized weights.

    Weights are randomized layer by layer from the output, cumulatively, and each document is explained for the class
    that the original model predicts. Returns one result per layer of :func:`cascade_layers`. Raises
    :class:`ModelError` for a model that is not a textlrp classifier, and :class:`DataError` if no document has a rank
    correlation. The test is criticized: see :func:`textlrp.evaluation.efficient_mprt`.
    Source: Adebayo et al. 2018 (arXiv 1810.03292), section 3: cascading randomization.
    """
    model = randomizable(model)
    documents = list(documents)
    originals = list(explain(model, documents, method=method, rule=rule))
    targets = [[Index(t) for t in each.targets if isinstance(t, int)] for each in originals]
    layers, found = cascade_layers(model), []
    for depth, layer in enumerate(layers, start=1):
        other = randomize_weights(model, layers[:depth], seed=seed)
        changed = explain(other, documents, targets=targets, method=method, rule=rule)
        pairs = zip(originals, changed, strict=True)
        # a multi-label model may have several targets for a document
        values = np.concatenate(
            [np.zeros(0), *(rank_correlations(read_words(a).relevance, read_words(b).relevance) for a, b in pairs)]
        )
        defined = _defined(values)
        mean, interval = float(defined.mean()), bootstrap_interval(defined)
        found.append(Randomization(layer, mean, interval, len(defined), len(values) - len(defined), defined))
    return found


# ---- two explanations


def stability(
    explanations_a: Iterable[Explanation], explanations_b: Iterable[Explanation], *, top_k: int = 10
) -> Stability:
    """Compare explanations of the same documents and targets, for example by models of two seeds or by two methods.

    The values of a document are means over its K targets. Raises :class:`DataError` if the documents, the words that
    the models read or the targets differ, or if no document has a rank correlation.
    """
    check_whole("top_k", top_k)
    correlations, overlaps = [], []
    for number, (a, b) in enumerate(zip_longest(explanations_a, explanations_b), start=1):
        words = _same_words(a, b, number)
        values = rank_correlations(words[0].relevance, words[1].relevance)
        correlations.append(float(values.mean()))  # nan if the correlation of one target is undefined
        overlaps.append(float(np.mean(_overlaps(*words, top_k))))
    defined = np.isfinite(correlations)
    defined_correlations = _defined(np.array(correlations))
    defined_overlaps = np.array(overlaps)[defined]
    return Stability(
        rank_correlation=float(defined_correlations.mean()),
        interval=bootstrap_interval(defined_correlations),
        top_overlap=float(defined_overlaps.mean()),
        overlap_interval=bootstrap_interval(defined_overlaps),
        top_k=top_k,
        n_documents=len(defined_correlations),
        n_excluded=len(correlations) - len(defined_correlations),
        correlations=defined_correlations,
        overlaps=defined_overlaps,
    )


def _same_words(a: Explanation | None, b: Explanation | None, number: int) -> tuple[ReadWords, ReadWords]:
    if a is None or b is None:
        name, number_of = ("explanations_a" if a is None else "explanations_b"), number - 1
        raise DataError(
            f"{name} must be of the same documents as the other; it ends after {number_of}. Explain the same "
            "documents with both."
        )
    if a.text != b.text:
        raise DataError(
            f"explanations must be of the same documents in the same order; number {number} is of {a.document_id!r} "
            "in explanations_a and of another text in explanations_b."
        )
    if a.target_names != b.target_names:
        first, second = (" and ".join(each.target_names) for each in (a, b))
        raise DataError(
            f"explanations must have the same targets; {a.document_id!r} is explained for {first} in explanations_a "
            f"and for {second} in explanations_b. Pass targets= to explain."
        )
    words = read_words(a), read_words(b)
    if not np.array_equal(words[0].spans, words[1].spans):
        raise DataError(
            f"the two models do not read the same words of {a.document_id!r}, so their explanations cannot be "
            "compared. Compare models with the same vocabulary."
        )
    return words


def _overlaps(a: ReadWords, b: ReadWords, top_k: int) -> list[float]:
    return [
        len({*most_relevant(x, top_k).tolist()} & {*most_relevant(y, top_k).tolist()}) / max(1, min(top_k, len(x)))
        for x, y in zip(a.relevance, b.relevance, strict=True)
    ]


def _defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    defined = values[np.isfinite(values)]
    if not len(defined):
        raise DataError(
            f"not one of the {len(values)} documents has a rank correlation: it takes two words that the model "
            "reads, with different relevance. Pass longer documents."
        )
    return defined


# ---- the ledger


def ledger_shares(explanations: Iterable[Explanation]) -> list[LedgerShare]:
    """Compute the share of each ledger entry (step, cause) over all documents and targets, largest mean first.

    An entry that a document does not have counts as 0. Raises :class:`DataError` if there are no explanations.
    """
    sums: dict[tuple[str, str], float] = {}
    largest: dict[tuple[str, str], float] = {}
    rows = 0
    for explanation in explanations:
        entries = {key: np.abs(entry.astype(np.float64)) for key, entry in explanation.ledger.items()}
        whole = np.abs(explanation.relevance.astype(np.float64)).sum(axis=1) + sum(entries.values())
        rows += len(whole)
        for key, entry in entries.items():
            shares = np.divide(entry, whole, out=np.zeros(len(whole)), where=whole > 0)
            sums[key] = sums.get(key, 0.0) + float(shares.sum())
            largest[key] = max(largest.get(key, 0.0), float(shares.max(initial=0)))
    if not rows:
        raise DataError("explanations must contain at least 1 explanation; got none. Pass documents to explain.")
    found = [LedgerShare(*key, total / rows, largest[key]) for key, total in sums.items()]
    return sorted(found, key=lambda share: (-share.mean_share, share.step, share.cause))
