"""Print the text of an explanation in a terminal: words are marked by relevance and lines wrapped to the width.

Open it to change colors, signs, the legend, or how long texts are shortened. A text can contain anything, also escape
sequences, so every string goes through :func:`harmless` before it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from unicodedata import category

import numpy as np
from rich.console import Console
from rich.containers import Lines
from rich.style import Style
from rich.text import Text

from textlrp.explanation import Explanation
from textlrp.records import Status, Tokens, target_names
from textlrp.reports.lines import grapheme_runs, lines_of, strength
from textlrp.reports.marks import REASONS, TextRun
from textlrp.reports.palette import Shades, mixed, palette
from textlrp.text.invisible import control_symbol

MAX_IGNORED = (3, 400)
"""Lines and characters up to which text that the model ignores is printed; longer text is replaced by a note."""

NO_BREAK = "\xa0"
"""The no-break space, for :class:`UnbrokenText`."""

_PLACEHOLDER = "\ue000"  # a private-use character: one column wide, and no text contains it after harmless()

_KEPT = frozenset("\t\u200c\u200d\u200e\u200f" + "".join(map(chr, range(0xE0020, 0xE0080))))
"""Not printable according to Python, but harmless: tab, joiners of letters and emoji, direction marks, flags."""


def harmless(text: str) -> str:
    """Replace every character that a terminal would interpret or cannot show; the length stays the same.

    Control characters become their symbols (␛). Characters that change the direction of the rest of the line, and
    code points that are no characters, become U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT or category(c) == "Zs" else control_symbol(c) for c in text)


class UnbrokenText(Text):
    """Text with no-break spaces, at which lines are not broken. Rich breaks lines at every white space."""

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:
        kept = self.copy()
        kept.plain = self.plain.replace(NO_BREAK, _PLACEHOLDER)
        lines = kept.wrap(console, width, **options)
        for line in lines:
            line.plain = line.plain.replace(_PLACEHOLDER, " ")
        return lines


@dataclass(frozen=True, slots=True)
class MarkStyles:
    """How marked words look: one style for each strength from 1 to 4, for words that support and that oppose a class.

    Strengths 3 and 4 are also underlined (support) or italic (oppose), so that marks differ by more than color. With
    ``signs``, for terminals without color, a mark is written out: ``[+word]``.
    """

    supports: tuple[Style, ...]
    opposes: tuple[Style, ...]
    ignored: Style
    signs: bool = False

    def mark(self, text: str, share: int) -> Text:
        """A word that supports (``share`` above 0) or opposes the class; ``share`` is in percent, -100 to 100."""
        step = strength(share)
        style = (self.supports if share > 0 else self.opposes)[step - 1]
        sign = ("+" if share > 0 else "-") * max(1, step - 1)
        return Text(f"[{sign}{text}]" if self.signs else text, style)

    def mark_ignored(self, text: str) -> Text:
        """Text that the model ignores."""
        return Text(f"[?{text}]" if self.signs else text, self.ignored)


def mark_styles(console: Console, *, light: bool = False) -> MarkStyles:
    """Choose the best styles that a terminal can show; ``light``: its background is light."""
    dim = Style(dim=True)
    if console.no_color or console.color_system is None:
        return MarkStyles((Style(),) * 4, (Style(),) * 4, dim, signs=True)
    if console.color_system == "truecolor":
        shades = palette("red-blue").light if light else palette("red-blue").dark
        return MarkStyles(
            _on_background(_blended(shades.supports, shades), shades.ink, Style(underline=True)),
            _on_background(_blended(shades.opposes, shades), shades.ink, Style(italic=True)),
            dim,
        )
    if console.color_system == "256":
        ink, reds, blues = _CUBE_LIGHT if light else _CUBE_DARK
        return MarkStyles(
            _on_background(reds, ink, Style(underline=True)),
            _on_background(blues, ink, Style(italic=True)),
            dim,
        )
    return MarkStyles(_sixteen("red", "underline"), _sixteen("blue", "italic"), dim)


# chosen from the colors of 256-color terminals; the nearest ones to the dark palette would be brown and green
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


def _blended(color: str, shades: Shades) -> tuple[str, ...]:
    return tuple(mixed(color, shades.paper, percent) for percent in (25, 45, 70, 100))


def _on_background(colors: Sequence[str], ink: str, strong: Style) -> tuple[Style, ...]:
    plain = tuple(Style(color=ink, bgcolor=color) for color in colors)
    return (*plain[:2], *(style + strong for style in plain[2:]))


def _sixteen(color: str, strong: str) -> tuple[Style, ...]:
    text = "bright_blue" if color == "blue" else color  # plain blue on black is illegible
    styles = (text, f"bold {text}", f"bold {strong} {text}", f"bold {strong} bright_white on {color}")
    return tuple(map(Style.parse, styles))


