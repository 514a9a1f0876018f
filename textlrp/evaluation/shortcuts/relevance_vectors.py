"""Documents of one predicted class as sparse vectors: the share of the supporting relevance that each word has.

Letters: N documents of a corpus, M documents of one class, V words of these, L words of a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.arrays import Array
from textlrp.evaluation.measured_corpus import ScoredCorpus


@dataclass(frozen=True, slots=True, eq=False)
class RelevanceVectors:
    """M documents that a model predicts as one class.

    ``shares`` (M, V) CSR: the sum of the positive relevance of a word in a document, divided by that of all words, so
    that each row sums to 1 (or is empty). ``words`` (V,) are the normalized words, ``rows`` (M,) the positions of the
    documents in the corpus.
    """

    shares: sparse.csr_array
    words: NDArray[np.object_]
    rows: NDArray[np.int64]


def corpus_words(corpus: ScoredCorpus) -> list[list[str]]:
    """Return the word (L,) that each unit of each of the N documents belongs to which the model reads.

    A unit is a word itself, or a character of one.
    """
    found: list[list[str]] = [[] for _ in range(len(corpus))]
    for batch, rows in corpus.iter_batches():
        for reading, row in zip(batch.readings, rows.tolist(), strict=True):
            words, word_of = reading.tokens.words()
            found[row] = [words[word_of[position]] for position in reading.positions.tolist()]
    return found


def relevance_vectors(
    corpus: ScoredCorpus,
    words: Sequence[Sequence[str]],
    relevances: Sequence[Array | None],
    *,
    max_documents: int | None = None,
    seed: int = 0,
) -> dict[int, RelevanceVectors]:
    """Return the vectors of every class that is predicted, by the position of the class.

    ``words`` are those of :func:`corpus_words`. ``relevances[n]`` (L,) is the relevance of the words of document n
    for its predicted class, or None to leave the document out. Of a class with more than ``max_documents``, as many
    are drawn by ``seed``.
    """
    chosen = _chosen(corpus, relevances, max_documents, seed)
    entries: dict[int, list[tuple[int, dict[str, float]]]] = {}
    predicted = corpus.predicted
    for row in np.flatnonzero(chosen).tolist():
        relevance = relevances[row]
        assert relevance is not None
        sums: dict[str, float] = {}
        for word, value in zip(words[row], np.maximum(relevance, 0).tolist(), strict=True):
            sums[word] = sums.get(word, 0.0) + value
        entries.setdefault(int(predicted[row]), []).append((row, sums))
    return {label: _vectors(found) for label, found in sorted(entries.items())}


def _chosen(
    corpus: ScoredCorpus, relevances: Sequence[Array | None], max_documents: int | None, seed: int
) -> NDArray[np.bool_]:
    """(N,) mask of the documents with relevances, at most ``max_documents`` of each predicted class."""
    there = np.array([each is not None for each in relevances])
    if max_documents is None:
        return there
    random, chosen, predicted = np.random.default_rng(seed), np.zeros(len(corpus), dtype=bool), corpus.predicted
    for label in np.unique(predicted[there]).tolist():
        chosen[random.permutation(np.flatnonzero(there & (predicted == label)))[:max_documents]] = True
    return chosen


def _vectors(documents: Sequence[tuple[int, dict[str, float]]]) -> RelevanceVectors:
    index: dict[str, int] = {}
    columns: list[int] = []
    values: list[float] = []
    ends = [0]
    for _, sums in documents:
        total = sum(sums.values())
        for word, value in sums.items():
            if value > 0:
                columns.append(index.setdefault(word, len(index)))
                values.append(value / total)
        ends.append(len(values))
    shares = sparse.csr_array((values, columns, ends), shape=(len(documents), len(index)), dtype=np.float64)
    shares.sort_indices()
    return RelevanceVectors(shares, np.array(list(index), dtype=object), np.array([row for row, _ in documents]))
