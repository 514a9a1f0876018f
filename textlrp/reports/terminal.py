"""Explanations as compact tables in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from textlrp.records import Explanation, Listing, WordRelevance
from textlrp.reports.balance import balances
from textlrp.reports.marks import decimals, number, percentage


def printable(text: str) -> str:
    """Text on one line, with nothing in it that a terminal would obey or could not show."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def print_explanation(explanation: Explanation, console: Console, *, top_k: int | None = None) -> None:
    """The document's class and score, and for each target the words that speak for and against it.

    ``top_k`` words on each side: 10 with their relevance for one target, 4 for several, unless given.
    """
    console.print(_heading(explanation), soft_wrap=True)
    if not explanation.seen.any():
        console.print("the model read no word of this text; it answers from its biases", highlight=False)
    elif len(explanation.targets) == 1:
        console.print(_for_one(explanation, top_k or 10))
    else:
        console.print(_for_several(explanation, top_k or 4))
    if explanation.phrases:
        console.print(_phrases(explanation, top_k or 10))
    if len(explanation.targets) == 1:
        console.print(f"score {balances(explanation)[0].line}", style="dim", highlight=False, soft_wrap=True)
    console.print()


def print_listing(listing: Listing, console: Console) -> None:
    """A table under its title; the first column is never cut."""
    console.print(Text(listing.title, style="bold"))
    if listing.note:
        console.print(Text(listing.note, style="dim"))
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for position, heading in enumerate(listing.headings):
        table.add_column(heading, no_wrap=position == 0, overflow="fold")
    for row in listing.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)
    console.print()


def _phrases(explanation: Explanation, count: int) -> Table:
    """The winning windows with the largest relevance for the first target, and the filter that saw each."""
    row = explanation.row()
    table = _table(f"phrases for {printable(explanation.target_names[row])}", "filter")
    digits = decimals(max(abs(float(phrase.relevance[row])) for phrase in explanation.phrases))
    for phrase in sorted(explanation.phrases, key=lambda phrase: -abs(float(phrase.relevance[row])))[:count]:
        value = float(phrase.relevance[row])
        table.add_row(
            Text.assemble(
                (number(value, digits, signed=True), "red" if value > 0 else "blue"),
                f" {printable(explanation.text[phrase.start : phrase.end])}",
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
    if explanation.gold is not None:
        right = explanation.gold == explanation.labels[best]
        line.append(" (✓ its own label)" if right else f" (✗ its own label is {printable(explanation.gold)})")
    return line


def _for_one(explanation: Explanation, count: int) -> Table:
    """Words with their relevance, side by side."""
    digits = decimals(float(abs(explanation.relevance).max(initial=0)))
    name = printable(explanation.target_names[0])
    table = _table(f"for {name}", f"against {name}")
    sides = [
        [(number(word.relevance, digits, signed=True), word) for word in side]
        for side in _sides(explanation, 0, count)
    ]
    for line in range(max(map(len, sides))):
        table.add_row(
            *(
                Text.assemble((side[line][0], colour), f" {_word(side[line][1])}") if line < len(side) else ""
                for side, colour in zip(sides, ("red", "blue"), strict=True)
            )
        )
    return table


def _for_several(explanation: Explanation, count: int) -> Table:
    """One row a target: its score and its words, the strongest first."""
    table = _table("class", "score", "words for it", "words against it")
    for row, name in enumerate(explanation.target_names):
        predicted = explanation.targets[row] == explanation.predicted
        table.add_row(
            Text(printable(name), style="bold" if predicted else ""),
            Text(number(float(explanation.target_scores[row])), justify="right"),
            *(
                Text(", ".join(map(_word, side)), style=colour)
                for side, colour in zip(_sides(explanation, row, count), ("red", "blue"), strict=True)
            ),
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, no_wrap=heading in ("class", "score"), overflow="fold")
    return table


def _sides(explanation: Explanation, row: int, count: int) -> tuple[list[WordRelevance], list[WordRelevance]]:
    words = explanation.words(target=row)
    return (
        [word for word in words if word.relevance > 0][:count],
        [word for word in reversed(words) if word.relevance < 0][:count],
    )


def _word(word: WordRelevance) -> str:
    return printable(word.word) + (f" ×{word.occurrences}" if word.occurrences > 1 else "")
