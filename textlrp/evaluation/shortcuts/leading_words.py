"""Groups of documents with their leading words: what the predictions of a group have in common.

Letters: M documents of one class, V words, G documents of a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.arrays import Array
from textlrp.evaluation.shortcuts.document_groups import group_documents
from textlrp.evaluation.shortcuts.relevance_vectors import RelevanceVectors

MOST_WORDS = 5
"""Leading words of a group, at most."""
LEADING = 0.25
"""A leading word has at least this part of the share that the first one has."""


@dataclass(frozen=True, slots=True, eq=False)
class WordGroup:
    """A group: its documents as rows of the corpus, its leading words, and their share (G,) in each document.

    ``unlike`` is the part "unlike the class" of the suspicion, ``of_class`` the number of documents of the class.
    """

    label: int
    rows: NDArray[np.int64]
    words: tuple[str, ...]
    mean_shares: tuple[float, ...]
    shares: Array
    unlike: float
    of_class: int


def word_groups(
    label: int, vectors: RelevanceVectors, clustering: str, min_size: int, seed: int
) -> Iterator[WordGroup]:
    """Yield the groups of the documents of one class, whose position is ``label``; see :func:`group_documents`.

    The leading words have the largest mean shares: at most :data:`MOST_WORDS`, each at least :data:`LEADING` of the
    first one.
    """
    groups = group_documents(vectors.shares, method=clustering, min_size=min_size, seed=seed)
    profile = np.asarray(vectors.shares.mean(axis=0)).ravel()
    for number in range(int(groups.max(initial=-1)) + 1):
        members = np.flatnonzero(groups == number)
        if not len(members):
            continue
        shares = vectors.shares[members]
        means = np.asarray(shares.mean(axis=0)).ravel()
        order = np.argsort(-means, kind="stable")[:MOST_WORDS]
        leading = order[means[order] >= LEADING * means[order[0]]]
        yield WordGroup(
            label,
            vectors.rows[members],
            tuple(vectors.words[leading].tolist()),
            tuple(means[leading].tolist()),
            np.asarray(shares[:, leading].sum(axis=1)).ravel(),
            _unlike(vectors.shares, members, leading, profile),
            len(vectors.rows),
        )


def _unlike(
    shares: sparse.csr_array, members: NDArray[np.int64], leading: NDArray[np.int64], profile: Array
) -> float:
    """How far the documents are from their class without the leading words.

    1 minus the ratio of two mean cosines with the ``profile`` (V,) of the class: of the ``members``, and of all.
    """
    weights = profile.copy()
    weights[leading] = 0
    rest = shares @ sparse.diags_array((weights > 0).astype(np.float64))
    norms = np.sqrt(np.asarray(rest.multiply(rest).sum(axis=1)).ravel())
    cosines = np.divide(rest @ weights, norms, out=np.zeros(len(norms)), where=norms > 0)
    whole = float(cosines.mean())
    return float(np.clip(1 - cosines[members].mean() / whole, 0, 1)) if whole else 0.0
