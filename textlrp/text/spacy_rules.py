"""spaCy's tokenizer rules applied to one whitespace-separated chunk at a time.

spaCy treats each chunk alone, with one exception: after the affixes are split off, it looks for its
special cases (``:-)``, ``a.m.``) as sequences of tokens, which may reach over a single space. ``chunk_pattern``
therefore keeps two chunks together wherever such a sequence could reach from one into the other;
what is left is independent, and the tokens of a chunk can be remembered.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Any

from textlrp.errors import OptionError

MOST_KNOWN = 1 << 17
"""Chunks without affixes that are remembered; with affixes they are the caller's to remember."""

LONGEST_CHUNK = 1000
"""Longer stretches without whitespace are read in pieces: spaCy's own time grows with their square."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def load_spacy_tokenizer(language: str) -> Any:
    """The tokenizer of ``spacy.blank(language)``; raises :class:`OptionError` where spaCy cannot make it."""
    import spacy

    try:
        return spacy.blank(language).tokenizer
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise OptionError(f"spaCy has no ready tokenizer for the language {language!r}: {reason}") from error


def spacy_rules(tokenizer: Any) -> SpacyRules | None:
    """The rules of a spaCy tokenizer, or None where the language is not cut by rules (Chinese, Thai, ...)."""
    from spacy.attrs import ORTH, intify_attrs
    from spacy.tokenizer import Tokenizer

    if type(tokenizer) is not Tokenizer:
        return None
    # what the last pass looks for: the special cases that fall apart where they are not known to be special
    plain = Tokenizer(
        tokenizer.vocab,
        prefix_search=tokenizer.prefix_search,
        suffix_search=tokenizer.suffix_search,
        infix_finditer=tokenizer.infix_finditer,
        token_match=tokenizer.token_match,
        url_match=tokenizer.url_match,
    )
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
    return SpacyRules(
        tokenizer=tokenizer,
        cases=cases,
        known=dict(cases),
        joins=frozenset(pair for sequence in sequences for pair in pairwise(sequence)),
        alone=frozenset(s[0] for s in sequences if len(s) == 1 and len(cases.get(s[0], (1,))) > 1),
        whole=tokenizer.token_match or _never,
        whole_at_last=tokenizer.url_match or _never,
    )


def chunk_pattern(joins: Iterable[tuple[str, str]]) -> re.Pattern[str]:
    """A pattern for what must be tokenised together: a stretch without whitespace, or several that a pair in
    ``joins`` could link over a single space (told by the first token's last character and the second token).
    """
    seconds: dict[bool, dict[str, set[str]]] = {True: defaultdict(set), False: defaultdict(set)}
    for first, second in joins:
        seconds[first[-1].isalnum()][second].add(first[-1])
    stretch = rf"\S{{1,{LONGEST_CHUNK}}}"
    # after a letter the next character rules out nearly every space, after punctuation the one before does
    links = [
        (rf"(?=[{_set(second[0] for second in lasts)}])" if alnum else rf"(?<=[{_set(chain(*lasts.values()))}] )")
        + "(?:"
        + "|".join(f"(?<=[{_set(lasts[second])}] ){re.escape(second)}" for second in sorted(lasts))
        + ")"
        for alnum, lasts in seconds.items()
        if lasts
    ]
    return re.compile(rf"{stretch}(?: (?={'|'.join(links)}){stretch})*" if links else stretch)


def _set(characters: Iterable[str]) -> str:
    return re.escape("".join(sorted(set(characters))))


@dataclass(frozen=True, slots=True, eq=False)
class SpacyRules:
    """What spaCy does to one chunk, without making a ``Doc`` for it.

    ``cases`` are the special cases with the lengths of their tokens; ``known`` these and what has no affix
    and was met before; ``joins`` the pairs of neighbours in the
    sequences that spaCy's last pass looks for, ``alone`` its sequences of one token that it splits. A chunk
    that has one of them is given to spaCy itself. ``whole`` and ``whole_at_last`` match what is one token.
    """

    tokenizer: Any
    cases: dict[str, tuple[int, ...]]
    known: dict[str, tuple[int, ...]]
    joins: frozenset[tuple[str, str]]
    alone: frozenset[str]
    whole: Callable[[str], Any]
    whole_at_last: Callable[[str], Any]

    def split(self, chunk: str) -> tuple[tuple[int, int], ...]:
        """(start, end) of each token of a chunk, counted from its first character."""
        if " " in chunk:
            return self._ask(chunk)
        ends = accumulate(self._affixes(chunk), initial=0)
        spans = tuple((start, end) for start, end in pairwise(ends) if start < end)
        tokens = [chunk[start:end] for start, end in spans]
        if self.joins.isdisjoint(pairwise(tokens)) and self.alone.isdisjoint(tokens):
            return spans
        return self._ask(chunk)

    def _ask(self, chunk: str) -> tuple[tuple[int, int], ...]:
        # spaCy hashes UTF-8, which half a surrogate pair has none of
        doc = self.tokenizer(_SURROGATE.sub("\ufffd", chunk))
        return tuple((token.idx, token.idx + len(token)) for token in doc if not token.is_space and len(token))

    def _affixes(self, rest: str) -> Iterator[int]:
        """Lengths of the tokens: prefixes and suffixes off in turn, then what is left by its infixes."""
        cases, known, find_suffix = self.cases, self.known, self.tokenizer.find_suffix
        suffixes: list[int] = []
        before = 0
        while rest and len(rest) != before and rest not in known and not self.whole(rest):
            before = len(rest)
            prefix = self.tokenizer.find_prefix(rest)
            suffix = 0 if rest[prefix:] in known else find_suffix(rest[prefix:])
            if suffix and rest[:-suffix] in cases:
                prefix = 0
            if prefix:
                yield prefix
            if suffix:
                suffixes.append(suffix)
            rest = rest[prefix : len(rest) - suffix]
        if rest not in known:
            if len(known) > MOST_KNOWN:
                known.clear()
                known.update(cases)
            known[rest] = tuple(self._infixes(rest))
        yield from known[rest]
        yield from reversed(suffixes)

    def _infixes(self, rest: str) -> Iterator[int]:
        start = 0
        if rest and not self.whole(rest) and not self.whole_at_last(rest):
            for match in self.tokenizer.find_infix(rest) or ():
                if match.start():
                    yield match.start() - start
                    yield match.end() - match.start()
                    start = match.end()
        yield len(rest) - start


def _never(_: str) -> None:
    return None
