"""The words of a text, from the character offsets of the pieces that a tokenizer cut it into.

Open it for which pieces together are one word. Letters: T words, P pieces.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textlrp.text.clusters import continues
from textlrp.text.scripts import is_spaceless


class WordSpans(NamedTuple):
    """``spans`` (T, 2) int32 of the words: disjoint, not empty, in order; the word (P,) of each piece.

    ``pieces`` (P, 2) int32 are the offsets of the pieces without blanks at their ends; they may be empty.
    """

    spans: NDArray[np.int32]
    word_of: NDArray[np.int64]
    pieces: NDArray[np.int32]


def word_spans(text: str, offsets: Sequence[tuple[int, int]], word_ids: Sequence[int | None], most: int) -> WordSpans:
    """Join pieces to words.

    Consecutive pieces belong to one word if the tokenizer gives both the same word id and there is no boundary
    between them: a blank, a character that is no letter or digit, or one of a script without spaces between words.
    Pieces of the same characters (an emoji in several bytes) always belong together. An accent belongs to its letter,
    even if the tokenizer gives both different word ids, as byte-level tokenizers do. A piece of blanks only, or of
    no character, belongs to the next word, or to the last one at the end. A word of more than ``most`` pieces is cut
    between pieces.
    """
    spans: list[list[int]] = []
    word_of: list[int] = []
    trimmed = [_without_blanks(text, start, end) for start, end in offsets]
    previous: int | None = None
    blanks = size = 0
    for (start, end), word in zip(trimmed, word_ids, strict=True):
        if start == end:
            blanks += 1
            continue
        joins = bool(spans) and (
            start < spans[-1][1]
            or (size < most and _joins(text, spans[-1][1], start, word is not None and word == previous))
        )
        if joins:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([start, end])
            size = 0
        word_of += [len(spans) - 1] * (blanks + 1)
        size += blanks + 1
        previous, blanks = word, 0
    if blanks and not spans:  # no visible character: one word of everything that the pieces cover
        starts, ends = zip(*offsets, strict=True)
        spans += [[min(starts), max(ends)]] if max(ends) > min(starts) else [[0, len(text)]]
    word_of += [len(spans) - 1] * blanks
    return WordSpans(_pairs(spans), np.array(word_of, dtype=np.int64), _pairs(trimmed))


def _pairs(spans: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    return np.array(spans, dtype=np.int32).reshape(-1, 2)


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _joins(text: str, end: int, start: int, same: bool) -> bool:
    """Whether the word that ends before ``end`` continues at ``start``. ``same``: both have the same word id."""
    if any(map(str.isspace, text[end:start])):
        return False
    before, after = text[end - 1], text[start]
    if continues(before, after):
        return True
    return same and _is_letter(before) and _is_letter(after) and not (is_spaceless(before) or is_spaceless(after))


def _is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"
