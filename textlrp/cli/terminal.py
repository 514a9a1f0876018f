"""Print an explanation in a terminal, fitted to its width and background.

Open it to change what ``textlrp explain`` prints: the heading, the word tables, the notes, the score breakdown. The
marked text itself is printed by :mod:`textlrp.cli.terminal_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from unicodedata import bidirectional

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from textlrp.cli.terminal_text import NO_BREAK, UnbrokenText, harmless, legend, mark_styles, names_of, print_text
from textlrp.errors import OptionError
from textlrp.explanation import Explanation
from textlrp.relevant_words import WordRelevance
from textlrp.reports.balance import ScoreBreakdown, score_breakdowns
from textlrp.reports.class_rows import probability_of
from textlrp.reports.numbers import decimals, is_zero, number
from textlrp.reports.outcomes import label_set_sentence
from textlrp.reports.view_titles import quantity_of

NARROW = 70
"""Width in columns below which several targets are listed below each other instead of in a table."""


def printable(text: str) -> str:
    """Join the text to one line and replace what a terminal would interpret or cannot show."""
    return harmless(" ".join(text.split()))


def print_explanation(
    explanation: Explanation,
    console: Console,
    *,
    top_k: int | None = None,
    lines: int | None = None,
    light: bool = False,
) -> None:
    """Print the predicted class, the marked text, the words of each target, and the score breakdown.

    The marks and the breakdown are those of :meth:`Explanation.row`: the predicted class if it was explained.
    ``top_k`` is the number of words on each side (default: 10 for one target, 4 for several), ``lines`` the maximum
    number of text lines (default: all; 0: no text). ``light`` selects colors for a light background.
    """
    row = explanation.row()
    console.print(_heading(explanation), soft_wrap=True)
    if lines != 0 and explanation.text.strip():
        styles = mark_styles(console, light=light)
        console.print(legend(explanation, row, styles))
        console.print()
        print_text(explanation, row, console, styles, max_lines=lines)
        console.print()
    if not explanation.seen.any():
        console.print("The model ignores all words of this text. The score comes from biases alone.", highlight=False)
    elif len(explanation.targets) == 1:
        console.print(_word_table(explanation, top_k or 10))
    elif console.width < NARROW:
        console.print(_target_lines(explanation, top_k or 4))
    else:
        console.print(_target_table(explanation, top_k or 4))
    if explanation.phrases:
        console.print(_phrase_table(explanation, top_k or 10))
    breakdown = score_breakdowns(explanation)[row]
    for note in _notes(explanation, breakdown):
        console.print(note)
    console.print(_score_breakdown(explanation, row, breakdown))
    console.print()


def _notes(explanation: Explanation, breakdown: ScoreBreakdown) -> list[Text]:
    """Each note and remark once; a note about some of several targets begins with their names."""
    found: list[str] = list(explanation.notes)
    targets_of: dict[str, list[str]] = {}
    for name, note in zip(explanation.target_names, explanation.target_notes, strict=False):
        if note:
            targets_of.setdefault(note, []).append(name)
    for note, names in targets_of.items():
        found.append(f"{', '.join(names)}: {note}" if len(explanation.targets) > 1 else note)
    return [Text.assemble(("note: ", "bold"), printable(note)) for note in (*found, *breakdown.remarks)]


def _score_breakdown(explanation: Explanation, row: int, breakdown: ScoreBreakdown) -> Text:
    """``score = relevance of words + what was absorbed`` of one target; for a contrast, of the score difference."""
    names = " − ".join(map(printable, names_of(explanation, row)))
    what = "score breakdown" if len(explanation.targets) == 1 else f"score breakdown ({names})"
    if isinstance(explanation.targets[row], tuple):
        what = f"score difference {names}"
    return Text(f"{what}: {breakdown.line}", style="dim")


def _phrase_table(explanation: Explanation, count: int) -> Table:
    """The winning windows with the largest relevance for the target of :meth:`Explanation.row`, and their filters."""
    row = explanation.row()
    table = _new_table(
        f"phrases (n-grams) for {' and not '.join(map(printable, names_of(explanation, row)))}", "filter"
    )
    digits = decimals(max(abs(float(phrase.relevance[row])) for phrase in explanation.phrases))
    for phrase in sorted(explanation.phrases, key=lambda phrase: -abs(float(phrase.relevance[row])))[:count]:
        value = float(phrase.relevance[row])
        table.add_row(
            Text.assemble(
                (number(value, digits, signed=True), "red" if value > 0 else "blue"),
                f" {_with_direction_mark(printable(explanation.text[phrase.start : phrase.end]))}",
            ),
            Text(f"{phrase.step} {phrase.filter}", style="dim"),
        )
    return table


def _heading(explanation: Explanation) -> Text:
    """Document, predicted class, score, probability if the model has one, and the true label if it is known."""
    if explanation.thresholds is not None:
        found = label_set_sentence(explanation, _score_digits(explanation))
        return Text.assemble((printable(explanation.document_id), "bold"), f": {printable(found)}")
    best = explanation.predicted
    score = number(float(explanation.scores[best]), _score_digits(explanation))
    line = Text.assemble(
        (printable(explanation.document_id), "bold"),
        f": predicted class {printable(explanation.labels[best])}, {quantity_of(explanation)} {score}",
    )
    probability = probability_of(explanation, best)
    if probability is not None:
        line.append(f", probability {probability}")
    if explanation.true_label is not None:
        true_label = printable(explanation.true_label)
        if explanation.true_label not in explanation.labels:
            line.append(f" (true label: {true_label}, not a class of the model)")
        elif explanation.true_label == explanation.labels[best]:
            line.append(" (✓ correct)")
        else:
            line.append(f" (✗ incorrect, true label: {true_label})")
    return line


def _score_digits(explanation: Explanation) -> int:
    """The number of decimals of all scores of an explanation, as on pages."""
    return decimals(float(abs(explanation.scores).max()))


def _heads(explanation: Explanation) -> tuple[str, str]:
    """The heads of the two columns of words, for an explanation of one target."""
    one, *other = map(printable, names_of(explanation, 0))
    if not other:
        return f"supports {one}", f"opposes {one}"
    # in a contrast of A and B, a word with negative relevance supports B more than A
    return f"supports {one}", f"supports {other[0]}"


def _word_table(explanation: Explanation, count: int) -> Table:
    """The words of one target with their relevance: supporting words on the left, opposing words on the right."""
    digits = decimals(float(abs(explanation.relevance).max(initial=0)))
    table = _new_table(*_heads(explanation))
    sides = [
        [(value, word) for word in side if not is_zero(value := number(word.relevance, digits, signed=True))]
        for side in _sides(explanation, 0, count)
    ]
    for line in range(max(map(len, sides))):
        table.add_row(
            *(
                UnbrokenText.assemble((side[line][0], color), f" {_word(side[line][1])}") if line < len(side) else ""
                for side, color in zip(sides, ("red", "blue"), strict=True)
            )
        )
    return table


def _target_table(explanation: Explanation, count: int) -> Table:
    """One row per target: its score and its words, most relevant first; the predicted class is bold."""
    table, digits = (
        _new_table("class", "score", "supports the class", "opposes the class"),
        _score_digits(explanation),
    )
    chosen = explanation.predicted_positions
    for row, name in enumerate(explanation.target_names):
        predicted = explanation.targets[row] in chosen
        table.add_row(
            Text(printable(name), style="bold" if predicted else ""),
            Text(number(float(explanation.target_scores[row]), digits), justify="right"),
            *(
                UnbrokenText(", ".join(map(_word, side)), style=color)
                for side, color in zip(_sides(explanation, row, count), ("red", "blue"), strict=True)
            ),
        )
    return table


def _target_lines(explanation: Explanation, count: int) -> Group:
    """The content of :func:`_target_table` on separate lines, for a narrow terminal."""
    lines, digits = UnbrokenText(), _score_digits(explanation)
    chosen = explanation.predicted_positions
    for row, name in enumerate(explanation.target_names):
        bold = "bold" if explanation.targets[row] in chosen else ""
        lines.append(f"{printable(name)} {number(float(explanation.target_scores[row]), digits)}\n", bold)
        supports, opposes = (", ".join(map(_word, side)) for side in _sides(explanation, row, count))
        for sign, words, color in (("+", supports, "red"), ("−", opposes, "blue")):
            if words:
                lines.append(f"{sign} {words}\n", color)
    lines.rstrip()
    return Group(lines)  # console.print would join a bare text to one that breaks at all spaces


def _new_table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, no_wrap=heading in ("class", "score"), overflow="fold")
    return table


def _sides(explanation: Explanation, row: int, count: int) -> tuple[list[WordRelevance], list[WordRelevance]]:
    """The ``count`` words that support a target most, and the ``count`` words that oppose it most."""
    words = explanation.words(target=row)
    return (
        [word for word in words if word.relevance > 0][:count],
        sorted((word for word in words if word.relevance < 0), key=lambda word: (word.relevance, word.word))[:count],
    )


def _word(word: WordRelevance) -> str:
    return _with_direction_mark(printable(word.word)) + (
        f"{NO_BREAK}×{word.occurrences}" if word.occurrences > 1 else ""
    )


def _with_direction_mark(text: str) -> str:
    """Append a left-to-right mark to a word of a right-to-left script, so that a number after it stays in place."""
    return text + "\u200e" if any(bidirectional(c) in ("R", "AL") for c in text) else text


DEFAULT_LINES = 40
"""Maximum number of lines of a text in a terminal, unless ``--lines`` is given."""


def parse_lines(lines: str | None, console: Console) -> int | None:
    """Parse ``--lines``: the maximum number of lines of a text, or None for all; raises :class:`OptionError`."""
    if lines is None:
        return DEFAULT_LINES if console.is_terminal else None
    if lines == "all":
        return None
    if lines.isdecimal():
        return int(lines)
    raise OptionError(f"--lines must be a number of lines or 'all'; got {lines!r}. Pass 0 to show no text.")


def is_light_terminal(environment: Mapping[str, str]) -> bool:
    """Whether the background is light: then the last part of ``$COLORFGBG`` is 7 or 15 (white)."""
    return environment.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
