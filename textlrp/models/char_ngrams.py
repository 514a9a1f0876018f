"""Character n-grams of the bag of words: their keys, where they occur in a text, and which tokens they cover.

A *piece* is a run of tokens with no character between them, such as "don't" or "(1,024)". Each piece, or each part of
it between whitespace, is padded with a blank on both sides. Its n-grams are those of scikit-learn's ``char_wb``. A
piece in a script without spaces therefore has the n-grams of ``char``, and those with the blanks at its two ends.

Letters: N texts, D distinct pieces, L tokens read of one text, P characters, O occurrences, K n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textlrp.arrays import IntArray
from textlrp.text.invisible import code_points

MAX_LENGTH = 6
"""Largest number of characters in an n-gram: a key is two numbers of three characters each."""
_BITS = 21  # bits of a code point + 1; three fit into a positive int64
_MIXERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)


class Spelled(NamedTuple):
    """The characters of padded words.

    ``codes`` (P,) are code points + 1. ``word`` and ``token`` (P,) are the padded word and the token of each
    character, numbered from 0. An added blank belongs to a word and has token -1.
    """

    codes: IntArray
    word: IntArray
    token: IntArray


class CharOccurrences(NamedTuple):
    """The occurrences of n-grams in one text.

    ``column`` (O,) is the n-gram of each occurrence. Its characters are ``first`` to ``last`` (O,), not included.
    ``token`` (P,) is the token of each character, -1 for an added blank.
    """

    column: IntArray
    first: IntArray
    last: IntArray
    token: IntArray

    def covered(self, tokens: int) -> NDArray[np.bool_]:
        """Return whether an n-gram covers each of the L tokens, completely or in part."""
        edges = np.bincount(self.first, minlength=len(self.token) + 1) - np.bincount(
            self.last, minlength=len(self.token) + 1
        )
        # the running sum of begins (+1) and ends (-1) is the number of n-grams over each character
        inside = (np.cumsum(edges)[:-1] > 0) & (self.token >= 0)
        found = np.zeros(tokens, dtype=bool)
        found[self.token[inside]] = True
        return found

    def kept(self, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return (S, O): which occurrences have only tokens with ``keep`` (S, L) True, for S alternatives."""
        dropped = np.zeros((len(keep), len(self.token) + 1), dtype=np.int32)
        real = self.token >= 0
        dropped[:, 1:][:, real] = ~keep[:, self.token[real]]
        # dropped characters before each position: equal at both ends of an n-gram if none is inside
        before = np.cumsum(dropped, axis=1, dtype=np.int32)
        return np.asarray(before[:, self.first] == before[:, self.last])

    def shares(self) -> tuple[IntArray, IntArray, NDArray[np.float64]]:
        """Return how each occurrence is distributed over its tokens: parallel arrays occurrence, token and share.

        The characters of an occurrence have equal shares, an added blank has none. They add up to 1.
        """
        lengths = self.last - self.first
        row = np.repeat(np.arange(len(lengths)), lengths)
        place = np.arange(len(row)) + np.repeat(self.first - np.cumsum(lengths) + lengths, lengths)
        token = self.token[place]
        row, token = row[token >= 0], token[token >= 0]
        new = np.ones(len(row), dtype=bool)
        new[1:] = (row[1:] != row[:-1]) | (token[1:] != token[:-1])
        starts = np.flatnonzero(new)
        characters = np.diff(starts, append=len(row))
        row = row[starts]
        return row, token[starts], characters / np.bincount(row, characters, minlength=len(lengths))[row]


