"""Texts without some of their words: cut out together with their blanks, or replaced by a mask.

Open it for what a function of texts is asked when a word is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest

import numpy as np
from numpy.typing import NDArray

from textlrp.records import Ranges


@dataclass(frozen=True, slots=True)
class CutText:
    """A text as L ``words`` and the L + 1 ``gaps`` around them; together, in turn, they are the text."""

    words: tuple[str, ...]
    gaps: tuple[str, ...]

    def text(self) -> str:
        """Return the text with all its words."""
        return "".join(chain.from_iterable(zip_longest(self.gaps, self.words, fillvalue="")))

    def masked(self, keep: NDArray[np.bool_], mask: str) -> str:
        """Return the text with ``mask`` in place of each word with ``keep`` (L,) False."""
        words = (word if kept else mask for word, kept in zip(self.words, keep.tolist(), strict=True))
        return "".join(chain.from_iterable(zip_longest(self.gaps, words, fillvalue="")))

    def without(self, keep: NDArray[np.bool_]) -> str:
        """Return the text without the words with ``keep`` (L,) False.

        If there are blanks before and after a word that is cut out, only one side is kept: the side with line breaks,
        otherwise the side before. At the start and at the end of the text, only the blanks that were there are kept.
        """
        parts: list[str] = []
        gap, last = self.gaps[0], len(self.words) - 1
        for n, (word, kept, after) in enumerate(zip(self.words, keep.tolist(), self.gaps[1:], strict=True)):
            if kept:
                parts += (gap, word)
                gap = after
            else:
                gap = _closed_gap(gap, after, starts=not parts, ends=n == last)
        return "".join((*parts, gap))


def cut_text(text: str, spans: NDArray[np.int32], skip: Ranges) -> CutText:
    """Split a text into its words and gaps, without the characters in the ranges ``skip`` (S, 2).

    ``spans`` (L, 2) are the offsets of the words: sorted and disjoint.
    """
    edges = [0, *spans.reshape(-1).tolist(), len(text)]
    if not len(skip):
        pieces = [text[start:end] for start, end in pairwise(edges)]
    else:
        read = np.ones(len(text), dtype=bool)
        for start, end in skip.tolist():
            read[max(0, start) : max(0, end)] = False
        pieces = [
            "".join(text[start + at] for at in np.flatnonzero(read[start:end]).tolist())
            for start, end in pairwise(edges)
        ]
    return CutText(tuple(pieces[1::2]), tuple(pieces[::2]))


def _closed_gap(before: str, after: str, *, starts: bool, ends: bool) -> str:
    """Join the gaps around a word that is cut out. They are the first (``starts``) or last (``ends``) of the text."""
    stem, rest = before.rstrip(), after.lstrip()
    if starts and not stem:
        return before + (after if ends and not rest else rest)
    if ends and not rest:
        return stem + after
    left, right = before[len(stem) :], after[: len(after) - len(rest)]
    if not (left and right):
        return before + after
    return stem + (right if "\n" in right and "\n" not in left else left) + rest
