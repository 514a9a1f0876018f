"""What a reader remembers: the tokens of each chunk it has met, and what there is to say of each token.

All lies in flat tables, so that the tokens of a block of texts are gathered by numpy and the only step in Python is
one look into a dictionary for each chunk. Letters in shapes: N texts, M chunks, S tokens of all texts together.
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
from textlrp.text.tokens import REMEMBERED, ChunkTokenizer, Tokenizer, is_word
from textlrp.text.user_tokenizers import OffsetPairs
from textlrp.text.vocabulary import Vocabulary


class FoundTokens(NamedTuple):
    """The S tokens of N texts: ``spans`` (S, 2) int32 in their own text, ``forms`` (S,) str, ``status`` (S,) uint8
    (READ or NOT_A_WORD), ``ids`` (S,) int64 in a vocabulary, and ``sizes`` (N,) int64, how many each text has.
    """

    spans: NDArray[np.int32]
    forms: NDArray[np.object_]
    status: NDArray[np.uint8]
    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]


class Memory:
    """The tokens of texts, those of chunks met before from memory. It forgets all where it has become too much."""

    def __init__(self, tokenizer: Tokenizer, lowercase: bool, punctuation: bool = False) -> None:
        self._tokenizer = tokenizer
        self._lowercase = lowercase
        self._punctuation = punctuation
        self._lock = Lock()
        self._forget()

    def find(self, texts: Sequence[str], vocabulary: Vocabulary | None = None) -> FoundTokens:
        """The tokens of several texts; their ids are 0 without a vocabulary.

        Tokenizers read the texts without their invisible characters, so that these change no form; the spans
        are those of the whole texts.
        """
        with self._lock:
            try:
                seen = [visible_with_origins(text) for text in texts]
                spans, numbers, sizes = self._tokens([text for text, _ in seen])
                _set_back(spans, sizes, [origins for _, origins in seen])
                tokens = self._table
                ids = np.zeros(len(numbers), np.int64) if vocabulary is None else tokens.ids(numbers, vocabulary)
                return FoundTokens(spans, tokens.forms(numbers), tokens.status(numbers), ids, sizes)
            except BaseException:
                self._forget()  # a table that was half written may say anything
                raise
            finally:
                if max(len(self._table), 0 if self._chunks is None else self._chunks.rows()) > REMEMBERED:
                    self._forget()

    def _tokens(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        if isinstance(self._tokenizer, ChunkTokenizer) and self._chunks is not None:
            return self._chunks.tokens(self._tokenizer.chunks(texts))
        spans = [self._tokenizer.spans(text) for text in texts]
        numbers = self._table.numbers(
            text[start:end] for text, own in zip(texts, spans, strict=True) for start, end in own.tolist()
        )
        sizes = np.fromiter(map(len, spans), np.int64, len(spans))
        return np.concatenate([np.zeros((0, 2), np.int32), *spans]), numbers, sizes

    def _forget(self) -> None:
        self._table = TokenTable(self._lowercase, self._punctuation)
        split = self._tokenizer.split if isinstance(self._tokenizer, ChunkTokenizer) else None
        self._chunks = None if split is None else ChunkTable(split, self._table)


class TokenTable(dict[str, int]):
    """Tokens as written, each with its number; ``table[token]`` gives a new token the next one.

    A token's form is the token, lower-cased if ``lowercase``; it is READ if it is a word, else NOT_A_WORD. With
    ``punctuation`` every token but whitespace is READ.
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
        """(S,) the number of each token."""
        return np.fromiter(map(self.__getitem__, tokens), np.int32)

    def forms(self, numbers: NDArray[np.int32]) -> NDArray[np.object_]:
        """(S,) the form of each token."""
        known, placed = len(self._forms), self._placed
        if len(self._gathered) < known:
            # with room for more: else each block would copy all forms
            self._gathered = np.empty(known + known // 2, dtype=object)
            placed = 0
        self._gathered[placed:known] = self._forms[placed:]
        self._placed = known
        return self._gathered[numbers]

    def status(self, numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
        """(S,) READ or NOT_A_WORD for each token."""
        return _view(self._status, np.uint8)[numbers]

    def ids(self, numbers: NDArray[np.int32], vocabulary: Vocabulary) -> NDArray[np.int64]:
        """(S,) the id of each token's form in a vocabulary, looked up once for each distinct token."""
        if vocabulary is not self._vocabulary:
            self._vocabulary, self._ids = vocabulary, array("q")
        self._ids.frombytes(vocabulary.ids(self._forms[len(self._ids) :]).tobytes())
        return _view(self._ids, np.int64)[numbers]


class ChunkTable(dict[str, int]):
    """Chunks, each with its number; ``table[chunk]`` splits a new chunk and gives it the next one."""

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
        """How much is remembered: chunks, or a fourth of their tokens where there are many to a chunk."""
        return max(len(self), len(self._rows) // 12)

    def tokens(self, chunks: Chunks) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Spans (S, 2) in their own text, numbers (S,) of the tokens, and how many tokens each text has (N,)."""
        numbers = np.fromiter(map(self.__getitem__, chunks.strings), np.int32, len(chunks.strings))
        bounds = _view(self._bounds, np.int32)
        first = bounds[numbers]
        sizes = bounds[numbers + 1] - first
        ends = np.cumsum(sizes, dtype=np.int64)
        total = int(ends[-1]) if len(ends) else 0
        rows = _view(self._rows, np.int32).reshape(-1, 3)[np.arange(total) + np.repeat(first - (ends - sizes), sizes)]
        spans = rows[:, :2] + np.repeat(chunks.starts, sizes)[:, None]
        of_texts = np.concatenate([[0], ends])[np.concatenate([[0], np.cumsum(chunks.sizes)])]
        return spans, rows[:, 2], np.diff(of_texts)


def _not_space(token: str) -> bool:
    return not token.isspace()


def _set_back(
    spans: NDArray[np.int32], sizes: NDArray[np.int64], origins: Sequence[NDArray[np.int32] | None]
) -> None:
    """Turn the spans (S, 2) of what is visible of N texts into those of the texts, in place."""
    first = 0
    for size, places in zip(sizes.tolist(), origins, strict=True):
        if places is not None:
            spans[first : first + size] = places[spans[first : first + size]]
        first += size


def _view(values: Any, dtype: type[np.generic]) -> NDArray[Any]:
    # an array that is looked at cannot grow: no view outlives the step that took it
    return np.frombuffer(values, dtype)
