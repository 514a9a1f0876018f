"""Strings get the places in the text that a function read them from; all are placed together."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.text.placing import place, place_most

WORDS = ("good", "bad", "film")


def gaps_with_letters(spans: list[tuple[int, int]], text: str) -> int:
    """Count the gaps around and between the spans that contain letters, in plain loops."""
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    gaps = [text[end:start] for end, start in zip(edges[::2], edges[1::2], strict=True)]
    return sum(any(map(str.isalpha, gap)) for gap in gaps)


def every_placement(words: list[str], text: str) -> list[list[tuple[int, int]]]:
    places = [[(at, at + len(word)) for at in range(len(text)) if text.startswith(word, at)] for word in words]
    return [list(spans) for spans in product(*places) if all(one[1] <= two[0] for one, two in pairwise(spans))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.booleans()), max_size=7))
def test_the_placement_has_the_fewest_gaps(parts: list[tuple[str, bool]]) -> None:
    text = " ".join(word for word, _ in parts)
    words = [word for word, kept in parts if kept]
    found = place(words, text)
    assert found is not None
    spans = [(start, end) for start, end in found.spans.tolist()]
    ways = every_placement(words, text)
    costs = [gaps_with_letters(way, text) for way in ways]
    best = [way for way, cost in zip(ways, costs, strict=True) if cost == min(costs)]
    assert spans in best
    for number, unsure in enumerate(found.unsure.tolist()):
        assert unsure == (len({way[number] for way in best}) > 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.data())
def test_a_repeated_passage_keeps_its_place(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words)))
    found = place_most([*words, *words[first:last]], text)
    assert [text[start:end] for start, end in found.spans.tolist()] == [*words, *words[first:last]]


def test_strings_that_are_not_there_have_no_place() -> None:
    assert place(["good", "cast"], "good film") is None
    assert place_most(["good", "cast", "film", ""], "good film").spans.tolist() == [[0, 4], [0, 0], [5, 9], [0, 0]]


def test_a_place_in_a_tag_or_an_address_is_the_last_choice() -> None:
    for text, start in (
        ('<img alt="good"> good film', 17),
        ('good <img alt="good">', 0),
        ("https://good.org/ is good", 21),
        ('good <img alt=x> film <img alt="film"> now', 0),
    ):
        words = ["good", "film", "now"] if "now" in text else ["good"]
        found = place(words, text)
        assert found is not None
        assert found.spans[0, 0] == start
        assert not found.unsure.any()
