"""Apply the rules of spaCy's tokenizer to one whitespace-separated chunk at a time.

spaCy tokenizes each chunk independently, with one exception: after the affixes are split off, it searches for its
special cases (``:-)``, ``a.m.``) as sequences of tokens, which may contain a single space. Therefore two chunks stay
together (:func:`textlrp.text.chunks.by_whitespace`) if such a sequence could extend from one into the other. All
other chunks are independent, so their tokens can be cached. Open this module if tokens differ from those of spaCy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from textlrp.errors import OptionError
from textlrp.text.patterns import Anywhere, Edges, Expression, all_but, can_match_inside, letters
from textlrp.text.surrogates import without_surrogates

LONGEST_CHUNK = 1000
"""Maximum length of a chunk. Longer strings without white space are split: spaCy's time grows with their square."""


def load_spacy_tokenizer(language: str) -> Any:
    """Return the tokenizer of ``spacy.blank(language)``; raises :class:`OptionError` if spaCy cannot create it."""
    if not re.fullmatch(r"[\w-]+", language):
        raise OptionError(
            f"the language of a spaCy tokenizer must be a code such as 'de'; got {language!r}. Pass "
            "tokenizer='spacy:de'."
        )
    import spacy

    try:
        return spacy.blank(language).tokenizer
    # the last three are raised for modules of spacy.lang that are not languages, such as lex_attrs
    except (ImportError, AttributeError, IndexError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise OptionError(f"spaCy cannot create a tokenizer for the language {language!r}: {reason}") from error


def spacy_rules(tokenizer: Any) -> SpacyRules | None:
    """Return the rules of a spaCy tokenizer, or None if it does not work by patterns (Chinese, Thai, ...)."""
    written = written_rules(tokenizer)
    return None if written is None else SpacyRules(written, lambda: tokenizer)


@dataclass(frozen=True, slots=True)
class WrittenRules:
    """The rules of a spaCy tokenizer as plain values that need no spaCy.

    ``prefix``, ``suffix`` and ``infix`` are searched for. A match of ``whole`` (before affixes are split off) or of
    ``whole_at_last`` (after that; URLs) is one token. ``cases`` are the special cases, each with the lengths of its
    tokens. ``joins`` are the pairs of adjacent tokens in the sequences that spaCy's last pass searches for, and
    ``alone`` the sequences of a single token that it splits.
    """

    prefix: Expression | None
    suffix: Expression | None
    infix: Expression | None
    whole: Expression | None
    whole_at_last: Expression | None
    cases: dict[str, tuple[int, ...]]
    joins: frozenset[tuple[str, str]]
    alone: frozenset[str]


def written_rules(tokenizer: Any) -> WrittenRules | None:
    """Read the rules of a spaCy tokenizer; None if it is of another class or calls custom functions."""
    from spacy.attrs import ORTH, intify_attrs
    from spacy.tokenizer import Tokenizer

    if type(tokenizer) is not Tokenizer:
        return None
    searches = {
        "prefix_search": tokenizer.prefix_search,
        "suffix_search": tokenizer.suffix_search,
        "infix_finditer": tokenizer.infix_finditer,
        "token_match": tokenizer.token_match,
        "url_match": tokenizer.url_match,
    }
    try:
        prefix, suffix, infix, whole, url = (
            _expression(method, name.rpartition("_")[2]) for name, method in searches.items()
        )
    except TypeError:  # a custom function, which may depend on more than the characters of one chunk
        return None
    # the sequences of spaCy's last pass: the tokens of each special case when it is not known to be special
    plain = Tokenizer(tokenizer.vocab, **searches)
    cases = {
        text: tuple(len(intify_attrs(token)[ORTH]) for token in tokens) for text, tokens in tokenizer.rules.items()
    }
    sequences = [
        [token.text for token in plain(text) if not token.is_space]
        for text in cases
        if not tokenizer.faster_heuristics
        or " " in text
        or tokenizer.find_prefix(text)
        or tokenizer.find_suffix(text)
        or tokenizer.find_infix(text)
    ]
    return WrittenRules(
        prefix=prefix,
        suffix=suffix,
        infix=infix,
        whole=whole,
        whole_at_last=url,
        cases=cases,
        joins=frozenset(pair for sequence in sequences for pair in pairwise(sequence)),
        alone=frozenset(s[0] for s in sequences if len(s) == 1 and len(cases.get(s[0], (1,))) > 1),
    )


def _expression(method: Any, name: str) -> Expression | None:
    """Return the pattern of a search method; raises TypeError if the method does not belong to a pattern."""
    if method is None:
        return None
    pattern = getattr(method, "__self__", None)
    if isinstance(pattern, re.Pattern) and method == getattr(pattern, name):
        return Expression(pattern.pattern, pattern.flags)
    raise TypeError(method)


class SpacyRules:
    """Splits one chunk as spaCy does, without creating a ``Doc``.

    A chunk that contains a sequence of spaCy's last pass is passed to spaCy's own tokenizer, which ``tokenizer()``
    returns. ``letters_stay`` is whether a chunk of only letters has no affix or infix. ``dotted`` is whether every
    match of ``whole_at_last`` contains a dot.
    """

    def __init__(self, written: WrittenRules, tokenizer: Callable[[], Any]) -> None:
        self.written = written
        self.tokenizer = tokenizer
        self.cases, self.joins, self.alone = written.cases, written.joins, written.alone
        self.prefixes = Edges(written.prefix)
        self.suffixes = Edges(written.suffix, last=True)
        self.infixes = Anywhere(written.infix)
        searched = [each for each in (written.prefix, written.suffix, written.infix) if each is not None]
        self.letters_stay = not any(can_match_inside(each, letters) for each in searched)
        url = written.whole_at_last
        self.dotted = url is None or not can_match_inside(url, all_but("."))

    def split(self, chunk: str) -> tuple[tuple[int, int], ...]:
        """Return (start, end) of each token of a chunk, counted from its first character."""
        if chunk.isalpha() and self.letters_stay and chunk not in self.cases:
            return ((0, len(chunk)),)
        spans: list[tuple[int, int]] = []
        start = 0
        for stretch in chunk.split(" "):
            for length in self._lengths(stretch):
                if length:
                    spans.append((start, start + length))
                    start += length
            start += 1  # the blank
        tokens = [chunk[start:end] for start, end in spans]
        if self.joins.isdisjoint(pairwise(tokens)) and self.alone.isdisjoint(tokens):
            return tuple(spans)
        return self._split_by_spacy(chunk)

    def _split_by_spacy(self, chunk: str) -> tuple[tuple[int, int], ...]:
        # spaCy hashes strings as UTF-8, which cannot encode lone surrogates
        doc = self.tokenizer()(without_surrogates(chunk))
        return tuple((token.idx, token.idx + len(token)) for token in doc if not token.is_space and len(token))

    def _lengths(self, rest: str) -> list[int]:
        """Return the lengths of the tokens: split off prefixes and suffixes in turn, then split at infixes."""
        cases, whole = self.cases, self.written.whole
        lengths: list[int] = []
        suffixes: list[int] = []
        before = 0
        while rest and len(rest) != before and rest not in cases:
            if (self.letters_stay and rest.isalpha()) or (whole and whole.compiled.match(rest)):
                lengths.append(len(rest))
                break
            before = len(rest)
            prefix = _match_length(search, rest) if (search := self.prefixes[rest[0]]) else 0
            suffix = 0
            if (search := self.suffixes[rest[-1]]) and not (prefix and rest[prefix:] in cases):
                suffix = _match_length(search, rest[prefix:] if prefix else rest)
            if suffix:
                suffixes.append(suffix)
                if rest[:-suffix] in cases:
                    prefix = 0
            if prefix:
                lengths.append(prefix)
            rest = rest[prefix : before - suffix]
        else:
            lengths += cases[rest] if rest in cases else self._infixes(rest)
        lengths += reversed(suffixes)
        return lengths

    def _infixes(self, rest: str) -> list[int]:
        infix = self.infixes.among(set(rest))
        if infix is None or self._is_url(rest):
            return [len(rest)]
        lengths: list[int] = []
        start = 0
        for match in infix.finditer(rest):
            if match.start():
                lengths += (match.start() - start, match.end() - match.start())
                start = match.end()
        return [*lengths, len(rest) - start]

    def _is_url(self, rest: str) -> bool:
        url = self.written.whole_at_last
        if url is None or (self.dotted and "." not in rest):
            return False
        return url.compiled.match(rest) is not None


def _match_length(search: Callable[[str], Any], text: str) -> int:
    """Return the length of the match, 0 for no match."""
    match = search(text)
    return 0 if match is None else match.end() - match.start()
