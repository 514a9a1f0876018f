"""Initial word vectors from the training texts: positive pointwise mutual information (PPMI), then SVD.

Levy, Goldberg, Dagan 2015 (TACL 3): PPMI with context smoothing 0.75; the vectors are U S^0.5. The result is
deterministic for a given ``random_state``. Open this module to change how vectors are initialized without a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

SMOOTHING = 0.75
"""The exponent of the context counts."""
LONGEST_TEXT = 1000
"""Number of words of each text that are counted. Otherwise a few very long posts would dominate."""


def ppmi_vectors(
    texts: Sequence[NDArray[np.int64]], words: int, *, dimensions: int, window: int = 10, random_state: int = 0
) -> NDArray[np.float64]:
    """Compute word vectors (V + 1, D). Row 0 (unknown words) and the rows of words without neighbors are zero.

    ``texts`` are N arrays (L,) of ids 0..V, with V = ``words``. Pairs up to ``window`` words apart are counted with
    the weight 1 / sqrt(distance). If the corpus is too small for D dimensions, the others are zero.
    """
    counts = cooccurrences(texts, words, window)
    table = np.zeros((words + 1, dimensions))
    rank = min(dimensions, words)
    if counts.nnz and rank:
        from sklearn.utils.extmath import randomized_svd  # imported here because only training needs it

        left, strengths, _ = randomized_svd(ppmi(counts), rank, n_iter=3, random_state=random_state)
        table[:, :rank] = left * np.sqrt(strengths)
    table[0] = 0
    return table


def cooccurrences(texts: Sequence[NDArray[np.int64]], words: int, window: int) -> Any:
    """Return symmetric weighted counts (V + 1, V + 1) as a sparse matrix.

    Unknown words are not counted, but they do count for the distance of the words around them.
    """
    # unknown words between two texts, so that no pair reaches from one text into the next
    gap = np.zeros(window, dtype=np.int64)
    line = np.concatenate([part for ids in texts for part in (ids[:LONGEST_TEXT], gap)])
    total = sparse.csr_matrix((words + 1, words + 1), dtype=np.float64)
    for distance in range(1, window + 1):
        left, right = line[:-distance], line[distance:]
        known = (left > 0) & (right > 0)
        weights = np.full(int(known.sum()), distance**-0.5)
        total = total + sparse.csr_matrix((weights, (left[known], right[known])), shape=total.shape)
    return (total + total.T).tocsr()


def ppmi(counts: Any) -> Any:
    """Return max(0, ln(p(w, c) / (p(w) p(c)))) of a sparse count matrix, with p(c) proportional to count(c)^0.75."""
    pairs = counts.tocoo()
    sums = np.asarray(counts.sum(axis=1)).ravel()
    contexts = sums**SMOOTHING
    contexts /= contexts.sum() or 1.0
    information = np.log(pairs.data / (sums[pairs.row] * contexts[pairs.col]))
    positive = information > 0
    kept = information[positive].astype(np.float32)
    return sparse.csr_matrix((kept, (pairs.row[positive], pairs.col[positive])), shape=pairs.shape)