def spell(words: Sequence[str], follows: NDArray[np.bool_]) -> Spelled:
    """Return the padded characters of L words; a word with ``follows`` (L,) True is joined to the word before it."""
    numbers: IntArray = np.arange(len(words))
    if len(words) and len("".join(words).split()) > 1:
        words, numbers, follows = _parted(words, follows)
    if not len(words):
        nothing: IntArray = np.zeros(0, dtype=np.int64)
        return Spelled(nothing, nothing, nothing)
    starts = ~follows
    starts[0] = True
    # one blank before and one after each run of joined words, hence two between runs
    text = "".join([f"  {word}" if start else word for word, start in zip(words, starts.tolist(), strict=True)])
    text = text[1:] + " "
    codes = code_points(text).astype(np.int64) + 1
    sizes = np.fromiter(map(len, words), np.int64, len(words))
    begins = np.cumsum(sizes + 2 * starts) - sizes - 1
    token = np.full(len(codes), -1, dtype=np.int64)
    token[np.repeat(begins - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())] = np.repeat(numbers, sizes)
    opens = np.zeros(len(codes), dtype=np.int64)
    opens[begins[starts] - 1] = 1
    return Spelled(codes, np.cumsum(opens) - 1, token)


def _parted(words: Sequence[str], follows: NDArray[np.bool_]) -> tuple[list[str], IntArray, NDArray[np.bool_]]:
    """Split words at whitespace: the parts, the word of each part, and whether a part follows the one before."""
    parts: list[str] = []
    numbers: list[int] = []
    glued: list[bool] = []
    open_end = True  # whether the word before ended in whitespace
    for number, word in enumerate(words):
        of_word = word.split()
        for place, part in enumerate(of_word):
            parts.append(part)
            numbers.append(number)
            glued.append(place == 0 and bool(follows[number]) and not open_end and not word[0].isspace())
        open_end = not of_word or word[-1].isspace()
    return parts, np.array(numbers, dtype=np.int64), np.array(glued, dtype=bool)


