"""Headers, quotes and footers of a post: ranges that are marked, never cut.

Each function takes a text and gives (S, 2) int32 character ranges, sorted, disjoint and merged.
Cutting the ranges of :func:`make_skip` out of a post of 20 Newsgroups leaves exactly the text of
scikit-learn's ``fetch_20newsgroups(remove=...)``. That loader removes headers first, then footers
from what is left, then quotes. Headers and footers lie at the ends, so what is left before the
quotes is always one window of the text, and a pair of offsets says it all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textlrp.errors import OptionError
from textlrp.records import Ranges, no_ranges

Skip = Sequence[str] | Callable[[str], ArrayLike]
"""Names out of :data:`SKIPPABLE` in any order, or a function from a text to (S, 2) ranges, or ``()``."""

SKIPPABLE = ("headers", "footers", "quotes")

_BLANK_LINE = re.compile(r"\r?\n\r?\n")
_HEADER_LINE = re.compile(r"^\ufeff?(?:From|Subject):", re.MULTILINE)
_QUOTED_LINES = re.compile(
    r"(?:^(?:[|>]|In article|Quoted from|.*(?:writes in|writes:|wrote:|says:|said:)).*(?:\n|\Z))+", re.MULTILINE
)


def header_ranges(text: str) -> Ranges:
    """The block up to and including the first blank line, if a line in it starts with ``From:`` or ``Subject:``."""
    return _ranges([(0, _header_end(text))])


def footer_ranges(text: str) -> Ranges:
    """The last paragraph, or what follows the last row of dashes, together with all white space at both ends.

    Empty where no blank line and no row of dashes divides the text.
    """
    start, stop = _footer_window(text)
    return _ranges([(0, start), (stop, len(text))])


def quote_ranges(text: str) -> Ranges:
    """Lines that begin with ``>`` or ``|`` and lines that introduce a quotation (``... writes:``), ends included."""
    return _ranges(_quotes(text))


def make_skip(skip: Skip) -> Callable[[str], Ranges]:
    """A function from a text to the ranges that are not read, from names or from a user's own function.

    The function can be pickled if the user's own can. Raises :class:`OptionError` for an unknown
    name; what a user's function gives is checked at each text, raising the same.
    """
    if callable(skip):
        return partial(_called, skip)
    if isinstance(skip, str):
        raise OptionError(f"skip={skip!r} is a single string; pass a tuple of names, such as ({skip!r},).")
    names = frozenset(skip)
    for name in skip:
        if name not in SKIPPABLE:
            raise OptionError(
                f"{name!r} cannot be skipped; choose among 'headers', 'footers' and 'quotes', "
                "or pass a function from a text to (S, 2) character ranges."
            )
    return partial(_named_ranges, names)


def merge_ranges(*ranges: Ranges) -> Ranges:
    """The union of several (S, 2) arrays of ranges: sorted, disjoint, those that touch made one."""
    filled = [part for part in ranges if len(part)]
    if not filled:
        return no_ranges()
    together: NDArray[np.int32] = np.concatenate(filled)
    together = together[together[:, 1] > together[:, 0]]
    if len(together) < 2:
        return together.astype(np.int32, copy=False)
    together = together[np.argsort(together[:, 0], kind="stable")]
    reach = np.maximum.accumulate(together[:, 1])
    first = np.concatenate([[True], together[1:, 0] > reach[:-1]])
    last = np.concatenate([first[1:], [True]])
    return np.column_stack([together[first, 0], reach[last]]).astype(np.int32, copy=False)


def _named_ranges(names: frozenset[str], text: str) -> Ranges:
    start, stop = _header_end(text) if "headers" in names else 0, len(text)
    if "footers" in names:
        low, high = _footer_window(text[start:])
        start, stop = start + low, start + high
    ranges = [(0, start), (stop, len(text))]
    if "quotes" in names:
        ranges[1:1] = [(start + low, start + high) for low, high in _quotes(text[start:stop])]
    return _ranges(ranges)


def _called(function: Callable[[str], ArrayLike], text: str) -> Ranges:
    name = getattr(function, "__name__", repr(function))
    wanted = "skip= wants (S, 2) whole numbers, the start and end of each range of characters"
    try:
        given = np.asarray(function(text))
    except ValueError as error:  # rows of different lengths; a ValueError of the function's own reads just as well
        raise OptionError(f"{name} gave no ranges ({error}); {wanted}.") from error
    if given.size == 0:
        return no_ranges()
    if given.ndim != 2 or given.shape[1] != 2 or not np.issubdtype(given.dtype, np.integer):
        raise OptionError(f"{name} gave an array of shape {given.shape} and type {given.dtype}; {wanted}.")
    outside = (given[:, 0] < 0) | (given[:, 1] < given[:, 0]) | (given[:, 1] > len(text))
    if outside.any():
        low, high = given[outside][0].tolist()
        raise OptionError(
            f"{name} gave the range ({low}, {high}) in a text of {len(text)} characters; "
            "skip= wants 0 <= start <= end <= length."
        )
    return merge_ranges(given.astype(np.int32))


def _header_end(text: str) -> int:
    """Where the body begins: 0 without a header."""
    blank = _BLANK_LINE.search(text)
    if blank is None or _HEADER_LINE.search(text, 0, blank.start()) is None:
        return 0
    return blank.end()


def _footer_window(text: str) -> tuple[int, int]:
    """What is left of a text without its footer; the whole text where it has none."""
    start = len(text) - len(text.lstrip())
    stop = len(text.rstrip())
    while stop > start:
        line_end = text.rfind("\n", start, stop)
        if line_end < 0:
            break
        if not text[line_end + 1 : stop].strip().strip("-"):
            return start, line_end
        stop = line_end
    return 0, len(text)


def _quotes(text: str) -> list[tuple[int, int]]:
    found = [match.span() for match in _QUOTED_LINES.finditer(text)]
    if found and found[-1][1] == len(text) and not text.endswith("\n") and found[-1][0] > 0:
        # lines are joined by newlines: without the last line, the newline before it goes too
        found[-1] = (found[-1][0] - 1, len(text))
    return found


def _ranges(pairs: list[tuple[int, int]]) -> Ranges:
    """Sorted, disjoint pairs as an array, empty ones left out and those that touch made one."""
    kept: list[tuple[int, int]] = []
    for low, high in pairs:
        if low == high:
            continue
        if kept and kept[-1][1] == low:
            kept[-1] = (kept[-1][0], high)
        else:
            kept.append((low, high))
    return np.array(kept, dtype=np.int32).reshape(-1, 2)


def inside(places: NDArray[np.integer[Any]], ranges: Ranges | NDArray[np.int64]) -> NDArray[np.bool_]:
    """(T,) whether each of the places (T,), in order, lies inside one of the ranges (S, 2)."""
    # that is where more ranges have started than ended
    changes = np.zeros(len(places) + 1, dtype=np.int64)
    starts, ends = np.searchsorted(places, ranges).T
    np.add.at(changes, starts, 1)
    np.subtract.at(changes, ends, 1)
    return np.asarray(np.cumsum(changes[:-1]) > 0)
