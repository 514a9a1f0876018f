"""spaCy's tokenizer rules applied to one whitespace-separated chunk at a time.

spaCy treats each chunk alone, with one exception: after the affixes are split off, it looks for its
special cases (``:-)``, ``a.m.``) as sequences of tokens, which may reach over a single space. Two chunks are
therefore kept together (:func:`textlrp.text.chunks.by_whitespace`) wherever such a sequence could reach from one
into the other; what is left is independent, and the tokens of a chunk can be remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from textlrp.errors import OptionError
from textlrp.text.patterns import Anywhere, Edges, Expression, all_but, can_match_inside, letters

LONGEST_CHUNK = 1000
"""Longer stretches without whitespace are read in pieces: spaCy's own time grows with their square."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def load_spacy_tokenizer(language: str) -> Any:
    """The tokenizer of ``spacy.blank(language)``; raises :class:`OptionError` where spaCy cannot make it."""
    if not re.fullmatch(r"[\w-]+", language):
        raise OptionError(f"the language of a spaCy tokenizer must be a code such as 'de'; got {language!r}.")
    import spacy

    try:
        return spacy.blank(language).tokenizer
    except (ImportError, AttributeError, IndexError, TypeError) as error:  # such as spacy.lang.lex_attrs
        reason = " ".join(str(error).split())
        raise OptionError(f"spaCy has no ready tokenizer for the language {language!r}: {reason}") from error


def spacy_rules(tokenizer: Any) -> SpacyRules | None:
    """The rules of a spaCy tokenizer, or None where the language is not cut by patterns (Chinese, Thai, ...)."""
    written = written_rules(tokenizer)
    return None if written is None else SpacyRules(written, lambda: tokenizer)


@dataclass(frozen=True, slots=True)
class WrittenRules:
    """The rules of a spaCy tokenizer as plain values, without spaCy.

    ``prefix``, ``suffix`` and ``infix`` are searched for; ``whole`` and ``whole_at_last`` match what is one token,
    the first before affixes are split off and the second (URLs) after that. ``cases`` are the special cases with
    the lengths of their tokens; ``joins`` the pairs of neighbors in the sequences that spaCy's last pass looks for,
    ``alone`` its sequences of one token that it splits.
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
    """Read the rules of a spaCy tokenizer; None where it is of another class or calls functions of somebody's own."""
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
    except TypeError:  # a function of somebody's own, which may look at more than one chunk's characters
        return None
    # what the last pass looks for: the special cases that fall apart where they are not known to be special
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
    """The pattern that a search is a method of; raises TypeError where it is none."""
    if method is None:
        return None
    pattern = getattr(method, "__self__", None)
    if isinstance(pattern, re.Pattern) and method == getattr(pattern, name):
        return Expression(pattern.pattern, pattern.flags)
    raise TypeError(method)


class SpacyRules:
    """What spaCy does to one chunk, without making a ``Doc`` for it.

    A chunk that has one of the sequences that spaCy's last pass looks for is given to spaCy's own tokenizer, which
    ``tokenizer()`` returns. ``letters_stay``: no affix or infix is found in letters alone; ``dotted``: what
    ``whole_at_last`` matches contains a dot.
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
        """(start, end) of each token of a chunk, counted from its first character."""
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
        return self._ask(chunk)

    def _ask(self, chunk: str) -> tuple[tuple[int, int], ...]:
        # spaCy hashes UTF-8, which half a surrogate pair has none of
        doc = self.tokenizer()(_SURROGATE.sub("\ufffd", chunk))
        return tuple((token.idx, token.idx + len(token)) for token in doc if not token.is_space and len(token))

    def _lengths(self, rest: str) -> list[int]:
        """Lengths of the tokens: prefixes and suffixes off in turn, then what is left by its infixes."""
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
    """Characters that a search finds, 0 if none."""
    match = search(text)
    return 0 if match is None else match.end() - match.start()
