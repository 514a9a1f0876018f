"""Find the offsets, in a text, of the strings that a user's function returned for it.

A function may remove parts of a text (tags, quotes, addresses), so the first occurrence of a string is not always
the one that the function read. All strings are placed together. The best placement has the fewest gaps, because a
function removes contiguous ranges. Places inside tags and addresses have an extra cost.

Open this module if words are highlighted at the wrong place for a user's tokenizer or analyzer.
Letters: M strings, O possible places of one string, Q units of the text (characters or words).
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
"""(M, 2) character offsets."""
IN_MARKUP = 2 * LEFT_OUT
"""The extra cost of a place inside a tag or an address."""
CUT = 2 * LEFT_OUT
"""The extra cost of a place that begins or ends inside a word."""
PLACED = 1000 * LEFT_OUT
"""The cost that each placed string saves, if strings may have no place."""

_MARKUP = re.compile(r"<[^<>]*>|\bhttps?://\S+|\bwww\.\S+|\S+@\S+")


class Placement(NamedTuple):
    """The places of M strings in a text.

    ``spans`` (M, 2) are their offsets; the span of a string without a place is empty. ``unsure`` (M,) is True if
    another place is equally likely.
    """

    spans: Offsets
    unsure: NDArray[np.bool_]


def place(strings: Sequence[str], text: str) -> Placement | None:
    """Place all strings in a text, in order and without overlap; return None if that is impossible.

    Whole words are tried first for all strings, then for those that occur as whole words, then for none.
    """
    filled = [string for string in strings if string]
    for whole in (_always, _if_it_occurs, _never):
        candidates = _candidates(filled, text, whole)
        if candidates is not None:
            return _with_empty(strings, _placed(filled, text, candidates))
    return None


def place_most(strings: Sequence[str], text: str) -> Placement:
    """Place as many strings as possible in order, then the remaining ones anywhere, in passages as long as possible.

    For functions that repeat or rearrange parts of a text. A string that does not occur in the text gets no place.
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
    """Warn that some strings have several equally likely places. The constant text lets Python show it only once."""
    warnings.warn(
        f"{what} omits parts of the text, and some of the words that it returns occur several times. Their relevance "
        f"is shown at the most likely place. To be certain, {remedy}.",
        UserWarning,
        stacklevel=2,
    )


def runs_of(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, last) of each run of True; ``last`` is exclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def in_markup(text: str) -> NDArray[np.bool_]:
    """Return which characters are part of a tag or an address (len(text),)."""
    inside = np.zeros(len(text), dtype=bool)
    for match in _MARKUP.finditer(text):
        inside[match.start() : match.end()] = True
    return inside


def place_costs(starts: Sequence[int], ends: Sequence[int], text: str, markup: NDArray[np.bool_]) -> IntArray:
    """Return the cost of each place by itself (O,): inside markup, inside a word, not between blanks."""
    costs = []
    for start, end in zip(starts, ends, strict=True):
        attached = not _between_blanks(text, start, end)
        costs.append(IN_MARKUP * bool(markup[start]) + CUT * _cuts_word(text, start, end) + attached)
    return np.array(costs, dtype=np.int64)


# ---- the possible places of a string: _always, _if_it_occurs and _never require it to be a whole word


def _always(string: str, text: str) -> bool:
    return True


def _if_it_occurs(string: str, text: str) -> bool:
    return bool(_starts(string, text, 0, len(text), whole=True))


def _never(string: str, text: str) -> bool:
    return False


def _candidates(
    strings: Sequence[str], text: str, whole: Callable[[str, str], bool]
) -> list[tuple[int, int, bool]] | None:
    """Return the first and last start of each string with which the others still fit, and whether it must be a word.

    None if the strings cannot all be placed.
    """
    is_whole: dict[str, bool] = {}
    first, position = [], 0
    for string in strings:
        if string not in is_whole:
            is_whole[string] = whole(string, text)
        start = text.find(string, position)
        while is_whole[string] and start >= 0 and _cuts_word(text, start, start + len(string)):
            start = text.find(string, start + 1)
        if start < 0:
            return None
        position = start + len(string)
        first.append(start)
    last, position = [], len(text)
    for string in reversed(strings):
        start = text.rfind(string, 0, position)
        while is_whole[string] and _cuts_word(text, start, start + len(string)):
            start = text.rfind(string, 0, start + len(string) - 1)
        position = start
        last.append(start)
    return [(low, high, is_whole[string]) for low, high, string in zip(first, reversed(last), strings, strict=True)]


def _starts(string: str, text: str, low: int, high: int, *, whole: bool = False) -> list[int]:
    """Return all starts of a string from ``low`` to ``high``, both inclusive."""
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
    none_unsure = np.zeros(len(strings), dtype=bool)
    gaps = [text[end:start] for end, start in pairwise([0, *spans.ravel().tolist(), len(text)])][::2]
    if all(low == high for low, high, _ in candidates) or not any(map(_counts_as_text, "".join(gaps))):
        return Placement(spans, none_unsure)  # there is no choice, or only punctuation and blanks are left out
    starts = [
        _starts(string, text, low, high, whole=whole)
        for string, (low, high, whole) in zip(strings, candidates, strict=True)
    ]
    for level in range(len(UNIT_KINDS)):
        units = _unit_counts(strings, text, UNIT_KINDS[level:])
        chosen, unsure = best_of_all(_choices(starts, strings, text, units), units[-1])
        begins = np.array([found[at] for found, at in zip(starts, chosen, strict=True)], dtype=np.int32)
        spans = np.stack([begins, begins + sizes], axis=1)
        # when only letters, digits and symbols count, two strings can overlap in punctuation: try the next level
        if (np.diff(spans.ravel())[1::2] >= 0).all():
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
    """Return the number of units before each character (len(text) + 1,), of the first level that fits all strings."""
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
"""The levels of :func:`_unit_counts`: which characters count as units when the size of a gap is measured."""


def _cuts_word(text: str, start: int, end: int) -> bool:
    """Whether there is a letter or digit on both sides of the start, or on both sides of the end."""
    return any(0 < edge < len(text) and text[edge - 1].isalnum() and text[edge].isalnum() for edge in (start, end))


def _between_blanks(text: str, start: int, end: int) -> bool:
    return (start == 0 or text[start - 1].isspace()) and (end == len(text) or text[end].isspace())


def _with_empty(strings: Sequence[str], placement: Placement) -> Placement:
    """Add the empty strings, which have no place, to the placement of the others."""
    if all(strings):
        return placement
    filled = np.array([bool(string) for string in strings], dtype=bool)
    spans = np.zeros((len(strings), 2), dtype=np.int32)
    spans[filled] = placement.spans
    unsure = np.zeros(len(strings), dtype=bool)
    unsure[filled] = placement.unsure
    return Placement(spans, unsure)
