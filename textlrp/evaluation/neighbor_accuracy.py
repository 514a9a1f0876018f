"""The explanatory power index (EPI): how well do document vectors separate the classes?

It is the k-nearest-neighbor accuracy on unit document vectors: half of the documents are held out, accuracy is
averaged over random splits, and the best mean over K is reported. Source: Arras et al. 2017, section "Measuring model
explanatory power".

Letters: N documents, D dimensions, M held-out documents, K neighbors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from textlrp.arrays import Array
from textlrp.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class ExplanatoryPower:
    """K-nearest-neighbor accuracy on document vectors.

    ``accuracy`` and ``accuracy_sd`` are the mean and the standard deviation over splits for each K of ``neighbors``.
    ``epi`` is the best mean, ``sd`` its standard deviation and ``k`` its K. ``values`` (N,) are the contributions
    of the documents to the EPI, which is their mean: how often each is held out and classified correctly with this K,
    relative to how often a document is held out on average. Two weightings are compared by them.
    """

    epi: float
    sd: float
    k: int
    neighbors: tuple[int, ...]
    accuracy: Array
    accuracy_sd: Array
    values: Array


def explanatory_power(
    vectors: Any, labels: Sequence[Any], *, n_splits: int = 10, max_neighbors: int = 40, seed: int = 0
) -> ExplanatoryPower:
    """The explanatory power index (EPI) of document vectors (N, D), dense or sparse.

    Each split divides the documents into two random halves. A document of the held-out half gets the majority class
    of its K nearest neighbors (cosine similarity) in the other half, for K from 1 to ``max_neighbors``; ties go to
    the class that sorts first. Raises :class:`DataError` for fewer than four documents. Source: Arras et al. 2017,
    section "Measuring model explanatory power".
    """
    codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1]
    count = len(codes)
    if count < 4:
        raise DataError(f"vectors must be of at least 4 documents, 2 per half; got {count}. Add labeled documents.")
    unit = normalize(vectors)
    rng = np.random.default_rng(seed)
    max_neighbors = min(max_neighbors, count // 2)
    is_correct = np.full((n_splits, max_neighbors, count), np.nan, dtype=np.float32)
    for split in range(n_splits):
        order = rng.permutation(count)
        known, held_out = order[: count // 2], order[count // 2 :]
        nearest = NearestNeighbors(n_neighbors=max_neighbors, metric="cosine").fit(unit[known])
        neighbors = codes[known][nearest.kneighbors(unit[held_out], return_distance=False)]
        is_correct[split][:, held_out] = _vote_is_correct(neighbors, int(codes.max()) + 1, codes[held_out])
    found = np.nanmean(is_correct, axis=2, dtype=np.float64)
    mean, sd = found.mean(axis=0), found.std(axis=0, ddof=1 if n_splits > 1 else 0)
    best = int(mean.argmax())
    times = np.asarray(np.nansum(is_correct[:, best], axis=0, dtype=np.float64))
    values = times * count / (n_splits * len(held_out))
    return ExplanatoryPower(
        float(mean[best]), float(sd[best]), best + 1, tuple(range(1, max_neighbors + 1)), mean, sd, values
    )


def _vote_is_correct(neighbors: NDArray[np.int64], classes: int, true_labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(K, M) whether the majority vote of the first 1, 2, ..., K neighbors (M, K) is the true label (M,)."""
    votes = np.zeros((len(neighbors), classes), dtype=np.int32)
    row = np.arange(len(neighbors))
    is_correct = np.zeros(neighbors.T.shape, dtype=bool)
    for k, labels in enumerate(neighbors.T):
        votes[row, labels] += 1
        is_correct[k] = votes.argmax(axis=1) == true_labels
    return is_correct
