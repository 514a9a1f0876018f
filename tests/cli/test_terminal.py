from __future__ import annotations

import io
import re
import unicodedata

import numpy as np
import pytest
from explanations import make_explanation
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from textlrp.cli.terminal import print_explanation, printable
from textlrp.explanation import Explanation
from textlrp.records import Status


def shown(explanation: Explanation, *, top_k: int | None = None, lines: int | None = None, width: int = 100) -> str:
    file = io.StringIO()
    print_explanation(explanation, Console(file=file, width=width), top_k=top_k, lines=lines)
    return file.getvalue()


def obeyed(text: str) -> list[str]:
    """Control characters, marks that change the text direction, surrogates and unassigned code points."""
    return [
        c
        for c in text
        if unicodedata.category(c) in ("Cc", "Cs", "Cn", "Zl", "Zp") or c in "\u202a\u202b\u202c\u202d\u202e"
    ]


@given(st.text())
def test_printable_is_one_line_without_control_characters(text: str) -> None:
    line = printable(text)
    assert not obeyed(line)
    assert "\n" not in line
    assert len(line) == len(" ".join(text.split()))


def test_one_target_shows_its_words_with_sign_and_size_and_adds_up() -> None:
    why = make_explanation(
        "alpha beta beta gamma", targets=(1,), true_label="sci.space", scores=np.float32([0, 2, 1])
    )
    text = shown(why)
    for word in why.words():
        times = f" ×{word.occurrences}" if word.occurrences > 1 else ""
        assert re.search(rf"[+−]\d+\.\d+ {word.word}{times}", text)
    assert "doc-1: predicted class sci.space, score 2.00" in text
    assert "✓ correct" in text
    assert "score breakdown: 2.00 = " in text
    assert re.search(r"[+−]\d+\.\d+ relevance of words", text)
    assert re.search(r"[+−]\d+\.\d+ absorbed by bias", text)
    assert re.search(r"[+−]\d+\.\d+ absorbed by\s+stabilizer", text)


def test_supporting_words_are_left_and_opposing_words_right_most_relevant_first() -> None:
    why = make_explanation(" ".join("abcdefghijkl"), targets=(0,))
    lines = shown(why, top_k=3, lines=0).splitlines()[2:5]
    supporting = [word.word for word in why.words() if word.relevance > 0][:3]
    opposing = [word.word for word in reversed(why.words()) if word.relevance < 0][:3]
    assert re.findall(r"\+\S+ (\w)", "\n".join(lines)) == supporting
    assert re.findall(r"−\S+ (\w)", "\n".join(lines)) == opposing


def test_a_right_to_left_word_keeps_the_columns_in_order() -> None:
    why = make_explanation("دواء car דוד", relevance=np.float32([[1, -1, 0.5]]))
    assert re.search("\\+1\\.00 دواء\u200e +−1\\.00 car *\n\\+0\\.50 דוד\u200e", shown(why, lines=0))


def test_several_targets_have_one_row_each() -> None:
    why = make_explanation(targets=(0, 1, (2, 0)), true_label="rec.autos", scores=np.float32([3, 2, 1]))
    text = shown(why)
    assert re.search(r"^sci\.med +3\.00", text, re.MULTILINE)
    assert re.search(r"^rec\.autos, not sci\.med +−2\.00", text, re.MULTILINE)
    assert "✗ incorrect, true label: rec.autos" in text


def test_several_targets_are_listed_below_each_other_in_a_narrow_terminal() -> None:
    why = make_explanation(targets=(0, 1, (2, 0)), scores=np.float32([3, 2, 1]))
    text = shown(why, width=40)
    assert all(cell_len(line) <= 40 for line in text.splitlines()[1:])
    strongest = why.words(target=1)[0].word
    assert re.search(rf"^sci\.space 2\.00\n\+ {strongest}.*\n− ", text, re.MULTILINE)


def test_the_text_is_marked_once_for_the_default_target() -> None:
    why = make_explanation("alpha beta", targets=(0, 1), scores=np.float32([1, 3, 2]))
    text = shown(why)
    assert text.count("Why ") == 1
    assert "Why sci.space?" in text
    best = max(zip(why.relevance[1], ("alpha", "beta"), strict=True), key=lambda pair: abs(pair[0]))
    assert f"[{'+++' if best[0] > 0 else '---'}{best[1]}]" in text
    assert "score breakdown (sci.space): 3.00 = " in text
    assert "score difference rec.autos − sci.med: 1.00 = " in shown(
        make_explanation(targets=((2, 0),), scores=why.scores)
    )


def test_a_text_without_a_word_gets_a_note() -> None:
    why = make_explanation("12 34", targets=(0,))
    assert not (why.status == Status.READ).any()
    assert "The model ignores all words of this text" in shown(why)
    assert "relevance of words" in shown(why)


def test_escape_sequences_in_a_text_or_a_name_are_replaced() -> None:
    why = make_explanation("alpha", labels=("\x1b[31mred", "b"), targets=(0,), document_id="\x1b]0;x\x07")
    assert "\x1b" not in shown(why)


def test_markup_in_a_word_is_text() -> None:
    why = make_explanation("alpha", labels=("[bold]a[/bold]", "b"), targets=(0, 1))
    assert "[bold]a[/bold]" in shown(why)


@pytest.mark.parametrize("no_color", [True, False])
def test_the_variable_no_color_is_respected(no_color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=file, force_terminal=True, color_system="standard")
    print_explanation(make_explanation("alpha beta gamma delta", targets=(0,)), console)
    assert ("\x1b[31m" in file.getvalue()) is not no_color


def test_heads_of_a_contrast_name_the_class_that_each_side_supports() -> None:
    contrast, single = (shown(make_explanation(targets=(target,)), lines=0) for target in ((0, 2), 0))
    assert re.search(r"^supports sci\.med +supports rec\.autos", contrast, re.MULTILINE)
    assert re.search(r"^supports sci\.med +opposes sci\.med", single, re.MULTILINE)


def test_the_legend_of_a_contrast_names_both_classes() -> None:
    contrast, single = (shown(make_explanation(targets=(target,)), width=200) for target in ((0, 2), 0))
    assert "[+supports sci.med] [+++strongly], [-supports rec.autos] [---strongly]" in contrast
    assert "[+supports] [+++strongly], [-opposes] [---strongly]" in single


def test_a_word_and_its_number_of_occurrences_are_not_separated() -> None:
    why = make_explanation("alpha alpha beta beta gamma gamma delta delta", targets=(0, 1))
    for width in range(30, 100, 3):
        lines = shown(why, width=width, lines=0).splitlines()
        assert not any(re.match(r"\s*×2", line) for line in lines), width
        assert any(re.search(r"[a-z] ×2", line) for line in lines), width


def test_words_that_would_be_shown_as_zero_are_not_listed() -> None:
    why = make_explanation("good tiny", relevance=np.array([[4.0, -0.001]], np.float32))
    assert "tiny" not in shown(why, lines=0)


def test_the_score_difference_of_a_contrast_is_named() -> None:
    assert "score difference sci.med − rec.autos: " in shown(make_explanation(targets=((0, 2),)))


@pytest.mark.parametrize("targets", [(0,), (0, 1)])
@pytest.mark.parametrize("width", [40, 100])
def test_small_scores_have_more_decimals_everywhere(targets: tuple[int, ...], width: int) -> None:
    why = make_explanation("alpha beta", targets=targets, scores=np.float32([0.0312, 0.0287, 0.01]))
    text = shown(why, width=width)
    assert text.count("0.0312") == 1 + len(targets)
    assert "0.03 " not in text
