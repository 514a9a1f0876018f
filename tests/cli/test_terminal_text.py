"""The marked text in a terminal: complete, within the width, readable without color, free of control characters."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from cases import every
from colors import contrast, rgb
from explanations import by_character, make_explanation
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from test_terminal import obeyed

from textlrp.cli.terminal_text import harmless, legend, mark_styles, print_text
from textlrp.explanation import Explanation
from textlrp.records import Status

SYSTEMS = ("truecolor", "256", "standard")


def a_console(system: str | None = None, *, width: int = 80) -> Console:
    return Console(
        file=io.StringIO(), width=width, force_terminal=system is not None, color_system=system, no_color=False
    )


def written(explanation: Explanation, console: Console, max_lines: int | None = None, *, light: bool = False) -> str:
    print_text(explanation, 0, console, mark_styles(console, light=light), max_lines=max_lines)
    return console.file.getvalue()


@given(st.text(alphabet=st.characters()))
def test_harmless_keeps_each_character_or_shows_its_symbol(text: str) -> None:
    made = harmless(text)
    assert len(made) == len(text)
    assert not obeyed(made.replace("\t", ""))
    assert all(a == b for a, b in zip(made, text, strict=True) if b.isprintable() or b in "\t\u200d\u200c\xa0\u3000")


@pytest.mark.parametrize(
    ("text", "made"),
    [("\x1b[31m", "␛[31m"), ("a\x00\x7f", "a␀␡"), ("\x9b1m", "\ufffd1m"), ("\u202eabc\u2066", "\ufffdabc\ufffd")],
)
def test_control_characters_are_shown_as_symbols(text: str, made: str) -> None:
    assert harmless(text) == made


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=60), st.sampled_from([None, *SYSTEMS]), st.integers(20, 60))
def test_no_line_is_wider_than_the_terminal_and_no_letter_is_lost(text: str, system: str | None, width: int) -> None:
    console = a_console(system, width=width)
    lines = re.sub(r"\x1b\[[\d;]*m", "", written(make_explanation(text), console)).split("\n")
    assert all(cell_len(line) <= width for line in lines)
    assert not obeyed("".join(lines))
    letters = [c for c in "".join(lines) if c.isalnum()]
    assert letters == [c for c in harmless("".join(text.split())) if c.isalnum()]


def test_paragraphs_and_line_breaks_are_kept_and_empty_lines_around_are_not() -> None:
    text = written(make_explanation("\n\n1 2\n\n\n  3\r\n4\n\n"), a_console())
    assert text == "1 2\n\n\n  3\n4\n"


def test_without_color_words_are_marked_by_signs() -> None:
    explanation = make_explanation("one two three four five odd", status=[0, 0, 0, 0, 0, 3])
    explanation = replace(explanation, relevance=np.array([[10, 4, 0.5, -1, -9, 0]], np.float32))
    expected = "[+++one] [++two] [+three] [-four] [---five] [?odd]\n"
    assert written(explanation, a_console()) == expected


def test_signs_mark_the_words_of_a_model_of_characters() -> None:
    text, values = "Red ink!", [1.0, 2.0, 3.0, 0.0, -1.0, -1.0, 0.5, 0.0]
    assert written(by_character(text, values), a_console()) == "[+++Red] [-ink]!\n"
    unread = by_character(text, values)
    unread.status[1] = Status.UNKNOWN
    assert "[?e]" in written(unread, a_console())
    colored = written(by_character(text, values), a_console("truecolor"))
    assert colored.count("\x1b[0m") == 6, "colors differ within a word"


def test_with_no_color_a_terminal_shows_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")
    text = written(make_explanation("one 2"), console)
    assert "one]" in text
    assert not re.search(r"\x1b\[[\d;]*[34]\d", text)


@every("system", SYSTEMS)
@every("light", [False, True])
def test_strong_marks_differ_by_more_than_color_and_every_step_has_its_style(system: str, light: bool) -> None:
    styles = mark_styles(a_console(system), light=light)
    for sides in (styles.supports, styles.opposes):
        assert len({str(style) for style in sides}) == 4
    assert all(style.underline and not style.italic for style in styles.supports[2:])
    assert all(style.italic and not style.underline for style in styles.opposes[2:])
    assert not any(style.underline or style.italic for style in styles.supports[:2] + styles.opposes[:2])


@pytest.mark.parametrize("system", ["truecolor", "256"])
@pytest.mark.parametrize("light", [False, True])
def test_text_is_legible_on_every_background_and_the_hue_shows_the_sign(system: str, light: bool) -> None:
    styles = mark_styles(a_console(system), light=light)
    for sign, side in ((1, styles.supports), (-1, styles.opposes)):
        for style in side:
            ink, ground = color(style.color), color(style.bgcolor)
            assert contrast(rgb(ink), rgb(ground)) >= 4.5
            assert np.sign(rgb(ground)[0] - rgb(ground)[2]) == sign
            if system == "256":
                assert style.bgcolor.downgrade(a_console("256")._color_system).get_truecolor().hex == ground


def color(given: object) -> str:
    return given.get_truecolor().hex  # type: ignore[attr-defined]


def test_more_relevant_words_have_more_contrast() -> None:
    for light in (False, True):
        paper = rgb("#ffffff" if light else "#15181d")
        styles = mark_styles(a_console("truecolor"), light=light)
        for side in (styles.supports, styles.opposes):
            steps = [contrast(rgb(color(style.bgcolor)), paper) for style in side]
            assert steps == sorted(steps)


def test_ignored_text_is_dim_and_markup_is_text() -> None:
    text = written(make_explanation("[red]a[/red] [link=x]b :smile:", status=[1] * 17), a_console("truecolor"))
    assert text == "\x1b[2m[red]a[/red] [link=x]b :smile:\x1b[0m\n"


def test_a_long_skipped_range_becomes_a_note_and_a_short_one_is_shown() -> None:
    head = "\n".join(f"X{'abcdefgh'[n]}: y" for n in range(5))
    explanation = make_explanation(f"{head}\n\nhello", status=[1] * 15 + [0])
    assert written(explanation, a_console()).startswith(
        "(5 lines ignored by the model: skipped, such as a header)\n\n["
    )
    cut = make_explanation("hello " + "word " * 100, status=[0] + [4] * 100)
    assert "(499 characters ignored by the model: truncated" in written(cut, a_console(width=200))
    short = make_explanation("From: me\n\nhello", status=[1, 1, 1, 0])
    assert written(short, a_console()).startswith("[?From: me]\n\n[")


def test_a_note_gives_the_number_of_lines_left_out() -> None:
    explanation = make_explanation("\n".join("abcdefghij"), status=[2] * 10)
    assert written(explanation, a_console(), 10) == "\n".join("abcdefghij") + "\n"
    assert written(explanation, a_console(), 9).endswith("\ni\n(1 more line; --lines all shows the whole text)\n")
    assert "(7 more lines; " in written(explanation, a_console(), 3)


def test_the_legend_names_the_class_and_only_the_marks_that_occur() -> None:
    console = a_console()
    styles = mark_styles(console)
    assert legend(make_explanation("a 1"), 0, styles).plain == (
        "Why sci.med? [+supports] [+++strongly], [-opposes] [---strongly], [?ignored]"
    )
    assert legend(make_explanation("a"), 0, styles).plain.endswith("[---strongly]")
    assert legend(make_explanation("1", targets=((0, 1),)), 0, styles).plain == (
        "Why sci.med and not sci.space? [?ignored]"
    )
    hostile = make_explanation("a", labels=("\x1b[31m[red]\n", "b"))
    assert legend(hostile, 0, styles).plain.startswith("Why ␛[31m[red]?")


def test_a_letter_of_several_characters_is_not_split() -> None:
    assert written(by_character("👩\u200d⚕\ufe0f"), a_console()) == "[+👩\u200d⚕\ufe0f]\n"


def test_wide_characters_fill_a_line_by_their_width() -> None:
    lines = written(make_explanation("医" * 50, status=[2]), a_console(width=40)).splitlines()
    assert [len(line) for line in lines] == [20, 20, 10]


def test_styles_are_values() -> None:
    assert mark_styles(a_console("truecolor")) == mark_styles(a_console("truecolor"))
    assert mark_styles(a_console()).supports == (Style(),) * 4
