"""A cache of tokenized chunks: the tokens of each distinct chunk of text, and the form, status and id of each token.

The cache consists of flat tables. numpy collects the tokens of a block of texts, and the only step in Python is one
dictionary lookup per chunk. Open this module to change the speed or memory use of tokenization.
Letters in shapes: N texts, M chunks, S tokens of all texts together.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.records import Status
from textlrp.text.chunks import Chunks
from textlrp.text.invisible import visible_with_origins
from textlrp.text.tokens import CACHED_CHUNKS, ChunkTokenizer, Tokenizer, is_word
from textlrp.text.user_tokenizers import OffsetPairs
from textlrp.text.vocabulary import Vocabulary


class FoundTokens(NamedTuple):
    """The S tokens of N texts.

    ``spans`` (S, 2) int32 are offsets in the token's own text, ``forms`` (S,) strings, ``status`` (S,) uint8 (READ or
    NOT_A_WORD), ``ids`` (S,) int64 in a vocabulary, and ``sizes`` (N,) int64 the number of tokens of each text.
    """

    spans: NDArray[np.int32]
    forms: NDArray[np.object_]
    status: NDArray[np.uint8]
    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]


class TokenCache:
    """Tokenizes texts and caches the tokens of each chunk. A cache that has become too large is emptied."""

    def __init__(self, tokenizer: Tokenizer, lowercase: bool, punctuation: bool = False) -> None:
        self._tokenizer = tokenizer
        self._lowercase = lowercase
        self._punctuation = punctuation
        self._lock = Lock()
        self._clear()

    def find(self, texts: Sequence[str], vocabulary: Vocabulary | None = None) -> FoundTokens:
        """Return the tokens of several texts; their ids are 0 if no vocabulary is given.

        Tokenizers receive the texts without invisible characters, so that these never change a form. The spans are
        offsets in the original texts.
        """
        with self._lock:
            try:
                seen = [visible_with_origins(text) for text in texts]
                spans, numbers, sizes = self._tokens([text for text, _ in seen])
                _to_original_offsets(spans, sizes, [origins for _, origins in seen])
                tokens = self._table
                ids = np.zeros(len(numbers), np.int64) if vocabulary is None else tokens.ids(numbers, vocabulary)
                return FoundTokens(spans, tokens.forms(numbers), tokens.status(numbers), ids, sizes)
            except BaseException:
                self._clear()  # an interrupted update can leave the tables inconsistent
                raise
            finally:
                if max(len(self._table), 0 if self._chunks is None else self._chunks.rows()) > CACHED_CHUNKS:
                    self._clear()

    def _tokens(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        if isinstance(self._tokenizer, ChunkTokenizer) and self._chunks is not None:
            return self._chunks.tokens(self._tokenizer.chunks(texts))
        spans = [self._tokenizer.spans(text) for text in texts]
        numbers = self._table.numbers(
            text[start:end] for text, pairs in zip(texts, spans, strict=True) for start, end in pairs.tolist()
        )
        sizes = np.fromiter(map(len, spans), np.int64, len(spans))
        return np.concatenate([np.zeros((0, 2), np.int32), *spans]), numbers, sizes

    def _clear(self) -> None:
        self._table = TokenTable(self._lowercase, self._punctuation)
        split = self._tokenizer.split if isinstance(self._tokenizer, ChunkTokenizer) else None
        self._chunks = None if split is None else ChunkTable(split, self._table)


class TokenTable(dict[str, int]):
    """Maps each token as written to a number; ``table[token]`` assigns the next number to a new token.

    The form of a token is the token itself, lower-cased if ``lowercase``. Its status is READ if it is a word, else
    NOT_A_WORD. With ``punctuation`` every token except white space is READ.
    """

    def __init__(self, lowercase: bool, punctuation: bool = False) -> None:
        self._lowercase = lowercase
        self._reads = _not_space if punctuation else is_word
        self._forms: list[str] = []
        self._gathered: NDArray[np.object_] = np.empty(0, dtype=object)
        self._placed = 0
        self._status = array("B")
        self._vocabulary: Vocabulary | None = None
        self._ids = array("q")

    def __missing__(self, token: str) -> int:
        number = len(self._forms)
        form = token.lower() if self._lowercase else token
        self._forms.append(token if form == token else form)
        self._status.append(Status.READ if self._reads(token) else Status.NOT_A_WORD)
        self[token] = number
        return number

    def numbers(self, tokens: Iterable[str]) -> NDArray[np.int32]:
        """Return the number of each token (S,)."""
        return np.fromiter(map(self.__getitem__, tokens), np.int32)

    def forms(self, numbers: NDArray[np.int32]) -> NDArray[np.object_]:
        """Return the form of each token (S,)."""
        known, placed = len(self._forms), self._placed
        if len(self._gathered) < known:
            # allocate half as much again: otherwise each block of texts would copy all forms
            self._gathered = np.empty(known + known // 2, dtype=object)
            placed = 0
        self._gathered[placed:known] = self._forms[placed:]
        self._placed = known
        return self._gathered[numbers]

    def status(self, numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Return the status of each token (S,): READ or NOT_A_WORD."""
        return _view(self._status, np.uint8)[numbers]

    def ids(self, numbers: NDArray[np.int32], vocabulary: Vocabulary) -> NDArray[np.int64]:
        """Return the id of the form of each token (S,) in a vocabulary, looked up once per distinct token."""
        if vocabulary is not self._vocabulary:
            self._vocabulary, self._ids = vocabulary, array("q")
        self._ids.frombytes(vocabulary.ids(self._forms[len(self._ids) :]).tobytes())
        return _view(self._ids, np.int64)[numbers]


