"""Print explanations and tables in a terminal, as wide and as light as it is."""

from __future__ import annotations

from collections.abc import Mapping
from unicodedata import bidirectional

from rich.console import Console
from rich.table import Table
from rich.text import Text

from textlrp.cli.terminal_text import harmless, legend, look_of, print_text
from textlrp.errors import OptionError
from textlrp.explanation import Explanation
from textlrp.records import Listing
from textlrp.relevant_words import WordRelevance
from textlrp.reports.balance import score_breakdowns
from textlrp.reports.numbers import decimals, number, percentage

NARROW = 70
"""Columns below which the classes of several targets do not stand in a table."""


def printable(text: str) -> str:
    """Text on one line, with nothing in it that a terminal would obey or could not show."""
    return harmless(" ".join(text.split()))


def print_explanation(
    explanation: Explanation,
    console: Console,
    *,
    top_k: int | None = None,
    lines: int | None = None,
    light: bool = False,
) -> None:
    """The document's class and score, its text with marks, and the words that speak for and against each target.

    With several targets the marks are those of :meth:`Explanation.row`, the predicted class where it was explained.
    ``top_k`` words on each side: 10 with their relevance for one target, 4 for several, unless given.
    ``lines`` of the text at most, all unless given, 0 for none. ``light`` suits a terminal with a light ground.
    """
    row = explanation.row()
    console.print(_heading(explanation), soft_wrap=True)
    if lines != 0 and explanation.text.strip():
        look = look_of(console, light=light)
        console.print(legend(explanation, row, look))
        console.print()
        print_text(explanation, row, console, look, most=lines)
        console.print()
    if not explanation.seen.any():
        console.print("the model read no word of this text; it answers from its biases", highlight=False)
    elif len(explanation.targets) == 1:
        console.print(_for_one(explanation, top_k or 10))
    elif console.width < NARROW:
        console.print(_one_below_the_other(explanation, top_k or 4))
    else:
        console.print(_for_several(explanation, top_k or 4))
    if explanation.phrases:
        console.print(_phrase_table(explanation, top_k or 10))
    for note in _notes(explanation):
        console.print(note)
    console.print(_conservation(explanation, row))
    console.print()


def _notes(explanation: Explanation) -> list[Text]:
    """Every note once; one that concerns some of several targets follows their names."""
    found: list[str] = list(explanation.notes)
    targets_of: dict[str, list[str]] = {}
    for name, note in zip(explanation.target_names, explanation.target_notes, strict=False):
        if note:
            targets_of.setdefault(note, []).append(name)
    for note, names in targets_of.items():
        found.append(f"{', '.join(names)}: {note}" if len(explanation.targets) > 1 else note)
    return [Text.assemble(("note: ", "bold"), printable(note)) for note in found]


def _conservation(explanation: Explanation, row: int) -> Text:
    """Where the score went, of one target."""
    what = "difference of the scores" if isinstance(explanation.targets[row], tuple) else "score"
    of = f" of {printable(explanation.target_names[row])}" if len(explanation.targets) > 1 else ""
    return Text(f"{what}{of} {score_breakdowns(explanation)[row].line}", style="dim")


def print_listing(listing: Listing, console: Console) -> None:
    """A table under its title; the first column is never cut."""
    console.print(Text(listing.title, style="bold"))
    if listing.note:
        console.print(Text(listing.note, style="dim"))
    if not listing.rows:
        console.print()
        return
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for position, heading in enumerate(listing.headings):
        table.add_column(heading, no_wrap=position == 0, overflow="fold")
    for row in listing.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)
    console.print()


def _phrase_table(explanation: Explanation, count: int) -> Table:
    """The winning windows with the largest relevance for the first target, and the filter that saw each."""
    row = explanation.row()
    table = _empty_table(f"phrases for {printable(explanation.target_names[row])}", "filter")
    digits = decimals(max(abs(float(phrase.relevance[row])) for phrase in explanation.phrases))
    for phrase in sorted(explanation.phrases, key=lambda phrase: -abs(float(phrase.relevance[row])))[:count]:
        value = float(phrase.relevance[row])
        table.add_row(
            Text.assemble(
                (number(value, digits, signed=True), "red" if value > 0 else "blue"),
                f" {_closed(printable(explanation.text[phrase.start : phrase.end]))}",
            ),
            Text(f"{phrase.step} {phrase.filter}", style="dim"),
        )
    return table


