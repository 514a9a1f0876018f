"""Tokenizers with character offsets: the law is that tokens plus gaps rebuild the text.

A tokenizer is a name that a saved model keeps and ``spans(text)``: (T, 2) int32 character offsets,
sorted, disjoint and non-empty. Two kinds exist. A :class:`ChunkTokenizer` treats each stretch of text
between gaps alone, so what it made of a stretch can be remembered; a :class:`WholeTokenizer` reads
the text as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial
from typing import Any, Protocol

import numpy as np

from textlrp.errors import OptionError
from textlrp.text.chunks import Chunker, by_pattern, by_whitespace
from textlrp.text.kept_rules import spacy_language
from textlrp.text.scripts import cut_characters, marks
from textlrp.text.spacy_rules import LONGEST_CHUNK
from textlrp.text.treebank import treebank_spans
from textlrp.text.user_tokenizers import OffsetPairs, Spans, UserTokenizer, callable_path, span_array, span_reader

REMEMBERED = 3 << 17
"""Chunks whose tokens are remembered, in some 250 bytes each; the posts of 20 Newsgroups have 390,000 different ones,
most of them once.
"""

_JOINERS = frozenset("-.'\u2019\u2010\u2011\u200c\u200d")
"""Hyphens, dot, apostrophes, and the two marks that join letters in Persian and Indic scripts."""


class Tokenizer(Protocol):
    """Anything with a ``name`` to save and ``spans(text)``."""

    @property
    def name(self) -> str:
        """What a saved model keeps; ``make_tokenizer(name)`` restores all but a user's callable."""

    def spans(self, text: str) -> Spans:
        """(T, 2) int32 character offsets of the tokens of ``text``."""


class ChunkTokenizer:
    """Cuts texts into chunks and each chunk, by itself, into tokens.

    ``chunks(texts)`` finds the chunks of several texts (all else is gap); ``split(chunk)`` gives the offsets of
    its tokens.
    """

    def __init__(self, name: str, chunks: Chunker, split: Callable[[str], OffsetPairs]) -> None:
        self.name = name
        self.chunks = chunks
        self.split = split
        self._remembered = lru_cache(REMEMBERED)(split)

    def spans(self, text: str) -> Spans:
        """(T, 2) int32 character offsets of the tokens of ``text``."""
        remembered = self._remembered
        found = self.chunks([text])
        flat: list[int] = []
        for at, chunk in zip(found.starts.tolist(), found.strings, strict=True):
            for start, end in remembered(chunk):
                flat += (at + start, at + end)
        return np.array(flat, dtype=np.int32).reshape(-1, 2)

    def __repr__(self) -> str:
        return f"make_tokenizer({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return make_tokenizer, (self.name,)


class WholeTokenizer:
    """Reads a text as a whole; ``source`` is the name or the user's callable it was made from."""

    def __init__(self, name: str, source: str | UserTokenizer, read: Callable[[str], Spans]) -> None:
        self.name = name
        self.source = source
        self._read = read

    def spans(self, text: str) -> Spans:
        """(T, 2) int32 character offsets of the tokens of ``text``."""
        return self._read(text)

    def __repr__(self) -> str:
        return f"make_tokenizer({self.source!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return make_tokenizer, (self.source,)


def make_tokenizer(name: str | UserTokenizer) -> Tokenizer:
    """The tokenizer of that name, or one around a callable.

    - ``"auto"``: as ``"spacy"``, and each character of a script without spaces between words (Chinese, Japanese,
      Thai, Lao, Khmer, Burmese, Tibetan) is a token of its own.
    - ``"spacy"``: the rules of ``spacy.blank("en")``; ``"spacy:de"`` those of any spaCy language.
      The tokens are spaCy's own, less its whitespace tokens. ``"spacy:zh"`` cuts Chinese into characters;
      ``"spacy:ja"`` needs sudachipy and sudachidict_core, ``"spacy:th"`` pythainlp.
    - ``"treebank"``: NLTK's Penn Treebank words, as in Arras et al. 2017 (extra ``paper``).
    - ``"words"``: runs of letters, digits and their marks in any script, with inner hyphen, dot, apostrophe.
    - a callable that takes a text and gives its tokens, as strings in order or as (start, end) offsets. Strings are
      placed together, so that a callable may leave parts of the text out; offsets leave no doubt.
      Its name is its module and qualified name; it cannot be restored from that.

    Our models hand each of them the text without its invisible characters (:mod:`textlrp.text.invisible`).
    Raises :class:`OptionError` for another name, :class:`MissingExtraError` where NLTK is not installed.
    """
    if not isinstance(name, str):
        if not callable(name):
            raise OptionError(
                f"tokenizer={name!r} is a {type(name).__name__}; pass a name such as 'spacy', or a callable."
            )
        return WholeTokenizer(callable_path(name), name, span_reader(name))
    if name == "words":
        return ChunkTokenizer(name, by_pattern(_word_pattern()), _whole_chunk)
    if name == "treebank":
        return WholeTokenizer(name, name, treebank_spans())
    if name == "auto":
        return _spacy(name, "en", cut_characters)
    kind, _, language = name.partition(":")
    if kind == "spacy":
        return _spacy(name, language or "en")
    if ":" in name:
        raise OptionError(
            f"the tokenizer {name!r} was a callable of the user's and cannot be restored from its name; "
            "pass the callable itself as tokenizer=."
        )
    raise OptionError(
        f"there is no tokenizer {name!r}; choose 'auto', 'spacy', 'spacy:LANGUAGE' (such as 'spacy:de'), "
        "'treebank' or 'words', or pass a callable."
    )


def is_word(token: str) -> bool:
    """Whether a token counts as a word for the models, as in Arras et al. 2017.

    Only letters of any script with their combining marks, hyphen, dot and apostrophe, and at least one letter.
    """
    if token.isalpha():
        return True
    return any(map(str.isalpha, token)) and all(
        c.isalpha() or c in _JOINERS or unicodedata.category(c)[0] == "M" for c in token
    )


# ---- the kinds


def _spacy(name: str, language: str, cut: Callable[[str], Iterable[tuple[int, int]]] | None = None) -> Tokenizer:
    """spaCy's tokens, each cut further by ``cut`` where it is given."""
    rules, tokenizer = spacy_language(language)
    if rules is not None:
        split = rules.split if cut is None else partial(_split_further, rules.split, cut)
        return ChunkTokenizer(name, by_whitespace(rules.joins, LONGEST_CHUNK), split)

    # some languages (Chinese, Thai, ...) are segmented by other means, which see the whole text
    whole = tokenizer()

    def read(text: str) -> Spans:
        return span_array((t.idx, t.idx + len(t)) for t in whole(text) if not t.is_space and len(t))

    return WholeTokenizer(name, name, read)


def _split_further(
    split: Callable[[str], OffsetPairs], cut: Callable[[str], Iterable[tuple[int, int]]], chunk: str
) -> OffsetPairs:
    offsets = split(chunk)
    if chunk.isascii():
        return offsets
    return tuple((at + start, at + end) for at, stop in offsets for start, end in cut(chunk[at:stop]))


def _whole_chunk(chunk: str) -> OffsetPairs:
    return ((0, len(chunk)),)


@cache
def _word_pattern() -> re.Pattern[str]:
    run = rf"[^\W_]+(?:[{marks()}\u200c\u200d]+[^\W_]*)*"
    return re.compile(rf"{run}(?:[-.'\u2019\u2010\u2011]{run})*")