def char_ngram_keys(spelled: Spelled, low: int, high: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return keys (O, 2), first and last character (not included) of all n-grams of ``low`` to ``high`` characters.

    A key has three code points in each of its two numbers and is therefore unique. A blank alone is left out.
    """
    codes, word, token = spelled
    columns: list[tuple[IntArray, IntArray, IntArray]] = []
    packed = np.zeros((len(codes), 2), dtype=np.int64)
    starts = np.ones(len(codes) + 1, dtype=bool)
    starts[1:-1] = word[1:] != word[:-1]
    for n in range(1, min(high, len(codes)) + 1):
        size = len(codes) - n + 1
        packed = packed[:size]
        packed[:, (n - 1) // 3] |= codes[n - 1 :] << (_BITS * ((n - 1) % 3))
        chosen = word[:size] == word[n - 1 :]
        if n == 1:
            chosen &= token >= 0
        if n < low:  # a padded word shorter than every n-gram counts as one n-gram, as in scikit-learn
            chosen &= starts[:size] & starts[n:]
        first = np.flatnonzero(chosen)
        columns.append((packed[first], first, first + n))
    if not columns:
        nothing: IntArray = np.zeros(0, dtype=np.int64)
        return np.zeros((0, 2), dtype=np.int64), nothing, nothing
    keys, first, last = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return keys, first, last


def _mixed(keys: IntArray) -> NDArray[np.uint64]:
    """A hash (O,) of keys (O, 2)."""
    return np.asarray((keys.astype(np.uint64) * _MIXERS).sum(axis=1, dtype=np.uint64))


@dataclass(frozen=True, slots=True, eq=False)
class CharNgrams:
    """The K character n-grams of a model, of ``low`` to ``high`` characters.

    ``keys`` (K, 2) int64 are sorted by ``hashes`` (K,) for bisection. Column k of a count is n-gram k.
    """

    keys: IntArray
    hashes: NDArray[np.uint64]
    low: int
    high: int

    @classmethod
    def of(cls, keys: IntArray, low: int, high: int) -> Self:
        """Return the n-grams with these keys, which must be sorted by their hashes."""
        return cls(keys, _mixed(keys), low, high)

    @classmethod
    def fit(cls, texts: Sequence[Sequence[str]], low: int, high: int, min_df: int) -> tuple[Self, Any]:
        """Return the n-grams in ``min_df`` or more of N texts, given as pieces, and their counts (N, K), CSR."""
        distinct, of_texts = _distinct(texts)
        spelled = spell(distinct, np.zeros(len(distinct), dtype=bool))
        keys, _, last = char_ngram_keys(spelled, low, high)
        hashes, at, column = np.unique(_mixed(keys), return_index=True, return_inverse=True)
        counts = _ngram_counts(spelled, last, column.reshape(-1), len(hashes), of_texts)
        kept = np.bincount(counts.indices, minlength=len(hashes)) >= min_df
        return cls(keys[at][kept], hashes[kept], low, high), counts[:, kept]

    def __len__(self) -> int:
        return len(self.keys)

    def counts(self, texts: Sequence[Sequence[str]]) -> Any:
        """Return how often each n-gram is in each of N texts, given as pieces: (N, K), CSR."""
        distinct, of_texts = _distinct(texts)
        spelled = spell(distinct, np.zeros(len(distinct), dtype=bool))
        keys, _, last = char_ngram_keys(spelled, self.low, self.high)
        column = self._columns(keys)
        known = column >= 0
        return _ngram_counts(spelled, last[known], column[known], len(self), of_texts)

    def occurrences(self, words: Sequence[str], follows: NDArray[np.bool_]) -> CharOccurrences:
        """Return the occurrences of the n-grams in a text of L words; see :func:`spell` for ``follows`` (L,)."""
        spelled = spell(words, follows)
        keys, first, last = char_ngram_keys(spelled, self.low, self.high)
        column = self._columns(keys)
        known = column >= 0
        return CharOccurrences(column[known], first[known], last[known], spelled.token)

    def _columns(self, keys: IntArray) -> IntArray:
        """The column (O,) of each key (O, 2); -1 for a key that is not in the model."""
        hashes = _mixed(keys)
        column = np.searchsorted(self.hashes, hashes)
        column[column == len(self)] = 0
        if not len(self):
            return np.full(len(keys), -1, dtype=np.int64)
        return np.where((self.keys[column] == keys).all(axis=1), column, -1)  # two keys may have the same hash


def _distinct(texts: Sequence[Sequence[str]]) -> tuple[list[str], Any]:
    """The distinct pieces of N texts, and how often each is in each text: (N, D), CSR."""
    numbers: dict[str, int] = {}
    column = np.fromiter((numbers.setdefault(piece, len(numbers)) for pieces in texts for piece in pieces), np.int64)
    bounds = np.concatenate([[0], np.cumsum([len(pieces) for pieces in texts], dtype=np.int64)])
    counts = sparse.csr_matrix((np.ones(len(column)), column, bounds), shape=(len(texts), len(numbers)))
    counts.sum_duplicates()
    return list(numbers), counts


def _ngram_counts(spelled: Spelled, last: IntArray, column: IntArray, columns: int, of_texts: Any) -> Any:
    """Counts (N, columns), CSR, of n-grams that end before ``last`` (O,), given the counts of pieces (N, D)."""
    # The token of an n-gram is that of its last or second to last character. Only an n-gram of blanks would have a
    # blank at both, and there are none.
    token = np.maximum(spelled.token[last - 1], spelled.token[last - 2])
    shape = (of_texts.shape[1], columns)
    of_pieces = sparse.csr_matrix((np.ones(len(column)), (token, column)), shape=shape)
    counts = sparse.csr_matrix(of_texts @ of_pieces)
    counts.sort_indices()
    return counts


def column_counts(rows: Sequence[NDArray[np.int64]], columns: int) -> Any:
    """Return (N, columns), CSR: how often each column is in each of N rows."""
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    column = np.concatenate([np.zeros(0, np.int64), *rows])
    counts = sparse.csr_matrix((np.ones(len(column)), column, bounds), shape=(len(rows), columns))
    counts.sum_duplicates()
    return counts
