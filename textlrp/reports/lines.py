"""Split the runs of a text into lines, for the mail fragment and the terminal, which show each line by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textlrp.explanation import Explanation
from textlrp.reports.marks import STRONG_FROM, TextRun, runs
from textlrp.text.clusters import continues

_STEPS = (15, STRONG_FROM, 65)


def strength(share: int) -> int:
    """Return the strength of a mark, 1 to 4, from its share in percent; 3 and 4 are strong."""
    return 1 + sum(abs(share) >= step for step in _STEPS)


def grapheme_runs(explanation: Explanation, row: int) -> list[TextRun]:
    """Return the runs of a text for one target, none of which begins inside a grapheme cluster.

    A grapheme cluster is what a reader sees as one character: a letter and its accent, or a composed emoji. A
    character-level model may give its parts different relevance, but a terminal cannot draw the parts separately. The
    mark of the first part therefore covers the whole cluster.
    """
    found: list[TextRun] = []
    for run in runs(explanation, (row,)):
        head = _continuation(found[-1].text[-1], run.text) if found else 0
        if head:
            found[-1] = found[-1]._replace(text=found[-1].text + run.text[:head])
        if head < len(run.text):
            found.append(run._replace(text=run.text[head:]))
    return found


def lines_of(text_runs: Sequence[TextRun]) -> Iterator[list[TextRun]]:
    """Split the runs into lines. Joined, each line is one of ``text.splitlines()``, so all line breaks count."""
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


def _continuation(before: str, text: str) -> int:
    """Count the characters at the start of ``text`` that belong to the grapheme cluster of ``before``."""
    for position, character in enumerate(text):
        if not continues(before, character):
            return position
        before = character
    return len(text)
