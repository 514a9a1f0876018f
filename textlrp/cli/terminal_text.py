"""An explained text in a terminal: its own words, marked, wrapped to the width.

A text may hold anything, and nothing in it may drive the terminal: see :func:`harmless`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from unicodedata import category

from rich.console import Console
from rich.style import Style
from rich.text import Text

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.lines import lines_of, strength, whole_letters
from textlrp.reports.marks import REASONS, TextRun
from textlrp.reports.palette import Shades, mixed, palette
from textlrp.text.invisible import control_symbol

LONGEST_UNREAD = (3, 400)
"""Lines, and characters, above which a skipped range and what was cut off are only told of."""

_KEPT = frozenset("\t\u200c\u200d\u200e\u200f" + "".join(map(chr, range(0xE0020, 0xE0080))))
"""Not printable in Python's eyes, but harmless: a tab, joiners of letters and emoji, plain direction marks, flags."""


def harmless(text: str) -> str:
    """The text with nothing in it that a terminal would obey or could not show, character for character.

    Control characters become their symbols (␛). What would turn the direction of the rest of the line, and what is
    no character at all, becomes U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT or category(c) == "Zs" else control_symbol(c) for c in text)


@dataclass(frozen=True, slots=True)
class Look:
    """What marks look like: a style for each strength, 1 to 4, and whether signs stand around the words.

    Strong marks differ by more than their color; where there is none, all marks are signs: ``[+word]``.
    """

    speaks_for: tuple[Style, ...]
    speaks_against: tuple[Style, ...]
    ignored: Style
    signs: bool = False

    def mark(self, text: str, share: int) -> Text:
        """A word that speaks for (``share`` above 0) or against."""
        step = strength(share)
        style = (self.speaks_for if share > 0 else self.speaks_against)[step - 1]
        sign = ("+" if share > 0 else "-") * max(1, step - 1)
        return Text(f"[{sign}{text}]" if self.signs else text, style)

    def left(self, text: str) -> Text:
        """Words that were not read."""
        return Text(f"[?{text}]" if self.signs else text, self.ignored)


def look_of(console: Console, *, light: bool = False) -> Look:
    """The best that a terminal can show, on a dark ground unless it is ``light``; signs where it shows no color."""
    dim = Style(dim=True)
    if console.no_color or console.color_system is None:
        return Look((Style(),) * 4, (Style(),) * 4, dim, signs=True)
    if console.color_system == "truecolor":
        shades = palette("red-blue").light if light else palette("red-blue").dark
        return Look(
            _grounds(_blends(shades.speaks_for, shades), shades.ink, Style(underline=True)),
            _grounds(_blends(shades.speaks_against, shades), shades.ink, Style(italic=True)),
            dim,
        )
    if console.color_system == "256":
        ink, reds, blues = _CUBE_LIGHT if light else _CUBE_DARK
        return Look(
            _grounds(reds, ink, Style(underline=True)),
            _grounds(blues, ink, Style(italic=True)),
            dim,
        )
    return Look(_sixteen("red", "underline"), _sixteen("blue", "italic"), dim)


# colors that a terminal of 256 has; the nearest ones to the palette's dark blends would be brown and green
_CUBE_LIGHT = (
    "#000000",
    ("#ffd7d7", "#ffafaf", "#ff8787", "#ff5f5f"),
    ("#d7d7ff", "#afd7ff", "#87afff", "#5f87ff"),
)
_CUBE_DARK = (
    "#ffffff",
    ("#5f0000", "#870000", "#af0000", "#d70000"),
    ("#00005f", "#000087", "#005faf", "#005fd7"),
)


def _blends(color: str, shades: Shades) -> tuple[str, ...]:
    return tuple(mixed(color, shades.paper, percent) for percent in (25, 45, 70, 100))


def _grounds(colors: Sequence[str], ink: str, strong: Style) -> tuple[Style, ...]:
    plain = tuple(Style(color=ink, bgcolor=color) for color in colors)
    return (*plain[:2], *(style + strong for style in plain[2:]))


def _sixteen(color: str, strong: str) -> tuple[Style, ...]:
    text = "bright_blue" if color == "blue" else color  # plain blue on black cannot be read
    styles = (text, f"bold {text}", f"bold {strong} {text}", f"bold {strong} bright_white on {color}")
    return tuple(map(Style.parse, styles))


def legend(explanation: Explanation, row: int, look: Look) -> Text:
    """Which class is explained, and how to read the marks."""
    line = Text.assemble("Why ", (harmless(" ".join(explanation.target_names[row].split())), "bold"), "?")
    if explanation.seen.any():
        for ending, text, share in (
            (" ", "for", 20),
            (" ", "strongly", 100),
            (", ", "against", -20),
            (" ", "strongly", -100),
        ):
            line.append(ending).append_text(look.mark(text, share))
    if not explanation.seen.all():
        line.append(", " if explanation.seen.any() else " ").append_text(look.left("not read"))
    return line


def print_text(explanation: Explanation, row: int, console: Console, look: Look, *, most: int | None = None) -> None:
    """The text marked for one target, ``most`` lines of it; it says what it leaves out."""
    pieces = _wrapped(explanation, row, console, look)
    for piece in islice(pieces, most):
        piece.rstrip()
        console.print(piece, no_wrap=True, overflow="ignore", crop=False)
    if rest := sum(1 for _ in pieces):
        note = f"({rest:,} more line{'s' if rest > 1 else ''} of this text; --lines all shows the whole)"
        console.print(Text(note, "dim"))


def _wrapped(explanation: Explanation, row: int, console: Console, look: Look) -> Iterator[Text]:
    told = [_summarized_if_long(run) for run in whole_letters(explanation, row)]
    blank: list[Text] | None = None  # lines that wait for one with words on it; none do before the first
    for line in lines_of(told):
        marked = Text(tab_size=8)
        for run in line:
            marked.append_text(_styled(run, look))
        if not marked.plain.strip():
            if blank is not None:
                blank.append(Text())
            continue
        yield from blank or ()
        blank = []
        yield from marked.wrap(console, console.width)


def _summarized_if_long(run: TextRun) -> TextRun:
    """A long stretch that the model was not given, as a note; a note has no title."""
    if run.status not in (Status.SKIPPED, Status.TRUNCATED):
        return run
    lines, characters = len(run.text.splitlines()), len(run.text)
    if lines <= LONGEST_UNREAD[0] and characters <= LONGEST_UNREAD[1]:
        return run
    size = f"{lines:,} lines" if lines > LONGEST_UNREAD[0] else f"{characters:,} characters"
    return run._replace(text=f"({size} {REASONS[run.status]})", title="")


def _styled(run: TextRun, look: Look) -> Text:
    text = harmless(run.text)
    if run.shares:
        return look.mark(text, run.shares[0][1])
    if run.status is None:
        return Text(text)
    if run.status == Status.NOT_A_WORD or not run.title:
        return Text(text, look.ignored)
    return look.left(text)
