"""Find the headers, quotes and footers of a post, as ranges that the model ignores. The text itself is never cut.

Each function takes a text and returns (S, 2) int32 character ranges that are sorted, disjoint and merged. If you
remove the ranges of :func:`make_skip` from a post of 20 Newsgroups, you get exactly the text of scikit-learn's
``fetch_20newsgroups(remove=...)``. That loader removes headers first, then footers from the remaining text, then
quotes. Headers and footers are at the ends of a text, so the remaining text before the last step is always one
window, described by a pair of offsets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textlrp.errors import OptionError, must_be
from textlrp.records import Ranges, no_ranges

Skip = Sequence[str] | Callable[[str], ArrayLike]
"""Names out of :data:`SKIPPABLE` in any order, or a function from a text to (S, 2) ranges, or ``()``."""

SKIPPABLE = ("headers", "footers", "quotes")

_BLANK_LINE = re.compile(r"\r?\n\r?\n")
_HEADER_LINE = re.compile(r"^\ufeff?(?:From|Subject):", re.MULTILINE)
_QUOTE_INTRODUCTIONS = ("writes in", "writes:", "wrote:", "says:", "said:")
_QUOTED_LINES = re.compile(
    rf"(?:^(?:[|>]|In article|Quoted from|.*(?:{'|'.join(_QUOTE_INTRODUCTIONS)})).*(?:\n|\Z))+", re.MULTILINE
)


def make_skip(skip: Skip) -> Callable[[str], Ranges]:
    """Return a function from a text to the ranges that the model ignores, for some names or a user's function.

    The result can be pickled if the user's function can. Raises :class:`OptionError` for an unknown name. The result
    raises it too, if the user's function returns something other than valid ranges.
    """
    if callable(skip):
        return partial(_called, skip)
    if isinstance(skip, str):
        raise OptionError(must_be("skip", "a tuple of names", skip, f"Pass skip=({skip!r},)."))
    names = frozenset(skip)
    for name in skip:
        if name not in SKIPPABLE:
            raise OptionError(
                f"skip must contain only 'headers', 'footers' and 'quotes'; got {name!r}. For other parts of a text, "
                "pass a function from a text to (S, 2) character ranges."
            )
    return partial(_named_ranges, names)


def merge_ranges(*ranges: Ranges) -> Ranges:
    """Return the union of several (S, 2) arrays of ranges: sorted, disjoint, adjacent ranges merged."""
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
    must_return = f"skip function {name} must return (S, 2) whole numbers, the start and end of each character range"
    try:
        found = np.asarray(function(text))
    except ValueError as error:  # rows of different lengths, or a ValueError from inside the function
        raise OptionError(f"{must_return}; got an error ({error}).") from error
    if found.size == 0:
        return no_ranges()
    if found.ndim != 2 or found.shape[1] != 2 or not np.issubdtype(found.dtype, np.integer):
        raise OptionError(f"{must_return}; got an array of shape {found.shape} and type {found.dtype}.")
    outside = (found[:, 0] < 0) | (found[:, 1] < found[:, 0]) | (found[:, 1] > len(text))
    if outside.any():
        low, high = found[outside][0].tolist()
        raise OptionError(
            f"skip function {name} must return ranges with 0 <= start <= end <= {len(text)}, the length of the text; "
            f"got ({low}, {high})."
        )
    return merge_ranges(found.astype(np.int32))


def _header_end(text: str) -> int:
    """Return the start of the body: after the first blank line if a line above starts with ``From:`` or ``Subject:``.

    Otherwise the text has no header, and the result is 0.
    """
    blank = _BLANK_LINE.search(text)
    if blank is None or _HEADER_LINE.search(text, 0, blank.start()) is None:
        return 0
    return blank.end()


def _footer_window(text: str) -> tuple[int, int]:
    """Return the range of a text without its footer; the whole text if it has no footer.

    The footer is the last paragraph, or everything after the last line of dashes. White space at both ends is removed
    with it.
    """
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
        # scikit-learn joins the remaining lines by newlines, so the newline before a removed last line goes too
        found[-1] = (found[-1][0] - 1, len(text))
    return found


def _ranges(pairs: list[tuple[int, int]]) -> Ranges:
    """Turn sorted, disjoint pairs into an array, without empty ranges and with adjacent ranges merged."""
    kept: list[tuple[int, int]] = []
    for low, high in pairs:
        if low == high:
            continue
        if kept and kept[-1][1] == low:
            kept[-1] = (kept[-1][0], high)
        else:
            kept.append((low, high))
    return np.array(kept, dtype=np.int32).reshape(-1, 2)


def inside(offsets: NDArray[np.integer[Any]], ranges: Ranges | NDArray[np.int64]) -> NDArray[np.bool_]:
    """(T,) whether each of the sorted ``offsets`` (T,) is inside one of the ranges (S, 2), which may overlap."""
    # an offset is inside if more ranges have started than ended before it
    changes = np.zeros(len(offsets) + 1, dtype=np.int64)
    starts, ends = np.searchsorted(offsets, ranges).T
    np.add.at(changes, starts, 1)
    np.subtract.at(changes, ends, 1)
    return np.asarray(np.cumsum(changes[:-1]) > 0)
