"""Scripts without spaces between words: detect them, and split their text into single characters.

Open this module when a tokenizer or an estimator needs special treatment for Chinese, Japanese, Thai, Lao, Khmer,
Burmese or Tibetan text.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import islice

SCRIPTS = {
    "Chinese": "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af",
    "Japanese": "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "Thai": "\u0e01-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Tibetan": "\u0f00-\u0fff",
    "Burmese": "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f",
    "Khmer": "\u1780-\u17ff",
}
"""Character ranges of the script of each language. Japanese also uses those of Chinese."""

SAMPLE = 1000
"""Maximum number of texts that :func:`spaceless` examines."""
BEGINNING = 1000
"""Number of characters of each text that :func:`spaceless` examines."""
KANA_SHARE = 0.05
"""Minimum share of kana among Han characters and kana for a text to count as Japanese."""

WORD_TOKENIZERS = {
    "Japanese": 'tokenizer="spacy:ja" (pip install sudachipy sudachidict_core)',
    "Thai": 'tokenizer="spacy:th" (pip install pythainlp)',
    "Chinese": "tokenizer= a function that segments words, such as jieba.lcut",
}


def spaceless(texts: Iterable[str]) -> str | None:
    """Detect a language without spaces between words: at least half of the letters belong to such scripts.

    Returns "Chinese", "Japanese", "Thai", "Lao", "Tibetan", "Burmese", "Khmer", or None. Examines the beginnings of
    the first ``SAMPLE`` texts.
    """
    found: Counter[str] = Counter()
    letters = 0
    for text in islice(texts, SAMPLE):
        beginning = text[:BEGINNING]
        letters += sum(map(str.isalpha, beginning))
        if not beginning.isascii():
            for language, pattern in _letter_patterns().items():
                found[language] += sum(map(str.isalpha, "".join(pattern.findall(beginning))))
    if not letters or 2 * found.total() < letters:
        return None
    kana, han = found["Japanese"], found["Chinese"]
    if kana >= KANA_SHARE * (kana + han):
        found["Japanese"] += han
        del found["Chinese"]
    return found.most_common(1)[0][0]


def advice(language: str, *, characters: bool) -> str:
    """Return advice on how texts of a language are tokenized, and which option changes it.

    ``characters`` is whether single characters are tokens; otherwise everything between two spaces is one token.
    """
    words = WORD_TOKENIZERS.get(language, "tokenizer= a function that segments words")
    if characters:
        how = f"Each character is a token. For words, pass {words}"
    else:
        how = (
            f'All text between two spaces is one word. For characters, pass tokenizer="auto"; for words, pass {words}'
        )
    return f"The texts are {language}, without spaces between words. {how}."


def is_spaceless(character: str) -> bool:
    """Whether a character is of a script without spaces between words."""
    return not character.isascii() and _any_of().match(character) is not None


def cut_characters(token: str) -> list[tuple[int, int]]:
    """Return the offsets of the parts of a token: each character of such a script with its marks is one part."""
    if token.isascii() or not _any_of().search(token):
        return [(0, len(token))]
    return [match.span() for match in _parts().finditer(token)]


@cache
def _letter_patterns() -> dict[str, re.Pattern[str]]:
    return {language: re.compile(f"[{ranges}]+") for language, ranges in SCRIPTS.items()}


@cache
def _any_of() -> re.Pattern[str]:
    return re.compile(f"[{''.join(SCRIPTS.values())}]")


@cache
def _parts() -> re.Pattern[str]:
    every = "".join(SCRIPTS.values())
    return re.compile(rf"[{every}][{marks()}\u200c\u200d]*|[^{every}]+")


@cache
def marks() -> str:
    """Return all combining marks of Unicode as a string, for a character class of a regular expression."""
    return "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M")
