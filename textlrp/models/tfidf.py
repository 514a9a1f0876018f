"""TF-IDF of n-grams: counts, weights, and which word n-grams remain if words are masked.

Letters: N texts, J features, L words of one text, O occurrences, S alternatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.models.ngrams import WordOccurrences
from textlrp.text.vocabulary import Vocabulary


def word_tables(vocabulary: Vocabulary, weights: Mapping[str, NDArray[Any]], ngrams: int) -> list[NDArray[np.int64]]:
    """Return the sorted keys of the 1-grams, 2-grams and so on, in the order of the columns."""
    return [np.arange(1, len(vocabulary) + 1), *(weights[f"keys{n}"] for n in range(2, ngrams + 1))]


def are_keys(keys: NDArray[np.int64], n: int, base: int) -> bool:
    """Whether each number is the key of an n-gram of words 1 to ``base`` - 1."""
    if base**n >= 1 << 63:  # keys of a vocabulary this large overflow int64, so that any number may be a key
        return True
    left = keys
    for _ in range(n - 1):
        if (left % base == 0).any():
            return False
        left = left // base
    return bool((left > 0).all() and (left < base).all())


def feature_counts(found: WordOccurrences, texts: int, tables: Sequence[NDArray[np.int64]]) -> Any:
    """Return how often each feature occurs in each text, (N, J), CSR."""
    ones = np.ones(len(found.text))
    shape = (texts, sum(len(table) for table in tables))
    counts = sparse.csr_matrix((ones, (found.text, found.column)), shape=shape)
    counts.sum_duplicates()
    return counts


def tfidf(counts: Any, idf: NDArray[Any], sublinear: bool) -> Any:
    """Return the TF-IDF values (N, J) of counts (N, J): times ``idf`` (J,), each text scaled to unit L2 norm."""
    values = counts.copy()
    if sublinear:
        values.data = np.log(values.data) + 1
    values.data *= idf[values.indices]
    # a text without any feature has norm 0 and stays 0
    norms = np.sqrt(np.asarray(values.multiply(values).sum(axis=1)).ravel())
    values.data /= np.repeat(np.where(norms > 0, norms, 1), np.diff(values.indptr))
    return values


def words_kept_of(found: WordOccurrences, keep: NDArray[np.bool_], ngrams: int) -> NDArray[np.bool_]:
    """Return (S, O): which occurrences of word n-grams have only words with ``keep`` (S, L) True."""
    kept = keep[:, found.position]
    for offset in range(1, ngrams):
        longer = found.length > offset
        kept[:, longer] &= keep[:, found.position[longer] + offset]
    return kept


def joint_tfidf(blocks: Sequence[Any], idf: NDArray[Any], sublinear: bool) -> Any:
    """Return the TF-IDF values (N, J) of concatenated blocks of counts; each has an equal part of the norm."""
    ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
    parts = [tfidf(block, of_block, sublinear) for block, of_block in zip(blocks, np.split(idf, ends), strict=True)]
    values = sparse.hstack(parts, format="csr")
    values.data /= np.sqrt(len(parts)).astype(values.dtype)
    return values
