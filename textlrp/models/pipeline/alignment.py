"""Align a preprocessed text with the original: which original characters is each character made from?

Open it for preprocessors of a vectorizer: lower-casing, stripping accents, and user-defined functions.

Letters: P characters of the changed text, M spans.
"""

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

MATCH_VALUE = 4 * LEFT_OUT
"""The value of matching a word; matching it may cost up to four stretches of the text that are left out."""
MAX_COMPARISONS = 1 << 20
"""Stretches are compared character by character if the product of their lengths is at most this."""

_WORD = re.compile(
    "[{0}]|[^\\W{0}]+".format(r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff")  # Thai, Lao, kana, Han
)
"""A run of letters and digits, or a single character in scripts that put no blanks between words."""


class Aligned(NamedTuple):
    """A changed ``text`` of P characters, with the origin of each.

    Character p was made from ``starts[p]:ends[p]`` of the original, both (P,); the range is empty for an added
    character. ``unsure``: another alignment is just as likely.
    """

    text: str
    starts: Offsets
    ends: Offsets
    unsure: bool = False

    def origin(self, spans: Offsets) -> Offsets:
        """Convert spans (M, 2) of the changed text to spans of the original; added text gets an empty span."""
        origin = np.zeros((len(spans), 2), dtype=np.int32)
        real = np.flatnonzero(self.starts < self.ends)
        first, last = (np.searchsorted(real, edges) for edges in (spans[:, 0], spans[:, 1]))
        filled = first < last
        origin[filled, 0] = self.starts[real[first[filled]]]
        origin[filled, 1] = self.ends[real[last[filled] - 1]]
        origin[origin[:, 0] >= origin[:, 1]] = 0  # rearranged parts have no common stretch in the original
        return origin


def identity_alignment(text: str) -> Aligned:
    """Align an unchanged text, or one in which every character stayed at its position."""
    edges = np.arange(len(text) + 1, dtype=np.int32)
    return Aligned(text, edges[:-1], edges[1:])


def align_characters(text: str, change: Callable[[str], str], *, known: bool = True) -> Aligned | None:
    """Align the result of a ``change`` that treats each character alone (lower case, stripped accents).

    A removed combining mark belongs to the character before it. Returns None if the changed characters, joined, are
    not the changed text. ``known``: the function is known to treat each character alone.
    """
    changed = change(text)
    if known and text.isascii() and len(changed) == len(text):
        return identity_alignment(changed)
    changed_characters = {character: change(character) for character in set(text)}
    if _without_final_sigma("".join(map(changed_characters.__getitem__, text))) != _without_final_sigma(changed):
        return None
    starts, ends = [], []
    for position, character in enumerate(text):
        result = changed_characters[character]
        if result:
            starts += [position] * len(result)
            ends += [position + 1] * len(result)
        elif ends and ends[-1] == position and unicodedata.category(character)[0] == "M":
            ends[-1] = position + 1
    return Aligned(changed, np.array(starts, dtype=np.int32), np.array(ends, dtype=np.int32))


def _without_final_sigma(text: str) -> str:
    """Replace final sigma by sigma: the only character whose lower case depends on its neighbors."""
    return text.replace("ς", "σ")


def align_words(text: str, changed: str) -> Aligned | None:
    """Align the result of a user's function, which may remove, repeat, replace and add parts of the text.

    Words are matched first, all together and with as few stretches left out as possible; between them, characters.
    The origin of replacing characters is all that they replace; added characters have no origin. Returns None if the
    two texts have too little in common.
    """
    starts, ends = (np.zeros(len(changed), dtype=np.int32) for _ in range(2))
    anchors, unsure = _matched_words(text, changed)
    same = 0
    for before, after in pairwise([_Anchor(0, 0, 0, 0), *anchors, _Anchor(len(changed), 0, len(text), 0)]):
        if after.length:
            origin = np.arange(after.length, dtype=np.int32) + after.origin
            starts[after.at : after.at + after.length], ends[after.at : after.at + after.length] = origin, origin + 1
        begin, low = before.at + before.length, before.origin + before.length
        high = max(low, after.origin)  # a repeated passage comes from further up: then nothing is in between
        same += _fill(starts, ends, (changed, begin, after.at), (text, low, high))
    words = sum(map(str.isalnum, changed))
    if words and not anchors and 2 * same < words:
        return None
    return Aligned(changed, starts, ends, unsure)


class _Anchor(NamedTuple):
    """``length`` equal characters: from ``at`` in the changed text, from ``origin`` in the original."""

    at: int
    length: int
    origin: int
    number: int


def _matched_words(text: str, changed: str) -> tuple[list[_Anchor], bool]:
    """Match words of the changed text with words of the original.

    Also returns whether another choice of matches is just as likely.
    """
    words, changed_words = (list(_WORD.finditer(each)) for each in (text, changed))
    numbers_of: dict[str, list[int]] = {}
    for number, word in enumerate(words):
        numbers_of.setdefault(_folded(word[0]), []).append(number)
    begins, ends = [word.start() for word in words], [word.end() for word in words]
    costs = place_costs(begins, ends, text, in_markup(text))
    places = [np.array(numbers_of.get(_folded(word[0]), []), dtype=np.int64) for word in changed_words]
    choices = [Choices(found, found + 1, costs[found]) for found in places]
    chosen, unsure = best_of_some(choices, len(words), MATCH_VALUE)
    numbers = [int(found[at]) if at >= 0 else -1 for found, at in zip(places, chosen, strict=True)]
    for first, last in runs_of(np.array(numbers) < 0):
        before, after = numbers[first - 1] if first else -1, numbers[last] if last < len(numbers) else len(words)
        if after - before > 1:  # some original words are unmatched here: these words replace them
            continue
        repeated, unsure[first:last] = passages(choices[first:last])
        numbers[first:last] = [
            int(found[at]) if at >= 0 else -1 for found, at in zip(places[first:last], repeated, strict=True)
        ]
    anchors = [
        _Anchor(word.start(), word.end() - word.start(), begins[number], number)
        for word, number in zip(changed_words, numbers, strict=True)
        if number >= 0 and ends[number] - begins[number] == word.end() - word.start()
    ]
    return anchors, bool(unsure.any())


def _fill(
    starts: Offsets, ends: Offsets, changed_range: tuple[str, int, int], original_range: tuple[str, int, int]
) -> int:
    """Align a stretch of the changed text with one of the original, by characters; return how many are equal."""
    (changed, begin, end), (text, low, high) = changed_range, original_range
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
    steps = matcher.get_opcodes() if size <= MAX_COMPARISONS else [("replace", 0, end - begin, 0, high - low)]
    for kind, first, last, low_in_original, high_in_original in steps:
        positions = np.arange(begin + first, begin + last)
        if kind == "equal" or (kind == "replace" and last - first == high_in_original - low_in_original):
            starts[positions] = low + np.arange(low_in_original, high_in_original)
            ends[positions] = starts[positions] + 1
            same += len(positions) * (kind == "equal")
        elif kind == "replace" and any(map(str.isalnum, changed[begin + first : begin + last])):
            starts[positions], ends[positions] = low + low_in_original, low + high_in_original
        else:
            starts[positions] = ends[positions] = low + low_in_original
    return same


def _folded(string: str) -> str:
    """A string without case and accents."""
    if string.isascii():
        return string.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", string.casefold()) if not unicodedata.combining(c))
