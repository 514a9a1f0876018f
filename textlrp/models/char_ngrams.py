"""Character n-grams within words: their keys, where they occur in a text, and which tokens they cover.

A *piece* is a run of tokens that a model reads with nothing between them, such as "don't" or "(1,024)". Each piece,
or each part of it between whitespace, is padded with a blank on both sides, and its n-grams are scikit-learn's
``char_wb``; so a piece in a script without spaces gives the n-grams of ``char``, and those at its two ends.

Letters: N texts, L tokens read of one text, P characters, O occurrences, K n-grams.
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
"""Characters of the longest n-gram that a key of two numbers can hold."""
_BITS = 21  # of a code point + 1; three of them fit into a positive int64
_MIXERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)


class Spelled(NamedTuple):
    """The characters of padded words: ``codes`` (P,) code points + 1, the ``word`` (P,) and ``token`` (P,) of each.

    Words and tokens are counted from 0; a blank that was added belongs to a word, and to token -1.
    """

    codes: IntArray
    word: IntArray
    token: IntArray


class CharOccurrences(NamedTuple):
    """Where n-grams of one text occur.

    ``column`` (O,) of each, and its characters, ``first`` to ``last`` (not included), (O,). ``token`` (P,) is the
    token of each character, -1 for an added blank.
    """

    column: IntArray
    first: IntArray
    last: IntArray
    token: IntArray

    def covered(self, tokens: int) -> NDArray[np.bool_]:
        """(L,) which of the tokens an n-gram covers, if only in part."""
        edges = np.bincount(self.first, minlength=len(self.token) + 1) - np.bincount(
            self.last, minlength=len(self.token) + 1
        )
        inside = (np.cumsum(edges)[:-1] > 0) & (self.token >= 0)
        found = np.zeros(tokens, dtype=bool)
        found[self.token[inside]] = True
        return found

    def kept(self, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(S, O) which n-grams no dropped token takes part in, for S texts where ``keep`` (S, L) is True."""
        dropped = np.zeros((len(keep), len(self.token) + 1), dtype=np.int32)
        real = self.token >= 0
        dropped[:, 1:][:, real] = ~keep[:, self.token[real]]
        before = np.cumsum(dropped, axis=1, dtype=np.int32)
        return np.asarray(before[:, self.first] == before[:, self.last])

    def shares(self) -> tuple[IntArray, IntArray, NDArray[np.float64]]:
        """How each occurrence is shared over the tokens it covers: occurrence, token and share, parallel arrays.

        Every character of the text has an equal part, an added blank none; the shares of an occurrence add up to 1.
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
    """The characters of L words; a word that ``follows`` (L,) the one before is joined to it."""
    numbers: IntArray = np.arange(len(words))
    if len(words) and len("".join(words).split()) > 1:
        words, numbers, follows = _parted(words, follows)
    if not len(words):
        nothing: IntArray = np.zeros(0, dtype=np.int64)
        return Spelled(nothing, nothing, nothing)
    starts = ~follows
    starts[0] = True
    # a blank before each run, and one after it: two of them between two runs
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
    """Words that have whitespace inside in their parts: the parts, the word of each, and whether each follows."""
    parts: list[str] = []
    numbers: list[int] = []
    glued: list[bool] = []
    open_end = True  # whether the word before ended in whitespace
    for number, word in enumerate(words):
        own = word.split()
        for place, part in enumerate(own):
            parts.append(part)
            numbers.append(number)
            glued.append(place == 0 and bool(follows[number]) and not open_end and not word[0].isspace())
        open_end = not own or word[-1].isspace()
    return parts, np.array(numbers, dtype=np.int64), np.array(glued, dtype=bool)


def char_ngram_keys(spelled: Spelled, low: int, high: int) -> tuple[IntArray, IntArray, IntArray]:
    """Keys (O, 2), first and last character (not included) of all n-grams of ``low`` to ``high`` characters.

    The key is one to one: three code points in each number. A blank alone is left out.
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
        if n < low:  # a padded word that is shorter than every n-gram counts as one
            chosen &= starts[:size] & starts[n:]
        first = np.flatnonzero(chosen)
        columns.append((packed[first], first, first + n))
    if not columns:
        nothing: IntArray = np.zeros(0, dtype=np.int64)
        return np.zeros((0, 2), dtype=np.int64), nothing, nothing
    keys, first, last = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return keys, first, last


