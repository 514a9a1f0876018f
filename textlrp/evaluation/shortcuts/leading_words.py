"""Groups of documents with their leading words: what the predictions of a group have in common.

Letters: M documents of one class, V words, G documents of a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    ``of_class`` is the number of documents that were compared.
    """

    label: int
    rows: NDArray[np.int64]
    words: tuple[str, ...]
    mean_shares: tuple[float, ...]
    shares: Array
    of_class: int


def word_groups(
    label: int, vectors: RelevanceVectors, clustering: str, min_size: int, seed: int
) -> Iterator[WordGroup]:
    """Yield the groups of the documents of one class, whose position is ``label``; see :func:`group_documents`.

    The leading words have the largest mean shares: at most :data:`MOST_WORDS`, each at least :data:`LEADING` of the
    first one. Equal ones are in alphabetical order, because the order of a text would reveal it.
    """
    alphabetical = np.argsort(vectors.words, kind="stable")
    groups = group_documents(vectors.shares, method=clustering, min_size=min_size, seed=seed)
    for number in range(int(groups.max(initial=-1)) + 1):
        members = np.flatnonzero(groups == number)
        if not len(members):
            continue
        shares = vectors.shares[members]
        means = np.asarray(shares.mean(axis=0)).ravel()
        order = alphabetical[np.argsort(-means[alphabetical], kind="stable")][:MOST_WORDS]
        leading = order[means[order] >= LEADING * means[order[0]]]
        yield WordGroup(
            label,
            vectors.rows[members],
            tuple(vectors.words[leading].tolist()),
            tuple(means[leading].tolist()),
            np.asarray(shares[:, leading].sum(axis=1)).ravel(),
            len(vectors.rows),
        )
