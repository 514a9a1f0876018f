"""Does an explanation hang on the model, does another seed's model say the same, and what reached no word?

Letters: N documents, L words read of one document, K targets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.class_words import ReadWords, most_relevant, read_words
from textlrp.errors import DataError, ModelError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.randomizing import cascade, randomized
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Method
from textlrp.explainers.targets import Index
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.shares import Rule
from textlrp.models.base import TextClassifier
from textlrp.models.classifier import Classifier
from textlrp.models.options import check_whole
from textlrp.records import Document
from textlrp.relevant_words import rank_correlations


@dataclass(frozen=True, slots=True, eq=False)
class Randomization:
    """How alike the maps are once ``layer`` and all layers above it have random weights.

    ``rank_correlation`` is the mean over documents of ``values`` (counted,), with its 95 % bootstrap ``interval``:
    near 0 for a method that shows what the model has learned. ``left_out`` documents have no rank correlation: fewer
    than two words read, or all words equal in one of the maps.
    """

    layer: str
    rank_correlation: float
    interval: Interval
    counted: int
    left_out: int
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """How alike two maps of the same documents are: means over the documents with 95 % bootstrap intervals.

    ``rank_correlation`` is over the words read, ``top_overlap`` the share of the ``top`` most relevant in common;
    ``correlations`` and ``overlaps`` (documents,) are what they are means of. ``left_out``: as in
    :class:`Randomization`.
    """

    rank_correlation: float
    interval: Interval
    top_overlap: float
    overlap_interval: Interval
    top: int
    documents: int
    left_out: int
    correlations: NDArray[np.float64]
    overlaps: NDArray[np.float64]


class LedgerShare(NamedTuple):
    """What one entry of the ledger takes: |entry| / (sum |relevance| + sum |ledger|), its mean and its largest."""

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
    """Compare the map of each document's predicted class with that of the same class once layers have random weights.

    One result for each layer of :func:`cascade`: the output alone, then the convolutions too, then all.
    Raises :class:`ModelError` for a model that is not one of textlrp's own, and :class:`DataError` where no document
    has a rank correlation. Source: Adebayo et al. 2018 (arXiv 1810.03292), section 3: cascading randomization.
    """
    if not isinstance(model, TextClassifier):
        raise ModelError(f"model must be one of textlrp's own, whose layers are known; got a {type(model).__name__}.")
    documents = list(documents)
    originals = list(explain(model, documents, method=method, rule=rule))
    targets = [Index(explanation.predicted) for explanation in originals]
    layers, found = cascade(model), []
    for depth, layer in enumerate(layers, start=1):
        other = randomized(model, layers[:depth], seed=seed)
        changed = explain(other, documents, targets=targets, method=method, rule=rule)
        pairs = zip(originals, changed, strict=True)
        values = np.array(
            [rank_correlations(read_words(a).relevance, read_words(b).relevance) for a, b in pairs]
        ).reshape(-1)
        counted = _defined(values)
        mean, interval = float(counted.mean()), bootstrap_interval(counted)
        found.append(Randomization(layer, mean, interval, len(counted), len(values) - len(counted), counted))
    return found


# ---- two maps


def stability(
    explanations_a: Iterable[Explanation], explanations_b: Iterable[Explanation], *, top: int = 10
) -> Stability:
    """Compare two streams of explanations of the same documents and targets: models of two seeds, or two methods.

    A document's values are means over its K targets. Raises :class:`DataError` where documents, words read or targets
    differ, or no document has a rank correlation.
    """
    check_whole("top", top)
    correlations, overlaps = [], []
    for number, (a, b) in enumerate(zip_longest(explanations_a, explanations_b), start=1):
        words = _same_words(a, b, number)
        values = rank_correlations(words[0].relevance, words[1].relevance)
        correlations.append(float(values.mean()))  # nan where one is
        overlaps.append(float(np.mean(_overlaps(*words, top))))
    defined = np.isfinite(correlations)
    counted = _defined(np.array(correlations))
    shared = np.array(overlaps)[defined]
    return Stability(
        rank_correlation=float(counted.mean()),
        interval=bootstrap_interval(counted),
        top_overlap=float(shared.mean()),
        overlap_interval=bootstrap_interval(shared),
        top=top,
        documents=len(counted),
        left_out=len(correlations) - len(counted),
        correlations=counted,
        overlaps=shared,
    )


def _same_words(a: Explanation | None, b: Explanation | None, number: int) -> tuple[ReadWords, ReadWords]:
    if a is None or b is None:
        raise DataError(f"one of the two streams ends before explanation {number}; the same documents are wanted.")
    if a.text != b.text:
        raise DataError(f"explanation {number} is of {a.document_id!r} here and of another text there.")
    if a.target_names != b.target_names:
        names = (" and ".join(each.target_names) for each in (a, b))
        raise DataError(f"{a.document_id!r} was explained for {' here and for '.join(names)} there; pass targets=.")
    words = read_words(a), read_words(b)
    if not np.array_equal(words[0].spans, words[1].spans):
        raise DataError(
            f"the two models do not read the same words of {a.document_id!r}; their maps cannot be compared."
        )
    return words


def _overlaps(a: ReadWords, b: ReadWords, top: int) -> list[float]:
    return [
        len({*most_relevant(x, top).tolist()} & {*most_relevant(y, top).tolist()}) / max(1, min(top, len(x)))
        for x, y in zip(a.relevance, b.relevance, strict=True)
    ]


def _defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    defined = values[np.isfinite(values)]
    if not len(defined):
        raise DataError(f"none of the {len(values)} documents has two words read and a map that tells them apart.")
    return defined


# ---- the ledger


def ledger_shares(explanations: Iterable[Explanation]) -> list[LedgerShare]:
    """What each entry (step, cause) of the ledger takes of a map, over all documents and targets, largest mean first.

    An entry that a document does not have is 0 there. Raises :class:`DataError` where no explanation comes.
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
        raise DataError("no explanation came; the shares of the ledger want one at least.")
    found = [LedgerShare(*key, total / rows, largest[key]) for key, total in sums.items()]
    return sorted(found, key=lambda share: (-share.mean_share, share.step, share.cause))