def _mixed(keys: IntArray) -> NDArray[np.uint64]:
    """(O,) a hash of keys (O, 2)."""
    return np.asarray((keys.astype(np.uint64) * _MIXERS).sum(axis=1, dtype=np.uint64))


@dataclass(frozen=True, slots=True, eq=False)
class CharNgrams:
    """K n-grams of ``low`` to ``high`` characters: ``keys`` (K, 2) int64 in the order of their hash, ``hashes`` (K,).

    Column k of a count is n-gram k.
    """

    keys: IntArray
    hashes: NDArray[np.uint64]
    low: int
    high: int

    @classmethod
    def of(cls, keys: IntArray, low: int, high: int) -> Self:
        """The n-grams with these keys, which are in order."""
        return cls(keys, _mixed(keys), low, high)

    @classmethod
    def fit(cls, texts: Sequence[Sequence[str]], low: int, high: int, min_df: int) -> tuple[Self, Any]:
        """The n-grams in at least ``min_df`` of N texts, given as pieces, and their counts (N, K), CSR."""
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
        """How often each n-gram is in each of N texts, given as pieces: (N, K), CSR."""
        distinct, of_texts = _distinct(texts)
        spelled = spell(distinct, np.zeros(len(distinct), dtype=bool))
        keys, _, last = char_ngram_keys(spelled, self.low, self.high)
        column = self._columns(keys)
        known = column >= 0
        return _ngram_counts(spelled, last[known], column[known], len(self), of_texts)

    def occurrences(self, words: Sequence[str], follows: NDArray[np.bool_]) -> CharOccurrences:
        """Where the n-grams are in a text of L words; a word that ``follows`` (L,) the one before is joined to it."""
        spelled = spell(words, follows)
        keys, first, last = char_ngram_keys(spelled, self.low, self.high)
        column = self._columns(keys)
        known = column >= 0
        return CharOccurrences(column[known], first[known], last[known], spelled.token)

    def _columns(self, keys: IntArray) -> IntArray:
        """(O,) the column of each key (O, 2); -1 where there is none."""
        hashes = _mixed(keys)
        column = np.searchsorted(self.hashes, hashes)
        column[column == len(self)] = 0
        if not len(self):
            return np.full(len(keys), -1, dtype=np.int64)
        return np.where((self.keys[column] == keys).all(axis=1), column, -1)


def _distinct(texts: Sequence[Sequence[str]]) -> tuple[list[str], Any]:
    """The D distinct pieces of N texts, and how often each is in each text: (N, D), CSR."""
    numbers: dict[str, int] = {}
    column = np.fromiter((numbers.setdefault(piece, len(numbers)) for own in texts for piece in own), np.int64)
    bounds = np.concatenate([[0], np.cumsum([len(own) for own in texts], dtype=np.int64)])
    counts = sparse.csr_matrix((np.ones(len(column)), column, bounds), shape=(len(texts), len(numbers)))
    counts.sum_duplicates()
    return list(numbers), counts


def _ngram_counts(spelled: Spelled, last: IntArray, column: IntArray, columns: int, of_texts: Any) -> Any:
    """Counts (N, columns), CSR, of n-grams that end before ``last`` (O,) in pieces, ``of_texts`` (N, D) of them."""
    # the second last character of an n-gram is a blank only where the n-gram is a blank, and there are none such
    token = np.maximum(spelled.token[last - 1], spelled.token[last - 2])
    shape = (of_texts.shape[1], columns)
    of_pieces = sparse.csr_matrix((np.ones(len(column)), (token, column)), shape=shape)
    counts = sparse.csr_matrix(of_texts @ of_pieces)
    counts.sort_indices()
    return counts


def column_counts(rows: Sequence[NDArray[np.int64]], columns: int) -> Any:
    """(N, columns), CSR: how often each column is in each of N rows."""
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    column = np.concatenate([np.zeros(0, np.int64), *rows])
    counts = sparse.csr_matrix((np.ones(len(column)), column, bounds), shape=(len(rows), columns))
    counts.sum_duplicates()
    return counts
