"""Efficient model parameter randomization test: are explanations of a randomized model more complex?

A trained model uses few words of a document, and a faithful explanation shows it: a few words have much relevance and
most have nearly none. After all weights are randomized nothing learned is left, and the relevance of a method that
depends on the model spreads over the words. :mod:`textlrp.evaluation.sanity` has the older test by rank correlation.

Letters: N documents, L words of a document that the model reads, K targets, B bins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from textlrp.arrays import FloatArray
from textlrp.class_words import read_words
from textlrp.errors import DataError
from textlrp.evaluation.intervals import Interval, bootstrap_interval
from textlrp.evaluation.randomizing import fully_randomized, randomizable
from textlrp.explainers.explain import explain
from textlrp.explainers.methods import Method, Random
from textlrp.explainers.targets import Index
from textlrp.explanation import Explanation
from textlrp.lrp.composite import Composite
from textlrp.lrp.shares import Rule
from textlrp.models.classifier import Classifier
from textlrp.models.options import check_whole
from textlrp.records import Document

BINS = 100
"""Bins of the histogram of relevance, between the smallest and the largest of a document."""


class ComplexityRise(NamedTuple):
    """The mean relative rise of the complexity of explanations when all weights are randomized.

    ``rise`` is the mean of ``values`` (N,), with its 95% bootstrap ``interval``. A value is nan for a document whose
    words all have the same relevance: its complexity is 0. ``original`` and ``randomized`` are the mean complexities
    of the other documents, in nats; ``n_documents`` is their number, and ``n_excluded`` that of the left out.
    """

    rise: float
    interval: Interval
    original: float
    randomized: float
    n_documents: int
    n_excluded: int
    values: FloatArray


def efficient_mprt(
    model: Classifier,
    documents: Iterable[str | Document],
    *,
    method: str | Method = "lrp",
    rule: str | Rule | Composite | None = None,
    bins: int = BINS,
    seed: int = 0,
) -> ComplexityRise:
    """Compute how much more complex explanations are after all weights of the model were shuffled.

    Complexity is :func:`histogram_entropy`; the rise of a document is (complexity after - before) / before. Each
    document is explained for the class that the original model predicts. A method that ignores the model has no rise.

    Raises :class:`ModelError` for a model that is not a textlrp classifier, and :class:`DataError` if no document has
    a complexity above 0. Source: Hedström et al. 2024 (arXiv 2401.06465), section 4.2: efficient MPRT.
    """
    model = randomizable(model)
    check_whole("bins", bins)
    documents = list(documents)
    originals = list(explain(model, documents, method=method, rule=rule))
    targets = [[Index(t) for t in each.targets if isinstance(t, int)] for each in originals]
    # otherwise random relevance would be the same draw twice, and have no rise by construction
    again = Random(method.seed + 1) if isinstance(method, Random) else method
    changed = explain(fully_randomized(model, seed=seed), documents, targets=targets, method=again, rule=rule)
    before, after = (_complexities(whys, bins) for whys in (originals, list(changed)))
    values = np.divide(after - before, before, out=np.full(len(before), np.nan), where=before > 0)
    defined = np.isfinite(values)
    if not defined.any():
        raise DataError(
            f"not one of the {len(values)} documents has an explanation with a complexity above 0: it takes two "
            "words that the model reads, with different relevance. Pass longer documents."
        )
    return ComplexityRise(
        float(values[defined].mean()),
        bootstrap_interval(values[defined], seed=seed),
        float(before[defined].mean()),
        float(after[defined].mean()),
        int(defined.sum()),
        int((~defined).sum()),
        values,
    )


def histogram_entropy(relevance: FloatArray, *, bins: int = BINS) -> float:
    """The entropy, in nats, of the histogram of the relevance (L,) of the words of a document.

    The ``bins`` have equal width between the smallest and the largest value, so the entropy does not depend on the
    unit or the zero of relevance. It is -sum p ln p over the share p of words in each bin; 0 if all values are equal.
    """
    if len(relevance) < 2 or not np.ptp(relevance):
        return 0.0
    counts, _ = np.histogram(relevance, bins=bins)
    shares = counts[counts > 0] / len(relevance)
    return float(-(shares * np.log(shares)).sum())


def _complexities(whys: Sequence[Explanation], bins: int) -> FloatArray:
    """(N,) the mean complexity over the K targets of each document."""
    found = [
        np.mean([histogram_entropy(row, bins=bins) for row in read_words(why).relevance] or [0.0]) for why in whys
    ]
    return np.array(found, dtype=np.float64)