def _heading(explanation: Explanation) -> Text:
    best = explanation.predicted
    line = Text.assemble(
        (printable(explanation.document_id), "bold"),
        f": {printable(explanation.labels[best])}, score {number(float(explanation.scores[best]))}",
    )
    if explanation.probabilities is not None:
        line.append(f", probability {percentage(float(explanation.probabilities[best]))}")
    if explanation.true_label is not None:
        right = explanation.true_label == explanation.labels[best]
        if explanation.true_label not in explanation.labels:
            line.append(f" (true label {printable(explanation.true_label)}, which is not a class of the model)")
            return line
        line.append(" (✓ its own label)" if right else f" (✗ its own label is {printable(explanation.true_label)})")
    return line


def _for_one(explanation: Explanation, count: int) -> Table:
    """Words with their relevance, side by side."""
    digits = decimals(float(abs(explanation.relevance).max(initial=0)))
    name = printable(explanation.target_names[0])
    table = _empty_table(f"for {name}", f"against {name}")
    sides = [
        [(number(word.relevance, digits, signed=True), word) for word in side]
        for side in _sides(explanation, 0, count)
    ]
    for line in range(max(map(len, sides))):
        table.add_row(
            *(
                Text.assemble((side[line][0], color), f" {_word(side[line][1])}") if line < len(side) else ""
                for side, color in zip(sides, ("red", "blue"), strict=True)
            )
        )
    return table


def _for_several(explanation: Explanation, count: int) -> Table:
    """One row a target: its score and its words, the strongest first."""
    table = _empty_table("class", "score", "words for it", "words against it")
    for row, name in enumerate(explanation.target_names):
        predicted = explanation.targets[row] == explanation.predicted
        table.add_row(
            Text(printable(name), style="bold" if predicted else ""),
            Text(number(float(explanation.target_scores[row])), justify="right"),
            *(
                Text(", ".join(map(_word, side)), style=color)
                for side, color in zip(_sides(explanation, row, count), ("red", "blue"), strict=True)
            ),
        )
    return table


def _one_below_the_other(explanation: Explanation, count: int) -> Text:
    """What :func:`_for_several` shows, on lines of their own."""
    lines = Text()
    for row, name in enumerate(explanation.target_names):
        bold = "bold" if explanation.targets[row] == explanation.predicted else ""
        lines.append(f"{printable(name)} {number(float(explanation.target_scores[row]))}\n", bold)
        speaks_for, speaks_against = (", ".join(map(_word, side)) for side in _sides(explanation, row, count))
        for sign, words, color in (("+", speaks_for, "red"), ("−", speaks_against, "blue")):
            if words:
                lines.append(f"{sign} {words}\n", color)
    lines.rstrip()
    return lines


def _empty_table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, no_wrap=heading in ("class", "score"), overflow="fold")
    return table


def _sides(explanation: Explanation, row: int, count: int) -> tuple[list[WordRelevance], list[WordRelevance]]:
    words = explanation.words(target=row)
    return (
        [word for word in words if word.relevance > 0][:count],
        sorted((word for word in words if word.relevance < 0), key=lambda word: (word.relevance, word.word))[:count],
    )


def _word(word: WordRelevance) -> str:
    return _closed(printable(word.word)) + (f" ×{word.occurrences}" if word.occurrences > 1 else "")


def _closed(text: str) -> str:
    """A word of a script from right to left with a mark after it: the number that follows stays where it is."""
    return text + "\u200e" if any(bidirectional(c) in ("R", "AL") for c in text) else text


LINES = 40
"""Lines of a text that a terminal shows unless more are asked for."""


def lines_asked(lines: str | None, console: Console) -> int | None:
    """The most lines of a text to show, None for all; raises :class:`OptionError` for what is no number."""
    if lines is None:
        return LINES if console.is_terminal else None
    if lines == "all":
        return None
    if lines.isdecimal():
        return int(lines)
    raise OptionError(f"--lines {lines!r} is no number of lines; give one, 0 for no text, or all.")


def light_terminal(environment: Mapping[str, str]) -> bool:
    """Whether the terminal says that its ground is light: the last part of ``$COLORFGBG`` is 7 or 15."""
    return environment.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
