"""Where the stretches of text lie that a tokenizer cuts each by itself.

A chunker takes N texts at once, because the flat arrays of a block of texts cost hardly more than those of one.
Letters in shapes: N texts, M chunks of all of them.
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

_LAST_KNOWN = 0x3000
"""The ideographic space, the last character that is whitespace: tables of characters end here."""


CharacterNumbers: TypeAlias = NDArray[np.unsignedinteger[Any]]


class Chunks(NamedTuple):
    """The M chunks of N texts: their ``strings``, ``starts`` (M,) int32 in their own text, and ``sizes`` (N,) int64,
    how many each text has. A chunk may be empty: it has no tokens.
    """

    strings: list[str]
    starts: NDArray[np.int32]
    sizes: NDArray[np.int64]


Chunker: TypeAlias = Callable[[Sequence[str]], Chunks]


def by_pattern(pattern: re.Pattern[str]) -> Chunker:
    """Chunks are what a regular expression finds in a text."""

    def chunks(texts: Sequence[str]) -> Chunks:
        found = [list(pattern.finditer(text)) for text in texts]
        strings = [match[0] for match in chain.from_iterable(found)]
        starts = np.fromiter((match.start() for match in chain.from_iterable(found)), np.int32, len(strings))
        return Chunks(strings, starts, np.fromiter(map(len, found), np.int64, len(found)))

    return chunks


def by_whitespace(joins: Iterable[tuple[str, str]], longest: int) -> Chunker:
    """Chunks are stretches without whitespace, those of more than ``longest`` characters in pieces.

    Two stretches around a single blank stay one chunk where a pair of tokens in ``joins`` could link them, told
    by the first token's last character and the second token.
    """
    links = _Links(joins)

    def chunks(texts: Sequence[str]) -> Chunks:
        # no chunk reaches over the newline between two texts
        whole = "\n".join(texts)
        numbers = _numbers(whole)
        strings, starts, ends = _stretches(whole, numbers, longest)
        _link(whole, strings, starts, ends, links.find(whole, numbers, starts, ends))
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        begins = np.cumsum(lengths + 1) - (lengths + 1)
        sizes = np.diff(np.searchsorted(starts, begins), append=len(starts))
        return Chunks(strings, (starts - np.repeat(begins, sizes)).astype(np.int32), sizes)

    return chunks


class _Links:
    """Which stretches hang together with the one behind them."""

    def __init__(self, joins: Iterable[tuple[str, str]]) -> None:
        seconds = defaultdict(set)
        for first, second in joins:
            seconds[first[-1]].add(second)
        self._seconds = {last: tuple(sorted(tokens)) for last, tokens in seconds.items()}
        # a bit for letters and one for all else: after a letter few characters can follow, and most blanks are there
        self._before = np.zeros(_LAST_KNOWN + 2, dtype=np.uint8)
        self._behind = np.zeros(_LAST_KNOWN + 2, dtype=np.uint8)
        for last, tokens in self._seconds.items():
            kind = 1 if last.isalnum() else 2
            self._before[min(ord(last), _LAST_KNOWN + 1)] |= kind
            for token in tokens:
                self._behind[min(ord(token[0]), _LAST_KNOWN + 1)] |= kind

    def find(self, text: str, numbers: CharacterNumbers, starts: IntArray, ends: IntArray) -> list[int]:
        """The positions of these stretches."""
        single = np.flatnonzero(starts[1:] - ends[:-1] == 1)
        blanks = ends[single]
        kinds = self._before[_known(numbers[blanks - 1])] & self._behind[_known(numbers[blanks + 1])]
        maybe = np.flatnonzero(kinds)
        return [
            stretch
            for stretch, blank in zip(single[maybe].tolist(), blanks[maybe].tolist(), strict=True)
            if text[blank] == " " and text.startswith(self._seconds.get(text[blank - 1], ()), blank + 1)
        ]


def _stretches(text: str, numbers: CharacterNumbers, longest: int) -> tuple[list[str], IntArray, IntArray]:
    """The stretches without whitespace, where each starts, and where it ends."""
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
    """Make each stretch of ``links`` (positions, in order) one with the stretch behind it, which is left empty."""
    first = last = -1
    for stretch in links:
        first = first if stretch == last else stretch
        last = stretch + 1
        strings[first], strings[last] = text[starts[first] : ends[last]], ""


def _numbers(text: str) -> CharacterNumbers:
    """(characters,) the number of each character in Unicode, in a byte each where that is enough."""
    try:
        return np.frombuffer(text.encode("latin-1"), np.uint8)
    except UnicodeEncodeError:
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _known(numbers: CharacterNumbers) -> CharacterNumbers:
    """Numbers as places in a table of the characters up to ``_LAST_KNOWN`` and one place for all others."""
    return numbers if numbers.itemsize == 1 else np.minimum(numbers, _LAST_KNOWN + 1)


@cache
def _spaces() -> NDArray[np.bool_]:
    return np.array([chr(number).isspace() for number in range(_LAST_KNOWN + 2)])
