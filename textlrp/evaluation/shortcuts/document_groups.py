"""Group the documents of one class by the words that their prediction rests on.

Letters: M documents of one class, V words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import HDBSCAN, SpectralClustering
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from textlrp.errors import OptionError, must_be

MIN_SIZE = 5
"""The smallest number of documents in a group."""
SAME = 0.8
"""The cosine of the mean vectors of two groups from which they are joined."""
_NEIGHBORS, _MOST_GROUPS = 10, 30


def group_documents(
    shares: sparse.csr_array, *, method: str = "hdbscan", min_size: int = MIN_SIZE, seed: int = 0
) -> NDArray[np.int64]:
    """Return the group (M,) of each document by its ``shares`` (M, V) of relevance; -1 for a document in no group.

    Documents are compared by the cosine of their shares. ``method`` is "hdbscan" (groups are the leaves of the
    hierarchy of dense regions; most documents are in none) or "spectral" (all documents of a graph of nearest
    neighbors, cut into as many groups as its largest eigengap tells, of which those below ``min_size`` are left out).
    Time and memory grow with M².
    Source: Campello et al. 2013 (HDBSCAN); Lapuschkin et al. 2019 (SpRAy: spectral clustering of heatmaps).

    Raises :class:`OptionError` for an unknown method or a ``min_size`` below 2.
    """
    check_grouping(method, min_size)
    groups = np.full(shares.shape[0], -1, dtype=np.int64)
    filled = np.flatnonzero(shares.sum(axis=1) > 0)  # a document without supporting relevance is like no other
    if len(filled) < max(min_size, 3):
        return groups
    vectors = normalize(shares[filled])
    groups[filled] = _joined(vectors, METHODS[method](vectors, min_size, seed))
    sizes = np.bincount(groups[groups >= 0], minlength=1)
    groups[(groups >= 0) & (sizes[groups] < min_size)] = -1
    return groups


def _joined(vectors: sparse.csr_array, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join groups whose mean vectors have a cosine of :data:`SAME` or more, and add documents that belong to a group.

    These are in no group, and as near to the mean vector of one as half of its documents.
    """
    number = int(groups.max(initial=-1)) + 1
    if not number:
        return groups
    of_group = sparse.csr_array(
        (np.ones(int((groups >= 0).sum())), (groups[groups >= 0], np.flatnonzero(groups >= 0))),
        shape=(number, len(groups)),
    )
    means = normalize(of_group @ vectors)
    _, joined = connected_components(means @ means.T >= SAME)
    groups = np.where(groups >= 0, joined[groups], -1).astype(np.int64)
    for group in range(int(groups.max()) + 1):
        members = groups == group
        cosines = np.asarray(vectors @ normalize(sparse.csr_array(vectors[members].sum(axis=0)[None])).T.toarray())[
            :, 0
        ]
        groups[(groups < 0) & (cosines >= np.median(cosines[members]))] = group
    return groups


def check_grouping(method: str, min_size: int) -> None:
    """Raise :class:`OptionError` for an unknown method or a ``min_size`` below 2."""
    if method not in METHODS:
        raise OptionError(must_be("clustering", " or ".join(METHODS), method, "Pass clustering='hdbscan'."))
    if min_size < 2:
        raise OptionError(must_be("min_size", "at least 2", min_size, f"Pass min_size={MIN_SIZE}."))


def _by_density(vectors: sparse.csr_array, min_size: int, seed: int) -> NDArray[np.int64]:
    distances = np.clip(1 - (vectors @ vectors.T).toarray(), 0, None)
    np.fill_diagonal(distances, 0)
    found = HDBSCAN(min_cluster_size=min_size, metric="precomputed", cluster_selection_method="leaf", copy=False)
    return np.asarray(found.fit_predict(distances), dtype=np.int64)


def _by_spectrum(vectors: sparse.csr_array, min_size: int, seed: int) -> NDArray[np.int64]:
    count = vectors.shape[0]
    neighbors = NearestNeighbors(n_neighbors=min(_NEIGHBORS, count - 1), metric="cosine").fit(vectors)
    graph = neighbors.kneighbors_graph(mode="connectivity")
    affinity = (graph + graph.T) / 2
    scale = sparse.diags_array(np.asarray(affinity.sum(axis=1)).ravel() ** -0.5)
    laplacian = np.eye(count) - (scale @ affinity @ scale).toarray()
    values = np.linalg.eigvalsh(laplacian)[: min(_MOST_GROUPS, count - 1) + 1]
    number = int(np.argmax(np.diff(values)[1:])) + 2  # at least two groups
    clustering = SpectralClustering(number, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Graph is not fully connected")  # then its parts are groups
        return np.asarray(clustering.fit_predict(affinity), dtype=np.int64)


METHODS: Mapping[str, Callable[[sparse.csr_array, int, int], NDArray[np.int64]]] = {
    "hdbscan": _by_density,
    "spectral": _by_spectrum,
}
"""The ways to group documents, by name."""
