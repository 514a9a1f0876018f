"""Laws of pattern analysis: the selected alternatives find what the whole pattern finds."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from cases import every
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from textlrp.text.patterns import Anywhere, Edges, all_but, alternatives, can_match_inside, letters

LANGUAGES = ["en", *(pytest.param(name, marks=pytest.mark.slow) for name in ("de", "fr", "hu", "id"))]
SHARDS = [
    *("a", "b", "word", "Über", "3", "km", "USA", "s", "м²", "日", "°C", "😀", "\u0301", "\ud800"),
    *(
        ".",
        "..",
        ",",
        "-",
        "--",
        "'s",
        "’",
        "(",
        ")",
        "[",
        "!",
        "$",
        "US$",
        "/",
        ":",
        "=",
        "+",
        "_",
        "…",
        "'",
        "^",
        "@",
    ),
]
stretches = st.one_of(st.text(min_size=1, max_size=20), st.lists(st.sampled_from(SHARDS), min_size=1).map("".join))
stretches = stretches.map(lambda text: "".join(text.split())).filter(bool)

LEAVES = [
    "a",
    "b",
    ".",
    r"\.",
    "1",
    "[ab]",
    "[^a]",
    "[0-9]",
    r"\d",
    r"\w",
    r"[\s-]",
    "[]a]",
    r"[\]|]",
    r"\|",
    "",
    "^",
    "$",
]
expressions = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        inner.map(lambda part: f"({part})"),
        inner.map(lambda part: f"(?={part})"),
        inner.map(lambda part: f"(?!{part})"),
        inner.map(lambda part: f"(?i:{part})"),
        st.tuples(inner, st.sampled_from("*+?")).map(lambda both: f"(?:{both[0]}){both[1]}"),
        st.sampled_from(["(?<=a)", "(?<=[0-9])", r"(?<!\.)"]),
    ),
    max_leaves=6,
)
patterns = st.tuples(
    st.lists(expressions, min_size=1, max_size=3).map("|".join), st.sampled_from([0, 0, re.IGNORECASE])
)
small_texts = st.text("abA1.|]-", min_size=1, max_size=6)


@cache
def searches(language: str) -> dict[str, re.Pattern[str]]:
    import spacy

    tokenizer = spacy.blank(language).tokenizer
    return {
        "prefix": tokenizer.prefix_search.__self__,
        "suffix": tokenizer.suffix_search.__self__,
        "infix": tokenizer.infix_finditer.__self__,
    }


@cache
def edges(language: str, kind: str) -> Edges:
    return Edges(searches(language)[kind], last=kind == "suffix")


def span(match: re.Match[str] | None) -> tuple[int, int] | None:
    return None if match is None else match.span()


def found_at(edges: Edges, character: str, text: str) -> tuple[int, int] | None:
    search = edges[character]
    return None if search is None else span(search(text))


def found_among(anywhere: Anywhere, text: str) -> list[tuple[int, int]]:
    finder = anywhere.among(set(text))
    return [] if finder is None else [match.span() for match in finder.finditer(text)]


# ---- laws


@pytest.mark.parametrize("language", LANGUAGES)
@given(text=stretches)
@settings(max_examples=80, deadline=None)
def test_affixes_are_those_that_all_rules_of_a_language_find(language: str, text: str) -> None:
    rules = searches(language)
    assert found_at(edges(language, "prefix"), text[0], text) == span(rules["prefix"].search(text))
    assert found_at(edges(language, "suffix"), text[-1], text) == span(rules["suffix"].search(text))


@pytest.mark.parametrize("language", LANGUAGES)
@given(text=stretches, worth=st.sampled_from([0, 10**9]))
@settings(max_examples=50, deadline=None)
def test_infixes_are_those_that_all_rules_of_a_language_find(language: str, text: str, worth: int) -> None:
    infix = searches(language)["infix"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textlrp.text.patterns._MIN_USES", worth)
        assert found_among(Anywhere(infix), text) == [match.span() for match in infix.finditer(text)]


@given(written=patterns, text=small_texts)
@example(written=("", 0), text="1")
@example(written=("^a*b|1*a$", 0), text="ab")
@example(written=("^a*b|b1*$", 0), text="b1")
@settings(max_examples=150, deadline=None)
def test_chosen_alternatives_find_what_any_pattern_finds(written: tuple[str, int], text: str) -> None:
    pattern = compiled(*written)
    assert found_at(Edges(pattern), text[0], text) == span(pattern.search(text))
    assert found_at(Edges(pattern, last=True), text[-1], text) == span(pattern.search(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textlrp.text.patterns._MIN_USES", 0)
        assert found_among(Anywhere(pattern), text) == [match.span() for match in pattern.finditer(text)]


@given(written=patterns, text=st.text("abA", max_size=5))
@settings(max_examples=150, deadline=None)
def test_a_match_in_letters_alone_was_possible(written: tuple[str, int], text: str) -> None:
    pattern = compiled(*written)
    assume(pattern.search(text))
    assert can_match_inside(pattern, letters)
    assert can_match_inside(pattern, all_but("."))


@given(written=patterns)
@settings(max_examples=80, deadline=None)
def test_alternatives_make_up_the_pattern(written: tuple[str, int]) -> None:
    pieces = alternatives(compiled(*written))
    assert "|".join(pieces) == written[0]
    for piece in pieces:
        re.compile(piece)


def compiled(written: str, flags: int) -> re.Pattern[str]:
    try:
        return re.compile(written, flags)
    except re.error:
        assume(False)
        raise


# ---- examples


@every(
    "written, pieces",
    [
        ("a|b", ["a", "b"]),
        (r"a\|b|[|]|(c|d)", [r"a\|b", "[|]", "(c|d)"]),
        (r"[]|]|[^]|]|[\]|]|e", ["[]|]", "[^]|]", r"[\]|]", "e"]),
        ("(?u)^a|b", ["^a", "b"]),
        (r"(a)|b\1", [r"(a)|b\1"]),
        ("(?x)a | b", ["(?x)a | b"]),
    ],
)
def test_patterns_are_split_only_outside_brackets(written: str, pieces: list[str]) -> None:
    assert alternatives(re.compile(written)) == pieces


@every(
    "written, possible",
    [
        ("a", True),
        (r"\.", False),
        (r"(?<=[0-9])km$", False),
        (r"(?<![0-9])km$", True),
        (r"x*", True),
        (r"(?:a|1)2", False),
        (r"(a)\1", True),
        ("[^a]", True),
        ("(?i)1", True),
        ("…|[0-9]+", False),
    ],
)
def test_what_letters_alone_can_match(written: str, possible: bool) -> None:
    assert can_match_inside(re.compile(written), letters) is possible


@pytest.mark.parametrize("language", ["en", "de"])
def test_plain_words_need_no_search(language: str) -> None:
    import spacy

    from textlrp.text.spacy_rules import spacy_rules

    rules: Any = spacy_rules(spacy.blank(language).tokenizer)
    assert rules.letters_stay
    assert rules.dotted
    assert rules.prefixes["w"] is None
    assert rules.infixes.among("word") is None


def test_no_pattern_finds_nothing() -> None:
    assert Edges(None)["a"] is None
    assert Anywhere(None).among("a") is None


def test_what_is_kept_for_characters_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textlrp.text.patterns._MAX_CHARACTERS", 3)
    monkeypatch.setattr("textlrp.text.patterns._MAX_FINDERS", 1)
    monkeypatch.setattr("textlrp.text.patterns._MIN_USES", 0)
    pattern = re.compile("^a|^b|c")
    edges, anywhere = Edges(pattern), Anywhere(pattern)
    for text in ("a", "b", "c", "d", "ab", "xc", "a"):
        assert found_at(edges, text[0], text) == span(pattern.search(text))
        assert found_among(anywhere, text) == [match.span() for match in pattern.finditer(text)]
        assert len(edges) <= 3
