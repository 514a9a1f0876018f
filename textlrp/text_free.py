"""Leave the texts of documents out of results that are passed on to others (``--no-texts``).

Words of classes stay if several documents contain them, but no more than :data:`WORDS_IN_A_ROW` words of a text in a
row. Open this module to change what counts as a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from textlrp.class_words import ClassWord, ClassWords
from textlrp.shortcut_groups import Shortcuts

WORDS_IN_A_ROW = 3
"""The largest number of words that a word or phrase of a class may consist of."""

MOST_CHARACTERS, MOST_UNSPACED = 30, 6
"""The largest number of characters of a word or phrase, and of its letters from scripts without spaces.

Chinese, Japanese, Thai and other languages are written without spaces, so a sentence can be one token. Three words of
Chinese have about six letters.
"""

LEAST_DOCUMENTS = 2
"""The smallest number of documents that contain a word or phrase. One of a single document may be a name."""

_LETTERS_OR_DIGITS = re.compile(r"[^\W_]+")
_WITHOUT_SPACES = re.compile(
    "[\u0e01-\u0e33\u0e40-\u0e46\u0e81-\u0eb3\u0ec0-\u0edf\u0f40-\u0f6c\u1000-\u102a\u1780-\u17b3\u1950-\u19ab\u1a00-\u1a54"
    "\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u3105-\u312f\u31f0-\u31ff\u3400-\u9fff\uaa00-\uaa28\uf900-\ufaff\uff66-\uff9d"
    "\U0001b000-\U0001b2ff\U00020000-\U0003ffff]"
)
"""Letters of Thai, Lao, Tibetan, Burmese, Khmer, Tai Le, Tai Lue, Lanna, Chinese, Japanese and Cham; no marks."""


def may_stay(form: str, documents: int) -> bool:
    """Whether a word or phrase that this number of documents contain may stay."""
    return documents >= LEAST_DOCUMENTS and is_short(form)


def is_short(form: str) -> bool:
    """Whether a word or phrase is short: at most three words, which are runs of letters and digits, and not long.

    Marks on letters, such as vowels of Hindi, belong to their word.
    """
    letters = "".join(each for each in form if not unicodedata.category(each).startswith("M"))
    return (
        len(_LETTERS_OR_DIGITS.findall(letters)) <= WORDS_IN_A_ROW
        and len(form) <= MOST_CHARACTERS
        and len(_WITHOUT_SPACES.findall(letters)) <= MOST_UNSPACED
    )


def text_free_words(found: Iterable[ClassWords]) -> list[ClassWords]:
    """Return the words of classes without quotes, and without words and phrases that must not stay."""
    return [each._replace(words=_without_texts(each.words), phrases=_without_texts(each.phrases)) for each in found]


def _without_texts(words: Iterable[ClassWord]) -> tuple[ClassWord, ...]:
    return tuple(word._replace(quotes=()) for word in words if may_stay(word.word, word.documents))


def text_free_groups(found: Shortcuts) -> Shortcuts:
    """Return the groups of documents without leading words that must not stay."""
    groups = tuple(
        replace(group, words=tuple(word for word in group.words if may_stay(word.word, word.documents)))
        for group in found.groups
    )
    return replace(found, groups=groups)


def text_free_earlier(earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored groups of an earlier model without leading words that must not stay."""
    groups = [
        {**group, "words": [word for word in group["words"] if may_stay(str(word["word"]), word["documents"])]}
        for group in earlier["groups"]
    ]
    return {**earlier, "groups": groups}
