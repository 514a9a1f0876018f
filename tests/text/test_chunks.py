"""Laws of chunks: a block has the chunks of its texts, and they match the pattern that defines a chunk."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from textlrp.text.chunks import Chunks, by_pattern, by_whitespace

JOINS = [(":", ")"), ("n", "'t"), ("¬", "¬_"), ("ಠ", "ಠ"), ("b", "c"), ("-", "'t"), ("━", "("), ("xn", "n")]
SHARDS = [
    "n",
    "'t",
    ":",
    ")",
    "¬",
    "¬_",
    "ಠ",
    "b",
    "c",
    "word",
    " ",
    " ",
    " ",
    "  ",
    "\n",
    "\t",
    "\xa0",
    "\u3000",
    "━",
    "(",
]
texts = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(SHARDS), max_size=25).map("".join))


def chunks_of(chunks: Chunks) -> list[list[tuple[int, str]]]:
    """Return the starts and strings of the chunks of each text."""
    pairs = list(zip(chunks.starts.tolist(), chunks.strings, strict=True))
    ends = chunks.sizes.cumsum().tolist()
    assert len(pairs) == sum(chunks.sizes.tolist())
    return [
        [pair for pair in pairs[end - size : end] if pair[1]]
        for end, size in zip(ends, chunks.sizes.tolist(), strict=True)
    ]


def what_a_chunk_is(joins: list[tuple[str, str]], longest: int) -> re.Pattern[str]:
    stretch = rf"\S{{1,{longest}}}"
    links = "|".join(f"(?<={re.escape(first[-1])} ){re.escape(second)}" for first, second in joins)
    return re.compile(rf"{stretch}(?: (?={links}){stretch})*" if links else stretch)


@given(some=st.lists(texts, max_size=5), longest=st.sampled_from([1, 2, 3, 1000]), joins=st.sampled_from([JOINS, []]))
@example(some=["n 't", " 't", "n", "'t n 't 't : )"], longest=1000, joins=JOINS)
@settings(max_examples=200, deadline=None)
def test_chunks_of_a_block_are_those_of_each_text(
    some: list[str], longest: int, joins: list[tuple[str, str]]
) -> None:
    pattern = what_a_chunk_is(joins, longest)
    expected = [[(match.start(), match[0]) for match in pattern.finditer(text)] for text in some]
    assert chunks_of(by_whitespace(joins, longest)(some)) == expected
    assert chunks_of(by_pattern(pattern)(some)) == expected


def test_what_splits_text_is_in_the_table() -> None:
    spaces = [chr(number) for number in range(sys.maxunicode + 1) if chr(number).isspace()]
    assert max(map(ord, spaces)) == 0x3000
    assert all(re.fullmatch(r"\s", space) and not space.split() for space in spaces)
    (found,) = chunks_of(by_whitespace([], 1000)(["a" + "a".join(spaces) + "a"]))
    assert [string for _, string in found] == ["a"] * (len(spaces) + 1)


@pytest.mark.parametrize("some", [[], [""], ["", " "], ["\n"]])
def test_texts_without_chunks(some: list[str]) -> None:
    found = by_whitespace(JOINS, 1000)(some)
    assert found.strings == []
    assert found.sizes.tolist() == [0] * len(some)