def legend(explanation: Explanation, row: int, styles: MarkStyles) -> Text:
    """The class that is explained, and what the marks mean; kinds of marks that do not occur are left out."""
    line = Text.assemble(*_question(explanation, row))
    one, *other = _shown_names(explanation, row)
    if explanation.seen.any():
        for before, text, share in (
            (" ", f"supports {one}" if other else "supports", 20),
            (" ", "strongly", 100),
            (", ", f"supports {other[0]}" if other else "opposes", -20),
            (" ", "strongly", -100),
        ):
            line.append(before).append_text(styles.mark(text, share))
    if not explanation.seen.all():
        line.append(", " if explanation.seen.any() else " ").append_text(styles.mark_ignored("ignored"))
    return line


def _question(explanation: Explanation, row: int) -> list[str | tuple[str, str]]:
    """``Why A?`` or, for a contrast, ``Why A and not B?``, as styled parts."""
    one, *other = _shown_names(explanation, row)
    return ["Why ", (one, "bold"), *(part for name in other for part in (" and not ", (name, "bold"))), "?"]


def _shown_names(explanation: Explanation, row: int) -> list[str]:
    """The result of :func:`names_of`, each name on one line."""
    return [harmless(" ".join(name.split())) for name in names_of(explanation, row)]


def names_of(explanation: Explanation, row: int) -> tuple[str, ...]:
    """The class of one target; for a contrast, its two classes."""
    target = explanation.targets[row]
    return target_names(explanation.labels, target if isinstance(target, tuple) else (target,))


def print_text(
    explanation: Explanation, row: int, console: Console, styles: MarkStyles, *, max_lines: int | None = None
) -> None:
    """Print the text with the marks of one target. After ``max_lines`` a note gives the number of lines left out."""
    lines = _wrapped(explanation, row, console, styles)
    for line in islice(lines, max_lines):
        line.rstrip()
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    if rest := sum(1 for _ in lines):
        note = f"({rest:,} more line{'s' if rest > 1 else ''}; --lines all shows the whole text)"
        console.print(Text(note, "dim"))


def _wrapped(explanation: Explanation, row: int, console: Console, styles: MarkStyles) -> Iterator[Text]:
    """The lines of the marked text, wrapped to the width, without blank lines at its beginning and end."""
    if styles.signs:
        explanation = _word_by_word(explanation)
    shown = [_shortened(run) for run in grapheme_runs(explanation, row)]
    blank: list[Text] | None = None  # blank lines are kept back until a line with text follows; None before the first
    for line in lines_of(shown):
        marked = Text(tab_size=8)
        for run in line:
            marked.append_text(_styled(run, styles))
        if not marked.plain.strip():
            if blank is not None:
                blank.append(Text())
            continue
        yield from blank or ()
        blank = []
        yield from marked.wrap(console, console.width)


def _word_by_word(explanation: Explanation) -> Explanation:
    """Join the characters of each word that a model of characters reads, and sum their relevance.

    Colors can be different within a word, but a sign at each letter would make it illegible.
    """
    tokens, seen = explanation.tokens, explanation.seen
    _, word_of = tokens.words()
    joined = (word_of[1:] == word_of[:-1]) & (tokens.spans[1:, 0] == tokens.spans[:-1, 1]) & seen[1:] & seen[:-1]
    if not joined.any():
        return explanation
    first = np.flatnonzero(np.append(True, ~joined))
    last = np.append(first[1:], len(tokens)) - 1
    spans = np.stack([tokens.spans[first, 0], tokens.spans[last, 1]], axis=1)
    forms = tuple(tokens.text[start:end] for start, end in spans.tolist())
    return replace(
        explanation,
        tokens=Tokens(tokens.text, spans, forms),
        relevance=np.add.reduceat(explanation.relevance, first, axis=1),
        status=explanation.status[first],
        counts=explanation.counts[first],
        pieces=None,
    )


def _shortened(run: TextRun) -> TextRun:
    """Replace a long skipped or truncated range by a note with its size; an empty ``title`` marks the note."""
    if run.status not in (Status.SKIPPED, Status.TRUNCATED):
        return run
    lines, characters = len(run.text.splitlines()), len(run.text)
    if lines <= MAX_IGNORED[0] and characters <= MAX_IGNORED[1]:
        return run
    size = f"{lines:,} lines" if lines > MAX_IGNORED[0] else f"{characters:,} characters"
    return run._replace(text=f"({size} {REASONS[run.status]})", title="")


def _styled(run: TextRun, styles: MarkStyles) -> Text:
    text = harmless(run.text)
    if run.shares:
        return styles.mark(text, run.shares[0][1])
    if run.status is None:
        return Text(text)
    if run.status == Status.NOT_A_WORD or not run.title:
        return Text(text, styles.ignored)
    return styles.mark_ignored(text)