class ChunkTable(dict[str, int]):
    """Maps each chunk to a number; ``table[chunk]`` splits a new chunk into tokens and assigns the next number.

    Chunk c has the rows from ``_bounds[c]`` to ``_bounds[c + 1]``; a row is (start, end, number of the token).
    """

    def __init__(self, split: Callable[[str], OffsetPairs], tokens: TokenTable) -> None:
        self._split = split
        self._tokens = tokens
        self._bounds = array("i", [0])
        self._rows = array("i")

    def __missing__(self, chunk: str) -> int:
        rows = self._rows
        for start, end in self._split(chunk):
            rows.extend((start, end, self._tokens[chunk[start:end]]))
        self._bounds.append(len(rows) // 3)
        self[chunk] = number = len(self)
        return number

    def rows(self) -> int:
        """Return the size of the cache: the number of chunks, or a quarter of their tokens if that is larger."""
        return max(len(self), len(self._rows) // 12)

    def tokens(self, chunks: Chunks) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Return spans (S, 2) in the token's own text, token numbers (S,), and tokens per text (N,)."""
        numbers = np.fromiter(map(self.__getitem__, chunks.strings), np.int32, len(chunks.strings))
        bounds = _view(self._bounds, np.int32)
        first = bounds[numbers]
        sizes = bounds[numbers + 1] - first
        ends = np.cumsum(sizes, dtype=np.int64)
        total = int(ends[-1]) if len(ends) else 0
        # the indices of all rows: first[m], first[m] + 1, ..., first[m] + sizes[m] - 1 of each chunk m
        rows = _view(self._rows, np.int32).reshape(-1, 3)[np.arange(total) + np.repeat(first - (ends - sizes), sizes)]
        spans = rows[:, :2] + np.repeat(chunks.starts, sizes)[:, None]
        of_texts = np.concatenate([[0], ends])[np.concatenate([[0], np.cumsum(chunks.sizes)])]
        return spans, rows[:, 2], np.diff(of_texts)


def _not_space(token: str) -> bool:
    return not token.isspace()


def _to_original_offsets(
    spans: NDArray[np.int32], sizes: NDArray[np.int64], origins: Sequence[NDArray[np.int32] | None]
) -> None:
    """Convert spans (S, 2) in the visible parts of N texts to spans in the original texts, in place."""
    first = 0
    for size, offsets in zip(sizes.tolist(), origins, strict=True):
        if offsets is not None:
            spans[first : first + size] = offsets[spans[first : first + size]]
        first += size


def _view(values: Any, dtype: type[np.generic]) -> NDArray[Any]:
    # an array.array cannot grow while a view of it exists, so every view must be temporary
    return np.frombuffer(values, dtype)
