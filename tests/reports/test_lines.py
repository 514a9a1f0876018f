import unicodedata

import numpy as np
import pytest
from cases import every
from explanations import by_character, make_explanation
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.records import Status
from textlrp.reports.lines import grapheme_runs, lines_of, strength

LETTERS = "ab \n\r\t\u2028é中א👩\u200d⚕\ufe0f\u0301\U0001f3fd"


@settings(max_examples=80)
@given(st.text(alphabet=st.one_of(st.sampled_from(LETTERS), st.characters()), max_size=40))
def test_joined_the_runs_of_whole_letters_are_the_text_and_none_begins_within_a_letter(text: str) -> None:
    for explanation in (by_character(text), make_explanation(text)):
        found = grapheme_runs(explanation, 0)
        assert "".join(run.text for run in found) == text
        for run in found[1:]:
            assert unicodedata.category(run.text[0]) not in ("Mn", "Mc", "Me")


@settings(max_examples=80)
@given(st.text(alphabet=st.one_of(st.sampled_from(LETTERS), st.characters()), max_size=40))
def test_the_lines_of_the_runs_are_the_lines_of_the_text(text: str) -> None:
    lines = list(lines_of(grapheme_runs(by_character(text), 0)))
    assert ["".join(run.text for run in line) for line in lines] == text.splitlines()
    assert all(run.text for line in lines for run in line)


def test_a_run_over_several_lines_keeps_its_kind_on_each() -> None:
    explanation = make_explanation("From a\r\nTo b\n\nread", status=[1, 1, 1, 1, 0], relevance=np.ones((1, 5)))
    first, second, empty, last = lines_of(grapheme_runs(explanation, 0))
    assert [(run.text, run.status) for run in first + second] == [
        ("From a", Status.SKIPPED),
        ("To b", Status.SKIPPED),
    ]
    assert empty == []
    assert [(run.text, run.status, run.shares) for run in last] == [("read", Status.READ, ((0, 100),))]


@pytest.mark.parametrize("letter", ["👩\u200d⚕\ufe0f", "e\u0301", "👍\U0001f3fd", "क्षि"])
def test_a_letter_of_several_characters_has_one_mark(letter: str) -> None:
    runs = grapheme_runs(by_character(f"a{letter}b"), 0)
    assert [run.text for run in runs] == ["a", letter, "b"] if letter != "क्षि" else ["a", "क्", "षि", "b"]
    assert runs[1].shares[0][1] < 0


@every("share, step", [(2, 1), (-14, 1), (15, 2), (29, 2), (30, 3), (-30, 3), (64, 3), (65, 4), (-100, 4)])
def test_strength_has_four_steps(share: int, step: int) -> None:
    assert strength(share) == step
