"""Grapheme clusters: what a reader sees as one character, such as a letter with its accent or a composed emoji."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"  # zero-width joiner: an emoji such as a family is several emoji with joiners between them


def continues(before: str, character: str) -> bool:
    """Whether a character belongs to the cluster of the character ``before`` it."""
    return before == _JOINER or _extends(character)


def _extends(character: str) -> bool:
    """Whether this character modifies the one before it: an accent, a vowel sign, a joiner or a skin tone."""
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or character == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )
