"""Where the characters of a changed text came from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from textlrp.text.cheapest_places import LEFT_OUT, Choices, best_of_some, passages
from textlrp.text.placing import Offsets, in_markup, place_costs, runs_of

WORTH = 4 * LEFT_OUT
"""What a matched word is worth: as much as some stretches left out."""
COMPARED = 1 << 20
"""Stretches are compared character by character while the product of their lengths stays below this."""

_WORD = re.compile(
    "[{0}]|[^\\W{0}]+".format(r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff")  # Thai, Lao, kana, Han
)
"""A run of letters and digits; a single character in scripts that put no blanks between words."""


class Aligned(NamedTuple):
    """A changed ``text`` of P characters; character p came from ``starts[p]:ends[p]`` of the original, both (P,).

    An empty range stands for a character that came from nowhere. ``unsure``: other places are just as likely.
    """

    text: str
    starts: Offsets
    ends: Offsets
    unsure: bool = False

    def origin(self, spans: Offsets) -> Offsets:
        """Spans (M, 2) of the changed text as spans of the original; empty for what came from nowhere."""
        origin = np.zeros((len(spans), 2), dtype=np.int32)
        real = np.flatnonzero(self.starts < self.ends)
        first, last = (np.searchsorted(real, edges) for edges in (spans[:, 0], spans[:, 1]))
        filled = first < last
        origin[filled, 0] = self.starts[real[first[filled]]]
        origin[filled, 1] = self.ends[real[last[filled] - 1]]
        origin[origin[:, 0] >= origin[:, 1]] = 0  # parts from places in another order have no common stretch
        return origin


def same_places(text: str) -> Aligned:
    """A text whose characters stand where those of the original do, or the original itself."""
    places = np.arange(len(text) + 1, dtype=np.int32)
    return Aligned(text, places[:-1], places[1:])


def align_pieces(text: str, change: Callable[[str], str], *, known: bool = True) -> Aligned | None:
    """Align what ``change`` made of a text, where it treats each character alone (lower case, stripped accents).

    A combining mark that was removed belongs to the character before it. None if the pieces, joined, are not what
    ``change`` makes of the whole. ``known``: it surely treats each character alone.
    """
    changed = change(text)
    if known and text.isascii() and len(changed) == len(text):
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


def align_changed(text: str, changed: str) -> Aligned | None:
    """Align what a user's function made of a text as a whole: it may remove, repeat, replace and add parts.

    Words are matched first, all together and with as few stretches left out as possible; between them, characters.
    What was replaced came from all of what it replaces, what was added from nowhere. None where the two have too
    little in common to tell.
    """
    starts, ends = (np.zeros(len(changed), dtype=np.int32) for _ in range(2))
    anchors, unsure = _matched_words(text, changed)
    same = 0
    for before, after in pairwise([_Anchor(0, 0, 0, 0), *anchors, _Anchor(len(changed), 0, len(text), 0)]):
        if after.length:
            places = np.arange(after.length, dtype=np.int32) + after.place
            starts[after.at : after.at + after.length], ends[after.at : after.at + after.length] = places, places + 1
        begin, low = before.at + before.length, before.place + before.length
        high = max(low, after.place)  # a repeated passage goes back: nothing lies between
        same += _fill(starts, ends, (changed, begin, after.at), (text, low, high))
    words = sum(map(str.isalnum, changed))
    if words and not anchors and 2 * same < words:
        return None
    return Aligned(changed, starts, ends, unsure)


class _Anchor(NamedTuple):
    """``length`` characters from ``at`` of a changed text that came from those from ``place`` of the original."""

    at: int
    length: int
    place: int
    number: int


def _matched_words(text: str, changed: str) -> tuple[list[_Anchor], bool]:
    """The words of the changed text that stand in the original, and whether another choice is just as likely."""
    there, here = (list(_WORD.finditer(each)) for each in (text, changed))
    known: dict[str, list[int]] = {}
    for number, word in enumerate(there):
        known.setdefault(_folded(word[0]), []).append(number)
    begins, ends = [word.start() for word in there], [word.end() for word in there]
    costs = place_costs(begins, ends, text, in_markup(text))
    places = [np.array(known.get(_folded(word[0]), []), dtype=np.int64) for word in here]
    choices = [Choices(found, found + 1, costs[found]) for found in places]
    chosen, unsure = best_of_some(choices, len(there), WORTH)
    numbers = [int(found[at]) if at >= 0 else -1 for found, at in zip(places, chosen, strict=True)]
    for first, last in runs_of(np.array(numbers) < 0):
        before, after = numbers[first - 1] if first else -1, numbers[last] if last < len(numbers) else len(there)
        if after - before > 1:  # words were left out here: these replace them
            continue
        repeated, unsure[first:last] = passages(choices[first:last])
        numbers[first:last] = [
            int(found[at]) if at >= 0 else -1 for found, at in zip(places[first:last], repeated, strict=True)
        ]
    anchors = [
        _Anchor(word.start(), word.end() - word.start(), begins[number], number)
        for word, number in zip(here, numbers, strict=True)
        if number >= 0 and ends[number] - begins[number] == word.end() - word.start()
    ]
    return anchors, bool(unsure.any())


def _fill(starts: Offsets, ends: Offsets, here: tuple[str, int, int], there: tuple[str, int, int]) -> int:
    """Align a stretch of the changed text with one of the original, character by character; how many are the same."""
    (changed, begin, end), (text, low, high) = here, there
    same = 0
    while begin < end and low < high and _folded(changed[begin]) == _folded(text[low]):
        starts[begin], ends[begin] = low, low + 1
        begin, low, same = begin + 1, low + 1, same + 1
    while begin < end and low < high and _folded(changed[end - 1]) == _folded(text[high - 1]):
        end, high, same = end - 1, high - 1, same + 1
        starts[end], ends[end] = high, high + 1
    starts[begin:end] = ends[begin:end] = low
    if begin == end or low == high:
        return same
    size = (end - begin) * (high - low)
    matcher = SequenceMatcher(None, changed[begin:end], text[low:high], autojunk=False)
    steps = matcher.get_opcodes() if size <= COMPARED else [("replace", 0, end - begin, 0, high - low)]
    for kind, first, last, low_there, high_there in steps:
        own = np.arange(begin + first, begin + last)
        if kind == "equal" or (kind == "replace" and last - first == high_there - low_there):
            starts[own] = low + np.arange(low_there, high_there)
            ends[own] = starts[own] + 1
            same += len(own) * (kind == "equal")
        elif kind == "replace" and any(map(str.isalnum, changed[begin + first : begin + last])):
            starts[own], ends[own] = low + low_there, low + high_there
        else:
            starts[own] = ends[own] = low + low_there
    return same


def _folded(string: str) -> str:
    """A string without case and accents."""
    if string.isascii():
        return string.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", string.casefold()) if not unicodedata.combining(c))
