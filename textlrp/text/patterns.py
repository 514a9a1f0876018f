"""Analyze the source of regular expressions: which characters a match can contain, begin with or end with.

The rules of a tokenizer are long lists of alternatives (``^\\(|^\\[|^\\{|...``). Most cannot match in a given text,
because no character of the text can begin (or end) a match. :class:`Edges` and :class:`Anywhere` try only the other
alternatives, and find exactly what the whole expression finds. The analysis is conservative: "cannot match" is
certain, "can match" may be wrong. Constructs that are not analyzed (back references, case folding, ...) count as
able to match everything. Open this module if tokenization must become faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from typing import Any, TypeAlias

# the parser has no public name; its operations are compared as text, so that new ones count as not analyzed
_parse: Callable[[str, int], Any] = import_module("re._parser").parse

Within: TypeAlias = Callable[[int, int], bool]
"""A set of characters, as a test whether it has a character with a code point from the first to the second number."""

_GLOBAL_FLAGS = re.compile(r"\(\?[aiLmsux]+\)")
_REFERENCE = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")
_MAX_CHARACTERS = 1 << 14  # cached characters
_MAX_FINDERS = 1 << 10  # cached patterns
_MIN_USES = 500  # number of uses before a pattern is compiled


@dataclass(frozen=True)
class Expression:
    """The source of a regular expression: ``pattern`` and ``flags``. It is compiled at the first use."""

    pattern: str
    flags: int

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self.pattern, self.flags)


PatternLike: TypeAlias = re.Pattern[str] | Expression
"""Anything with a ``pattern`` and ``flags``."""


def letters(low: int, high: int) -> bool:
    """The set of all letters, as defined by ``str.isalpha``."""
    return any(chr(number).isalpha() for number in range(low, high + 1))


def all_but(character: str) -> Within:
    """Return the set of all characters except one."""
    return lambda low, high: not low == high == ord(character)


def exactly(character: str) -> Within:
    """Return the set of one character."""
    return lambda low, high: low <= ord(character) <= high


def can_match_inside(pattern: PatternLike, characters: Within) -> bool:
    """Whether the pattern can match, even with an empty match, in a text of only these characters."""
    return bool(pattern.flags & re.IGNORECASE) or _possible(_parse(pattern.pattern, pattern.flags), characters)


class Edges(dict[str, Callable[[str], Any] | None]):
    """``edges[character]`` searches texts that begin with this character, or is None if nothing can match there.

    With ``last``, the texts end with the character. The search tries only the alternatives of the pattern that can
    match at this edge, and so finds in such a text what the whole pattern finds.
    """

    def __init__(self, pattern: PatternLike | None, *, last: bool = False) -> None:
        self._pieces = _parsed_alternatives(pattern)
        self._flags = 0 if pattern is None else pattern.flags
        self._last = last
        self._searches: dict[str, Callable[[str], Any]] = {}

    def __missing__(self, character: str) -> Callable[[str], Any] | None:
        chosen = [piece for piece, tree in self._pieces if self._meets(tree, exactly(character))]
        joined = "|".join(chosen)
        if chosen and joined not in self._searches:
            self._searches[joined] = re.compile(joined, self._flags).search
        if len(self) >= _MAX_CHARACTERS:
            self.clear()
        search = self[character] = self._searches[joined] if chosen else None
        return search

    def _meets(self, tree: Any, characters: Within) -> bool:
        anchored = len(tree) > 0 and _is_anchor(tree[-1 if self._last else 0], self._last)
        return not anchored or bool(self._flags & re.IGNORECASE) or any(_edge(tree, characters, self._last))


class Anywhere:
    """Searches texts with only those alternatives of a pattern that a character of the text can begin."""

    def __init__(self, pattern: PatternLike | None) -> None:
        self._pattern = pattern
        self._pieces = _parsed_alternatives(pattern)
        self._marks: dict[str, int] = {}
        self._met: dict[int, int] = {}
        self._finders: dict[int, re.Pattern[str]] = {}

    def among(self, characters: Iterable[str]) -> re.Pattern[str] | None:
        """Return a pattern that finds, in a text of these characters, what the whole pattern finds.

        None if the whole pattern finds nothing there.
        """
        marks, mark = self._marks, 0
        for character in characters:
            mark |= marks[character] if character in marks else self._mark(character)
        if not mark:
            return None
        return self._finders.get(mark) or self._finder(mark)

    def _mark(self, character: str) -> int:
        """Return a bit mask of the alternatives that the character can begin."""
        folded = self._pattern is not None and self._pattern.flags & re.IGNORECASE
        meets = (folded or any(_edge(tree, exactly(character), False)) for _, tree in self._pieces)
        if len(self._marks) >= _MAX_CHARACTERS:
            self._marks.clear()
        mark = self._marks[character] = sum(1 << n for n, met in enumerate(meets) if met)
        return mark

    def _finder(self, mark: int) -> re.Pattern[str] | None:
        # compiling a pattern with large character classes takes as long as a thousand searches
        self._met[mark] = self._met.get(mark, 0) + 1
        if self._pattern is None or self._met[mark] < _MIN_USES:
            return self._pattern.compiled if isinstance(self._pattern, Expression) else self._pattern
        joined = "|".join(piece for n, (piece, _) in enumerate(self._pieces) if mark >> n & 1)
        if len(self._finders) >= _MAX_FINDERS:
            self._finders.clear()
        finder = self._finders[mark] = re.compile(joined, self._pattern.flags)
        return finder


def _parsed_alternatives(pattern: PatternLike | None) -> list[tuple[str, Any]]:
    """Return each alternative as text and parsed."""
    if pattern is None:
        return []
    return [(piece, _parse(piece, pattern.flags)) for piece in alternatives(pattern)]


def alternatives(pattern: PatternLike) -> list[str]:
    """Return the alternatives of a pattern, in order; the whole pattern if it cannot be split safely."""
    text = pattern.pattern
    if pattern.flags & re.VERBOSE or _REFERENCE.search(text):
        return [text]
    start = match.end() if (match := _GLOBAL_FLAGS.match(text)) else 0
    bars = [start - 1, *_bars(text, start), len(text)]
    return [text[before + 1 : bar] for before, bar in pairwise(bars)]


def _bars(text: str, start: int) -> Iterator[int]:
    """Yield the offsets of each ``|`` outside all brackets."""
    depth, inside, place = 0, False, start
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 1
        elif inside:
            inside = character != "]"
        elif character == "[":
            inside = True
            # a closing bracket at the start of a character class is a member of the class
            place += len(re.compile(r"\^?\]?").match(text, place + 1)[0])  # type: ignore[index]
        elif character == "|" and not depth:
            yield place
        depth += 0 if inside else (character == "(") - (character == ")")
        place += 1


# ---- the parsed form: a list of (operation, argument)


def _is_anchor(item: Any, backwards: bool) -> bool:
    operation, argument = item
    anchors = ("AT_END", "AT_END_STRING") if backwards else ("AT_BEGINNING", "AT_BEGINNING_STRING")
    return str(operation) == "AT" and str(argument) in anchors


def _edge(items: Any, characters: Within, backwards: bool) -> tuple[bool, bool]:
    """Return whether a match can start (or end) with one of the characters, and whether it can be empty."""
    for item in reversed(items) if backwards else items:
        hit, empty = _edge_of(str(item[0]), item[1], characters, backwards)
        if hit or not empty:
            return hit, empty
    return False, True


def _edge_of(operation: str, argument: Any, characters: Within, backwards: bool) -> tuple[bool, bool]:
    if operation in ("LITERAL", "IN"):
        return _possible_at(operation, argument, characters), False
    if operation in ("AT", "ASSERT", "ASSERT_NOT"):
        return False, True
    if operation == "SUBPATTERN" and not (argument[1] or argument[2]):
        return _edge(argument[3], characters, backwards)
    if operation == "BRANCH":
        found = [_edge(branch, characters, backwards) for branch in argument[1]]
        return any(hit for hit, _ in found), any(empty for _, empty in found)
    if operation in ("MAX_REPEAT", "MIN_REPEAT"):
        hit, empty = _edge(argument[2], characters, backwards)
        return hit, empty or argument[0] == 0
    return True, True


def _possible(items: Any, characters: Within) -> bool:
    return all(_possible_at(str(operation), argument, characters) for operation, argument in items)


def _possible_at(operation: str, argument: Any, characters: Within) -> bool:
    if operation == "LITERAL":
        return characters(argument, argument)
    if operation == "IN":
        return any(_member(str(kind), value, characters) for kind, value in argument)
    if operation == "ASSERT":
        return _possible(argument[1], characters)
    if operation == "SUBPATTERN" and not (argument[1] or argument[2]):
        return _possible(argument[3], characters)
    if operation == "BRANCH":
        return any(_possible(branch, characters) for branch in argument[1])
    if operation in ("MAX_REPEAT", "MIN_REPEAT"):
        return argument[0] == 0 or _possible(argument[2], characters)
    return True


def _member(kind: str, value: Any, characters: Within) -> bool:
    if kind == "LITERAL":
        return characters(value, value)
    if kind == "RANGE":
        return characters(*value)
    return True
