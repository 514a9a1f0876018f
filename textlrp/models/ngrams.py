"""Word n-grams as integer keys, and where they occur.

An n-gram of word ids (w1 ... wn), none of them unknown, has the key ((w1 B + w2) B + w3) ... with B = V + 1.

Letters: N texts, V words, O occurrences, S alternatives of one text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.models.packing import Ids

Keys = NDArray[np.int64]


class WordOccurrences(NamedTuple):
    """Occurrences of features: four parallel arrays (O,).

    The number of the text, the position of the first word, the column of the feature, and its length in words.
    """

    text: Keys
    position: Keys
    column: Keys
    length: Keys


def word_ngram_keys(ids: Ids, n: int, base: int) -> tuple[Keys, Keys]:
    """Return keys and start positions of the n-grams of one text, without those that contain an unknown word."""
    windows = len(ids) - n + 1
    if windows < 1:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    key = ids[:windows].copy()
    known = ids[:windows] > 0
    for offset in range(1, n):
        word = ids[offset : offset + windows]
        key = key * base + word
        known &= word > 0
    positions = np.flatnonzero(known)
    return key[positions], positions


def frequent_keys(texts: Sequence[Ids], n: int, base: int, min_df: int) -> Keys:
    """Return the sorted keys of the n-grams that are in ``min_df`` or more texts."""
    distinct = [np.unique(word_ngram_keys(ids, n, base)[0]) for ids in texts]
    keys, documents = np.unique(np.concatenate(distinct), return_counts=True)
    return np.asarray(keys[documents >= min_df])


def occurrences(texts: Sequence[Ids], tables: Sequence[Keys], base: int) -> WordOccurrences:
    """Return all occurrences of features in N texts.

    ``tables`` are the sorted keys of the 1-grams, 2-grams and so on. Columns are numbered in this order.
    """
    found: list[tuple[Keys, Keys, Keys, Keys]] = []
    offset = 0
    for n, table in enumerate(tables, start=1):
        for number, ids in enumerate(texts):
            keys, positions = word_ngram_keys(ids, n, base)
            places = np.searchsorted(table, keys)
            hit = places < len(table)
            hit[hit] = table[places[hit]] == keys[hit]
            count = int(hit.sum())
            found.append((np.full(count, number), positions[hit], places[hit] + offset, np.full(count, n)))
        offset += len(table)
    if not found:
        return WordOccurrences(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
    columns = zip(*found, strict=True)
    return WordOccurrences(*(np.concatenate(parts).astype(np.int64) for parts in columns))


def count_kept(kept: NDArray[np.bool_], kind_of: NDArray[np.int64], kinds: int) -> NDArray[np.float64]:
    """Return (S, kinds): how many of O occurrences, of the kinds ``kind_of`` (O,), are ``kept`` (S, O)."""
    one_each = sparse.csr_matrix((np.ones(len(kind_of)), (np.arange(len(kind_of)), kind_of)), (len(kind_of), kinds))
    return np.asarray(kept.astype(np.float64) @ one_each)
