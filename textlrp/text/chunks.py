"""Split texts into chunks that a tokenizer can split into tokens independently.

A chunker takes N texts together, because numpy handles a block of texts in about the time of one. Open this module
to change what counts as a chunk. Letters in shapes: N texts, M chunks of all texts together.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import IntArray
from textlrp.text.invisible import code_points

_LAST_KNOWN = 0x3000
"""The ideographic space, the last whitespace character of Unicode. Tables of characters end here."""


CharacterNumbers: TypeAlias = NDArray[np.unsignedinteger[Any]]


class Chunks(NamedTuple):
    """The M chunks of N texts. A chunk may be empty; it then has no tokens.

    ``strings`` are the chunks, ``starts`` (M,) int32 their offsets in the text that contains them, and ``sizes`` (N,)
    int64 the number of chunks of each text.
    """

    strings: list[str]
    starts: NDArray[np.int32]
    sizes: NDArray[np.int64]


Chunker: TypeAlias = Callable[[Sequence[str]], Chunks]


def by_pattern(pattern: re.Pattern[str]) -> Chunker:
    """Return a chunker for which the matches of a regular expression are the chunks."""

    def chunks(texts: Sequence[str]) -> Chunks:
        found = [list(pattern.finditer(text)) for text in texts]
        strings = [match[0] for match in chain.from_iterable(found)]
        starts = np.fromiter((match.start() for match in chain.from_iterable(found)), np.int32, len(strings))
        return Chunks(strings, starts, np.fromiter(map(len, found), np.int64, len(found)))

    return chunks


def by_whitespace(joins: Iterable[tuple[str, str]], longest: int) -> Chunker:
    """Return a chunker that splits at white space; strings longer than ``longest`` characters are split further.

    Two strings around a single blank stay one chunk if a pair of tokens in ``joins`` could be around that blank.
    The test uses only the last character of the first token and the whole second token.
    """
    links = _Links(joins)

    def chunks(texts: Sequence[str]) -> Chunks:
        # the newline between two texts ends every chunk
        whole = "\n".join(texts)
        numbers = _character_numbers(whole)
        strings, starts, ends = _split_at_space(whole, numbers, longest)
        _link(whole, strings, starts, ends, links.find(whole, numbers, starts, ends))
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        begins = np.cumsum(lengths + 1) - (lengths + 1)
        sizes = np.diff(np.searchsorted(starts, begins), append=len(starts))
        return Chunks(strings, (starts - np.repeat(begins, sizes)).astype(np.int32), sizes)

    return chunks


class _Links:
    """Finds the strings that form one chunk with the next string."""

    def __init__(self, joins: Iterable[tuple[str, str]]) -> None:
        seconds = defaultdict(set)
        for first, second in joins:
            seconds[first[-1]].add(second)
        self._seconds = {last: tuple(sorted(tokens)) for last, tokens in seconds.items()}
        # a fast filter on the characters around a blank, with one bit for letters and one for other characters:
        # most blanks follow a letter, and few tokens can follow there
        self._before = np.zeros(_LAST_KNOWN + 2, dtype=np.uint8)
        self._after = np.zeros(_LAST_KNOWN + 2, dtype=np.uint8)
        for last, tokens in self._seconds.items():
            kind = 1 if last.isalnum() else 2
            self._before[min(ord(last), _LAST_KNOWN + 1)] |= kind
            for token in tokens:
                self._after[min(ord(token[0]), _LAST_KNOWN + 1)] |= kind

    def find(self, text: str, numbers: CharacterNumbers, starts: IntArray, ends: IntArray) -> list[int]:
        """Return the indices of these strings; ``starts`` and ``ends`` (M,) are their offsets in ``text``."""
        single = np.flatnonzero(starts[1:] - ends[:-1] == 1)
        blanks = ends[single]
        kinds = self._before[_known(numbers[blanks - 1])] & self._after[_known(numbers[blanks + 1])]
        maybe = np.flatnonzero(kinds)
        return [
            index
            for index, blank in zip(single[maybe].tolist(), blanks[maybe].tolist(), strict=True)
            if text[blank] == " " and text.startswith(self._seconds.get(text[blank - 1], ()), blank + 1)
        ]


def _split_at_space(text: str, numbers: CharacterNumbers, longest: int) -> tuple[list[str], IntArray, IntArray]:
    """Split a text at white space, and long strings further; return the strings, their starts and their ends."""
    strings = text.split()
    if not strings:
        return [], np.zeros(0, np.int64), np.zeros(0, np.int64)
    space = _spaces()[_known(numbers)]
    edges = np.flatnonzero(np.diff(space, prepend=True, append=True))
    starts, ends = edges[::2], edges[1::2]
    pieces = (ends - starts + longest - 1) // longest
    if len(strings) < pieces.sum():
        of = np.repeat(np.arange(len(pieces)), pieces)
        starts = starts[of] + longest * (np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces))
        ends = np.minimum(starts + longest, ends[of])
        strings = [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return strings, starts, ends


def _link(text: str, strings: list[str], starts: IntArray, ends: IntArray, links: list[int]) -> None:
    """Join each string of ``links`` (sorted indices) with the next string, which becomes empty, in place."""
    first = last = -1
    for index in links:
        first = first if index == last else index
        last = index + 1
        strings[first], strings[last] = text[starts[first] : ends[last]], ""


def _character_numbers(text: str) -> CharacterNumbers:
    """Return the code point of each character (characters,), in one byte each if that is enough."""
    try:
        return np.frombuffer(text.encode("latin-1"), np.uint8)
    except UnicodeEncodeError:
        return code_points(text)


def _known(numbers: CharacterNumbers) -> CharacterNumbers:
    """Turn code points into indices of a table that ends at ``_LAST_KNOWN``, plus one entry for all others."""
    return numbers if numbers.itemsize == 1 else np.minimum(numbers, _LAST_KNOWN + 1)


@cache
def _spaces() -> NDArray[np.bool_]:
    return np.array([chr(number).isspace() for number in range(_LAST_KNOWN + 2)])
