"""Where the characters of a changed text came from, and where strings stand in a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int32]
"""Character offsets."""


class Aligned(NamedTuple):
    """A changed ``text`` of P characters; character p came from ``starts[p]:ends[p]`` of the original, both (P,)."""

    text: str
    starts: Offsets
    ends: Offsets

    def origin(self, spans: Offsets) -> Offsets:
        """Spans (M, 2) of the changed text as spans of the original; an empty one stays empty."""
        origin = np.zeros((len(spans), 2), dtype=np.int32)
        filled = spans[:, 0] < spans[:, 1]
        origin[filled, 0] = self.starts[spans[filled, 0]]
        origin[filled, 1] = self.ends[spans[filled, 1] - 1]
        return origin


def same_places(text: str) -> Aligned:
    """A text whose characters stand where those of the original do, or the original itself."""
    places = np.arange(len(text) + 1, dtype=np.int32)
    return Aligned(text, places[:-1], places[1:])


def align_pieces(text: str, change: Callable[[str], str]) -> Aligned | None:
    """Align what ``change`` made of a text, where it treats each character alone (lower case, stripped accents).

    A combining mark that was removed belongs to the character before it. None if the pieces, joined, are not what
    ``change`` makes of the whole.
    """
    changed = change(text)
    if text.isascii() and len(changed) == len(text):
        return same_places(changed)
    pieces = {character: change(character) for character in set(text)}
    if _one_sigma("".join(map(pieces.__getitem__, text))) != _one_sigma(changed):
        return None
    starts, ends = [], []
    for place, character in enumerate(text):
        piece = pieces[character]
        if piece:
            starts += [place] * len(piece)
            ends += [place + 1] * len(piece)
        elif ends and ends[-1] == place and unicodedata.category(character)[0] == "M":
            ends[-1] = place + 1
    return Aligned(changed, np.array(starts, dtype=np.int32), np.array(ends, dtype=np.int32))


def _one_sigma(text: str) -> str:
    """Lower-casing looks beyond a single character in one case alone: a sigma that ends a word."""
    return text.replace("ς", "σ")


def locate(strings: Sequence[str], text: str) -> Offsets | None:
    """Spans (M, 2) of some strings in a text, from left to right; None where one is not found.

    Each is looked for as a whole word first: where that does not work out for all of them, anywhere.
    """
    for whole in (True, False):
        spans = _found(strings, text, whole)
        if spans is not None:
            return spans
    return None


def _found(strings: Sequence[str], text: str, whole: bool) -> Offsets | None:
    spans, position = [], 0
    for string in strings:
        start = text.find(string, position)
        while whole and start >= 0 and _cuts_word(text, start, start + len(string)):
            start = text.find(string, start + 1)
        if start < 0:
            return None
        position = start + len(string)
        spans.append((start, position))
    return np.array(spans, dtype=np.int32).reshape(-1, 2)


def _cuts_word(text: str, start: int, end: int) -> bool:
    """Whether a letter or digit stands on both sides of the start, or of the end."""
    return any(0 < edge < len(text) and text[edge - 1].isalnum() and text[edge].isalnum() for edge in (start, end))
