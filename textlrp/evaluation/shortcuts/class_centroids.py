"""Which class is a document about without some of its words? The nearest class centroid of TF-IDF vectors tells.

This is a second opinion on the topic of a document: it does not ask the model.

Letters: N documents of a corpus, V words, C classes, G documents of a group.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from textlrp.evaluation.measured_corpus import ScoredCorpus


class ClassCentroids:
    """TF-IDF vectors (N, V), of length 1, of the words that a model reads, and their sums for each label (C, V)."""

    def __init__(self, corpus: ScoredCorpus, words: Sequence[Sequence[str]]) -> None:
        self.labels = corpus.true_label
        self.n_labels = np.bincount(self.labels[self.labels >= 0], minlength=corpus.scores.shape[1])
        reader = TfidfVectorizer(analyzer=list, sublinear_tf=True)
        try:
            self.vectors = sparse.csr_array(reader.fit_transform(words))
            self.column = reader.vocabulary_
        except ValueError:  # no document has a word
            self.vectors, self.column = sparse.csr_array((len(corpus), 0)), {}
        self.sums = self._sums_of_labels(np.arange(len(corpus)))

    def unlike(self, rows: NDArray[np.int64], words: Sequence[str], label: int) -> float:
        """Return the share of documents that are nearest to another class than ``label`` without ``words``.

        ``rows`` (G,) are positions in the corpus. The cosine with each centroid counts; the documents themselves are
        left out of the centroids.
        """
        columns = [self.column[word] for word in words if word in self.column]
        keep = np.ones(self.vectors.shape[1])
        keep[columns] = 0
        sums = (self.sums - self._sums_of_labels(rows)) * keep
        lengths = np.linalg.norm(sums, axis=1)
        known = self.labels[rows][self.labels[rows] >= 0]
        counts = self.n_labels - np.bincount(known, minlength=len(self.n_labels))
        centroids = np.divide(sums, lengths[:, None], out=np.zeros_like(sums), where=(lengths > 0)[:, None])
        similar = np.where(counts > 0, self.vectors[rows] @ centroids.T, -np.inf)
        return float((similar.argmax(axis=1) != label).mean())

    def _sums_of_labels(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(C, V) the sum of the vectors of some documents for each label."""
        labels = self.labels[rows]
        known = np.flatnonzero(labels >= 0)
        shape = (len(self.n_labels), len(rows))
        of_label = sparse.csr_array((np.ones(len(known)), (labels[known], known)), shape=shape)
        return np.asarray((of_label @ self.vectors[rows]).toarray())
