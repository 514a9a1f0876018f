"""The runs of a text line by line, for forms that have no way to keep a text's own white space."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from textlrp.explanation import Explanation
from textlrp.reports.marks import STRONG, TextRun, runs

_STEPS = (15, STRONG, 65)
_JOINER = "\u200d"


def strength(share: int) -> int:
    """How strongly a mark of this share (percent) shows: 1 to 4; 3 and 4 are strong."""
    return 1 + sum(abs(share) >= step for step in _STEPS)


def whole_letters(explanation: Explanation, row: int) -> list[TextRun]:
    """The runs of a text for one target; none begins inside what people see as one letter.

    A model of characters may give an emoji's parts, or a letter and its accent, different relevance. Cut there,
    a terminal would draw neither; so the first part's mark covers all of them.
    """
    found: list[TextRun] = []
    for run in runs(explanation, (row,)):
        head = _within_letter(found[-1].text[-1], run.text) if found else 0
        if head:
            found[-1] = found[-1]._replace(text=found[-1].text + run.text[:head])
        if head < len(run.text):
            found.append(run._replace(text=run.text[head:]))
    return found


def lines_of(text_runs: Sequence[TextRun]) -> Iterator[list[TextRun]]:
    """The runs of each line: joined they are ``text.splitlines()``, so every kind of line break counts."""
    text = "".join(run.text for run in text_runs)
    position, begin, end = 0, 0, len(text_runs[0].text) if text_runs else 0
    start = 0
    for line, with_break in zip(text.splitlines(), text.splitlines(keepends=True), strict=True):
        stop, found = start + len(line), []
        while True:
            run = text_runs[position]
            piece = run.text[max(start - begin, 0) : max(stop - begin, 0)]
            if piece:
                found.append(run._replace(text=piece))
            if end > stop or position + 1 == len(text_runs):
                break
            position, begin = position + 1, end
            end += len(text_runs[position].text)
        yield found
        start += len(with_break)


def _within_letter(before: str, text: str) -> int:
    """How many characters at the start of ``text`` belong to the letter that ``before`` is the last part of."""
    for position, character in enumerate(text):
        if before != _JOINER and not _extends(character):
            return position
        before = character
    return len(text)


def _extends(character: str) -> bool:
    """Whether this character changes the one before: an accent, a vowel sign, a joiner, a skin tone."""
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or character == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )
