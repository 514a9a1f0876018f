"""Tokenizers with character offsets: the tokens and the gaps between them rebuild the text exactly.

A tokenizer has a name, which a saved model stores, and ``spans(text)``: (T, 2) int32 character offsets that are
sorted, disjoint and non-empty. There are two kinds. A :class:`ChunkTokenizer` splits each chunk of text
independently, so that the tokens of a chunk can be cached. A :class:`WholeTokenizer` needs the whole text.
Open this module to add a tokenizer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial
from typing import Any, Protocol

import numpy as np

from textlrp.errors import OptionError, must_be
from textlrp.text.chunks import Chunker, by_pattern, by_whitespace
from textlrp.text.kept_rules import spacy_language
from textlrp.text.scripts import cut_characters, marks
from textlrp.text.spacy_rules import LONGEST_CHUNK
from textlrp.text.treebank import treebank_spans
from textlrp.text.user_tokenizers import OffsetPairs, Spans, UserTokenizer, callable_path, span_array, span_reader

CACHED_CHUNKS = 3 << 17
"""Maximum number of chunks whose tokens are cached, at about 250 bytes each.

20 Newsgroups has 390,000 distinct chunks, most of which occur once.
"""

_JOINERS = frozenset("-.'\u2019\u2010\u2011\u200c\u200d")
"""Hyphens, dot, apostrophes, and the zero-width joiners of Persian and Indic scripts."""


class Tokenizer(Protocol):
    """The interface of a tokenizer: a ``name`` to save, and ``spans(text)``."""

    @property
    def name(self) -> str:
        """The name that a saved model stores; ``make_tokenizer(name)`` restores all but a user's callable."""

    def spans(self, text: str) -> Spans:
        """(T, 2) int32 character offsets of the tokens of ``text``."""


class ChunkTokenizer:
    """Splits texts into chunks and each chunk independently into tokens.

    ``chunks(texts)`` finds the chunks of several texts; everything else is a gap. ``split(chunk)`` returns the
    offsets of the tokens of a chunk.
    """

    def __init__(self, name: str, chunks: Chunker, split: Callable[[str], OffsetPairs]) -> None:
        self.name = name
        self.chunks = chunks
        self.split = split
        self._cached_split = lru_cache(CACHED_CHUNKS)(split)

    def spans(self, text: str) -> Spans:
        """(T, 2) int32 character offsets of the tokens of ``text``."""
        cached_split = self._cached_split
        found = self.chunks([text])
        flat: list[int] = []
        for at, chunk in zip(found.starts.tolist(), found.strings, strict=True):
            for start, end in cached_split(chunk):
                flat += (at + start, at + end)
        return np.array(flat, dtype=np.int32).reshape(-1, 2)

    def __repr__(self) -> str:
        return f"make_tokenizer({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return make_tokenizer, (self.name,)


class WholeTokenizer:
    """Tokenizes each text as a whole; ``source`` is the name or the user's callable that it was made from."""

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
    """Return the tokenizer of that name, or one that calls a user's function.

    - ``"auto"``: as ``"spacy"``, but each character of a script without spaces between words (Chinese, Japanese,
      Thai, Lao, Khmer, Burmese, Tibetan) is a token.
    - ``"spacy"``: the rules of ``spacy.blank("en")``; ``"spacy:de"``: those of any spaCy language.
      The tokens are exactly those of spaCy, without its whitespace tokens. ``"spacy:zh"`` splits Chinese into
      characters. ``"spacy:ja"`` requires sudachipy and sudachidict_core, ``"spacy:th"`` pythainlp.
    - ``"treebank"``: NLTK's Penn Treebank words, as in Arras et al. 2017 (extra ``paper``).
    - ``"words"``: sequences of letters, digits and their marks in any script, with inner hyphen, dot or apostrophe.
    - A callable that takes a text and returns its tokens, as strings in order or as (start, end) offsets. It may omit
      parts of the text. Strings are searched in the text, which can be ambiguous; offsets are not.
      Its name is the callable's module and qualified name, from which it cannot be restored.

    The models of textlrp pass texts without invisible characters (:mod:`textlrp.text.invisible`).
    Raises :class:`OptionError` for an unknown name, :class:`MissingExtraError` if NLTK is not installed.
    """
    if not isinstance(name, str):
        if not callable(name):
            raise OptionError(must_be("tokenizer", "a name or a callable", name, "Pass tokenizer='spacy'."))
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
            f"the tokenizer {name!r} was a callable and cannot be restored from its name. "
            "Pass the callable itself as tokenizer=."
        )
    names = "'auto', 'spacy', 'spacy:LANGUAGE' (such as 'spacy:de'), 'treebank', 'words' or a callable"
    raise OptionError(must_be("tokenizer", names, name))


def is_word(token: str) -> bool:
    """Whether a token counts as a word for the models, as in Arras et al. 2017.

    A word contains at least one letter, and otherwise only letters of any script with their combining marks, hyphens,
    dots and apostrophes.
    """
    if token.isalpha():
        return True
    return any(map(str.isalpha, token)) and all(
        c.isalpha() or c in _JOINERS or unicodedata.category(c)[0] == "M" for c in token
    )


# ---- the kinds


def _spacy(name: str, language: str, cut: Callable[[str], Iterable[tuple[int, int]]] | None = None) -> Tokenizer:
    """Return spaCy's tokenizer for a language; with ``cut``, each token is split further."""
    rules, tokenizer = spacy_language(language)
    if rules is not None:
        split = rules.split if cut is None else partial(_split_further, rules.split, cut)
        return ChunkTokenizer(name, by_whitespace(rules.joins, LONGEST_CHUNK), split)

    # spaCy segments some languages (Chinese, Thai, ...) by other means, which need the whole text
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
