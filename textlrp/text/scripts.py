"""Scripts that put no spaces between words: detect them, and cut their runs into single characters.

Open it when a tokenizer or an estimator must treat Chinese, Japanese, Thai, Lao, Khmer, Burmese or Tibetan
text in its own way.
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
"""Character ranges of each language's script. Japanese also uses those of Chinese."""

SAMPLE = 1000
"""Texts that :func:`spaceless` looks at, at most."""
BEGINNING = 1000
"""Characters of each text that it looks at."""
KANA_SHARE = 0.05
"""Share of kana among Han characters and kana from which a text is taken for Japanese."""

WORD_TOKENIZERS = {
    "Japanese": 'tokenizer="spacy:ja" (pip install sudachipy sudachidict_core)',
    "Thai": 'tokenizer="spacy:th" (pip install pythainlp)',
    "Chinese": "tokenizer= a function that segments words, such as jieba.lcut",
}


def spaceless(texts: Iterable[str]) -> str | None:
    """The language whose script at least half of the letters belong to, if it puts no spaces between words.

    One of "Chinese", "Japanese", "Thai", "Lao", "Tibetan", "Burmese", "Khmer"; else None. Reads the beginnings of the
    first ``SAMPLE`` texts.
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
    """One sentence on how texts of a language are read, and which option changes it.

    ``characters``: whether single characters are tokens, or whole runs between spaces.
    """
    words = WORD_TOKENIZERS.get(language, "tokenizer= a function that segments words")
    if characters:
        how = f"each character is a token; for words pass {words}"
    else:
        how = f'whole runs are read as one word; for single characters pass tokenizer="auto", for words {words}'
    return f"The texts are {language}, without spaces between words: {how}."


def cut_characters(token: str) -> list[tuple[int, int]]:
    """Offsets of the parts of a token: each character of such a script with its marks; other runs stay whole."""
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
    """All combining marks of Unicode, for a character class."""
    return "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M")
