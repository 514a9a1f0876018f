"""Leave the texts of documents out of results that are passed on to others (``--no-texts``).

Words of classes stay, but no more than :data:`WORDS_IN_A_ROW` words of a text in a row. Open this module to change
what counts as a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from textlrp.class_words import ClassWord, ClassWords
from textlrp.shortcut_groups import Shortcuts

WORDS_IN_A_ROW = 3
"""The largest number of words that a word or phrase of a class may consist of."""

MOST_CHARACTERS, MOST_CASELESS = 30, 12
"""The largest number of characters of a word or phrase, and of its letters without upper and lower case.

Such letters belong to scripts like Chinese, in which a sentence is written without a space.
"""

_LETTERS_OR_DIGITS = re.compile(r"\w+")


def is_short(form: str) -> bool:
    """Whether a word or phrase may stay: at most three words, which are runs of letters and digits, and not long."""
    caseless = sum(unicodedata.category(letter) == "Lo" for letter in form)
    return (
        len(_LETTERS_OR_DIGITS.findall(form)) <= WORDS_IN_A_ROW
        and len(form) <= MOST_CHARACTERS
        and caseless <= MOST_CASELESS
    )


def text_free_words(found: Iterable[ClassWords]) -> list[ClassWords]:
    """Return the words of classes without quotes, and without words and phrases that are not short."""
    return [each._replace(words=_short_enough(each.words), phrases=_short_enough(each.phrases)) for each in found]


def _short_enough(words: Iterable[ClassWord]) -> tuple[ClassWord, ...]:
    return tuple(word._replace(quotes=()) for word in words if is_short(word.word))


def text_free_groups(found: Shortcuts) -> Shortcuts:
    """Return the groups of documents without leading words that are not short."""
    groups = tuple(
        replace(group, words=tuple(word for word in group.words if is_short(word.word))) for group in found.groups
    )
    return replace(found, groups=groups)
