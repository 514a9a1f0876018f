"""Find where in a text the strings came from that a user's function made of it.

A function may leave parts of a text out (tags, quotes, addresses), so the first occurrence of a string is not always
the one that was read. All strings are placed together: the best placement has the fewest stretches left out, because
what a function removes is contiguous. Strings inside of tags and addresses cost extra.

Letters: M strings, O places that one string may have, Q units of the text (characters or words).
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.arrays import IntArray
from textlrp.text.cheapest_places import LEFT_OUT, Choices, best_of_all, best_of_some, passages

Offsets = NDArray[np.int32]
"""Character offsets."""
IN_MARKUP = 2 * LEFT_OUT
"""The extra cost of a place inside of a tag or an address."""
CUT = 2 * LEFT_OUT
"""The extra cost of a place that begins or ends inside of a word."""
PLACED = 1000 * LEFT_OUT
"""What a placed string is worth where strings may stay without a place."""

_MARKUP = re.compile(r"<[^<>]*>|\bhttps?://\S+|\bwww\.\S+|\S+@\S+")


class Placement(NamedTuple):
    """``spans`` (M, 2) of the strings in the text, empty for a string without a place; ``unsure`` (M,) is True where
    another place is just as likely."""

    spans: Offsets
    unsure: NDArray[np.bool_]


def place(strings: Sequence[str], text: str) -> Placement | None:
    """Place all strings in a text, in order and without overlap; None where that is not possible.

    Each is looked for as a whole word first: where that does not work out, anywhere.
    """
    filled = [string for string in strings if string]
    for whole in (_everywhere, _where_there_is_one, _nowhere):
        candidates = _candidates(filled, text, whole)
        if candidates is not None:
            return _with_empty(strings, _placed(filled, text, candidates))
    return None


def place_most(strings: Sequence[str], text: str) -> Placement:
    """Place as many strings as possible in order, then the others where they stand in the text, in runs.

    For functions that repeat or rearrange parts of a text. A string that is not in the text gets no place.
    """
    filled = [string for string in strings if string]
    starts = [_starts(string, text, 0, len(text), whole=True) for string in filled]
    starts = [found or _starts(string, text, 0, len(text)) for found, string in zip(starts, filled, strict=True)]
    units = _unit_counts(filled, text)
    choices = _choices(starts, filled, text, units)
    chosen, unsure = best_of_some(choices, units[-1], PLACED)
    for first, last in runs_of(np.array(chosen) < 0):
        chosen[first:last], unsure[first:last] = passages(choices[first:last])
    spans = np.zeros((len(filled), 2), dtype=np.int32)
    for number, at in enumerate(chosen):
        if at >= 0:
            spans[number] = starts[number][at], starts[number][at] + len(filled[number])
    return _with_empty(strings, Placement(spans, unsure))


def warn_unsure(what: str, remedy: str) -> None:
    """Warn that some strings have several places that are just as likely; the same words each time, to be shown
    once."""
    warnings.warn(
        f"{what} leaves parts of the text out, and some of the words it gives stand in the text several times; their "
        f"relevance is shown at the likeliest place. To be certain, {remedy}.",
        UserWarning,
        stacklevel=2,
    )


def runs_of(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last (not included) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def in_markup(text: str) -> NDArray[np.bool_]:
    """(len(text),) which characters are part of a tag or an address."""
    inside = np.zeros(len(text), dtype=bool)
    for match in _MARKUP.finditer(text):
        inside[match.start() : match.end()] = True
    return inside


def place_costs(starts: Sequence[int], ends: Sequence[int], text: str, markup: NDArray[np.bool_]) -> IntArray:
    """(O,) what each place costs by itself: inside of markup, inside of a word, not between blanks."""
    costs = []
    for start, end in zip(starts, ends, strict=True):
        apart = not _between_blanks(text, start, end)
        costs.append(IN_MARKUP * bool(markup[start]) + CUT * _cuts_word(text, start, end) + apart)
    return np.array(costs, dtype=np.int64)


# ---- which places a string may have


def _everywhere(string: str, text: str) -> bool:
    return True


def _where_there_is_one(string: str, text: str) -> bool:
    return bool(_starts(string, text, 0, len(text), whole=True))


def _nowhere(string: str, text: str) -> bool:
    return False


def _candidates(
    strings: Sequence[str], text: str, whole: Callable[[str, str], bool]
) -> list[tuple[int, int, bool]] | None:
    """Of each string the first and the last start that leave room for the others, and whether whole words are
    wanted; None where there is no room."""
    wanted: dict[str, bool] = {}
    first, position = [], 0
    for string in strings:
        if string not in wanted:
            wanted[string] = whole(string, text)
        start = text.find(string, position)
        while wanted[string] and start >= 0 and _cuts_word(text, start, start + len(string)):
            start = text.find(string, start + 1)
        if start < 0:
            return None
        position = start + len(string)
        first.append(start)
    last, position = [], len(text)
    for string in reversed(strings):
        start = text.rfind(string, 0, position)
        while wanted[string] and _cuts_word(text, start, start + len(string)):
            start = text.rfind(string, 0, start + len(string) - 1)
        position = start
        last.append(start)
    return [(low, high, wanted[string]) for low, high, string in zip(first, reversed(last), strings, strict=True)]


def _starts(string: str, text: str, low: int, high: int, *, whole: bool = False) -> list[int]:
    """All starts of a string from ``low`` to ``high``."""
    found, start = [], text.find(string, low)
    while 0 <= start <= high:
        if not (whole and _cuts_word(text, start, start + len(string))):
            found.append(start)
        start = text.find(string, start + 1)
    return found


def _placed(strings: Sequence[str], text: str, candidates: Sequence[tuple[int, int, bool]]) -> Placement:
    sizes = np.array([len(string) for string in strings], dtype=np.int32)
    first = np.array([low for low, _, _ in candidates], dtype=np.int32)
    spans = np.stack([first, first + sizes], axis=1)
    sure = np.zeros(len(strings), dtype=bool)
    gaps = [text[end:start] for end, start in pairwise([0, *spans.ravel().tolist(), len(text)])][::2]
    if all(low == high for low, high, _ in candidates) or not any(map(_counts_as_text, "".join(gaps))):
        return Placement(spans, sure)
    starts = [
        _starts(string, text, low, high, whole=whole)
        for string, (low, high, whole) in zip(strings, candidates, strict=True)
    ]
    for level in range(len(UNIT_KINDS)):
        units = _unit_counts(strings, text, UNIT_KINDS[level:])
        chosen, unsure = best_of_all(_choices(starts, strings, text, units), units[-1])
        begins = np.array([found[at] for found, at in zip(starts, chosen, strict=True)], dtype=np.int32)
        spans = np.stack([begins, begins + sizes], axis=1)
        if (np.diff(spans.ravel())[1::2] >= 0).all():  # else punctuation was used twice
            break
    return Placement(spans, unsure)


def _choices(
    starts: Sequence[Sequence[int]], strings: Sequence[str], text: str, units: Sequence[int]
) -> list[Choices]:
    markup = in_markup(text)
    found = []
    for begins, string in zip(starts, strings, strict=True):
        ends = [begin + len(string) for begin in begins]
        first, last = (np.array([units[at] for at in edges], dtype=np.int64) for edges in (begins, ends))
        found.append(Choices(first, last, place_costs(begins, ends, text, markup)))
    return found


def _unit_counts(
    strings: Sequence[str], text: str, levels: Sequence[Callable[[str], bool]] | None = None
) -> list[int]:
    """(len(text) + 1) how many units stand before each character, of the first level at which each string has one."""
    for counts in UNIT_KINDS if levels is None else levels:
        if all(any(map(counts, string)) for string in strings):
            return [0, *np.cumsum([counts(character) for character in text]).tolist()]
    raise AssertionError("at the last level every character is a unit")


def _counts_as_text(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] in "SM"


def _is_no_blank(character: str) -> bool:
    return not character.isspace()


def _anything(character: str) -> bool:
    return True


UNIT_KINDS = (_counts_as_text, _is_no_blank, _anything)
"""Which characters of a text matter where they are left out."""


def _cuts_word(text: str, start: int, end: int) -> bool:
    """Whether a letter or digit stands on both sides of the start, or of the end."""
    return any(0 < edge < len(text) and text[edge - 1].isalnum() and text[edge].isalnum() for edge in (start, end))


def _between_blanks(text: str, start: int, end: int) -> bool:
    return (start == 0 or text[start - 1].isspace()) and (end == len(text) or text[end].isspace())


def _with_empty(strings: Sequence[str], placement: Placement) -> Placement:
    """With the empty strings, which have no place."""
    if all(strings):
        return placement
    filled = np.array([bool(string) for string in strings], dtype=bool)
    spans = np.zeros((len(strings), 2), dtype=np.int32)
    spans[filled] = placement.spans
    unsure = np.zeros(len(strings), dtype=bool)
    unsure[filled] = placement.unsure
    return Placement(spans, unsure)
