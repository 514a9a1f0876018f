"""Two models, rules or methods on the same documents, with the words they disagree on most.

A word's weight is its relevance over the sum of all |relevance| of its document: sides of different scale compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from textlrp.errors import DataError
from textlrp.explanation import Explanation
from textlrp.reports.balance import Fact
from textlrp.reports.comparison.agreement import AlignedWords, aligned, correlation_text, overlap_text
from textlrp.reports.comparison.disagreement import Tally, count_words, words_of_all, words_of_document
from textlrp.reports.comparison.passages import runs_in_passage, shared_passage
from textlrp.reports.marks import TextRun
from textlrp.reports.naming import name_of
from textlrp.reports.numbers import number, percentage
from textlrp.reports.palette import Palette
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, today, write_page
from textlrp.reports.view import DocumentView, view
from textlrp.reports.view_titles import rule_and_start

WHOLE_TEXT = 2000
"""Characters of a text that is shown whole."""

PASSAGE_LENGTH = 1600
"""Characters shown of a longer one: a hundred documents of any length stay a page that opens at once."""

Pair = tuple[Explanation, Explanation]


class ComparedSide(NamedTuple):
    """What is compared: its heading on the page, and everything about it."""

    heading: str
    name: str
    model: str
    how: str
    printed: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What is kept of a pair once its part of the page is written."""

    item: Markup
    distance: float
    correlation: float | None
    overlap: float | None
    alike: bool
    right: tuple[bool, bool] | None


def comparison_page(
    pairs: Iterable[Pair],
    path: str | Path | None = None,
    *,
    names: tuple[str, str] | None = None,
    about: str = "",
    title: str | None = None,
    palette: str = "red-blue",
    force: bool = False,
) -> str:
    """Pairs of explanations of one document each, the most different first; written to ``path`` too if given.

    Each explanation has one target. ``names`` are those of the models (else their fingerprints), ``about`` a sentence
    on which class is explained. The pairs are read one at a time; their finished parts are kept, they are not.
    Raises :class:`DataError` if there is no pair, if the texts of one differ, if a side has several targets or
    changes its model, rule or method on the way, or if ``path`` cannot be written; :class:`OptionError` for an
    unknown palette.
    """
    colors = palette_of(palette)
    done: list[Compared] = []
    tallies: dict[str, Tally] = {}
    sides: tuple[ComparedSide, ComparedSide] | None = None
    version = ""
    for position, pair in enumerate(pairs):
        both = aligned(*pair)
        sides, version = sides or sides_of(pair, names), pair[0].version
        _check_same(sides, pair)
        done.append(_compared(pair, both, sides, f"d{position + 1}", colors))
        count_words(tallies, both)
    if sides is None:
        raise DataError("no document came; a comparison needs at least one.")
    page = rendered(
        "comparison.html",
        title=title or f"{sides[0].heading} against {sides[1].heading}",
        sides=sides,
        about=about,
        same_model=sides[0].model == sides[1].model,
        totals=_totals(done),
        heavier=words_of_all(tallies, (sides[0].heading, sides[1].heading)),
        facts=[Fact(*fact) for fact in (("textlrp", version), ("written", today())) if fact[1]],
        parts=[each.item for each in sorted(done, key=lambda each: -each.distance)],
        palette=colors,
    )
    if path is not None:
        write_page(page, path, force=force)
    return page


def sides_of(pair: Pair, names: tuple[str, str] | None = None) -> tuple[ComparedSide, ComparedSide]:
    """Both sides, under headings that say wherein they differ."""
    models = names or (pair[0].model, pair[1].model)
    hows = tuple(name_of(each).title for each in pair)
    if hows[0] == hows[1]:
        rules = tuple(rule_and_start(each) for each in pair)
        hows = rules if rules[0] != rules[1] else hows
    parts = [
        [models[n]] * (pair[0].model != pair[1].model) + [hows[n]] * (hows[0] != hows[1]) for n in range(len(pair))
    ]
    headings = [", ".join(part) for part in parts]
    if headings[0] == headings[1]:
        headings = ["first", "second"] if not headings[0] else [f"{headings[n]} ({pair[n].model})" for n in (0, 1)]
    one, other = (
        ComparedSide(headings[n], models[n], pair[n].model, name_of(pair[n]).title, rule_and_start(pair[n]))
        for n in range(len(pair))
    )
    return one, other


def _check_same(sides: tuple[ComparedSide, ComparedSide], pair: Pair) -> None:
    for side, explanation in zip(sides, pair, strict=True):
        if (side.model, side.printed) != (explanation.model, rule_and_start(explanation)):
            raise DataError(
                f"the explanations of one side are by {side.model} with {side.printed}, and that of "
                f"{explanation.document_id!r} by {explanation.model} with {rule_and_start(explanation)}; "
                "give one at a time."
            )


def _compared(
    pair: Pair, both: AlignedWords, sides: tuple[ComparedSide, ComparedSide], uid: str, colors: Palette
) -> Compared:
    part = shared_passage(pair, longest=WHOLE_TEXT, limit=PASSAGE_LENGTH)
    docs = [view(each) for each in pair]
    shown: list[tuple[ComparedSide, DocumentView, list[TextRun]]] = [
        (side, doc, _lighter(runs_in_passage(doc.runs, part))) for side, doc in zip(sides, docs, strict=True)
    ]
    item = rendered(
        "comparison_item.html",
        uid=uid,
        shown=shown,
        first=docs[0],
        second=docs[1],
        alike=docs[0].predicted == docs[1].predicted,
        sides=sides,
        part=part,
        distance=number(both.distance, 2),
        share=round(100 * both.distance),
        correlation=correlation_text(both.rank_correlation),
        overlap=overlap_text(both.top_overlap),
        words=words_of_document(both, (sides[0].heading, sides[1].heading)),
        palette=colors,
    )
    right = None if docs[0].right is None or docs[1].right is None else (docs[0].right, docs[1].right)
    return Compared(
        Markup(item),
        both.distance,
        both.rank_correlation,
        both.top_overlap,
        docs[0].predicted == docs[1].predicted,
        right,
    )


def _lighter(runs: list[TextRun]) -> list[TextRun]:
    """Only strong words say how many training texts have them: the texts are most of the page's size."""
    return [run if run.strong else run._replace(in_training=-1) for run in runs]


class Totals(NamedTuple):
    """The whole comparison in numbers, as text; ``table`` counts right and wrong, rows are the first side's."""

    documents: int
    alike: str
    correlation: str
    overlap: str
    distance: str
    labeled: int
    accuracies: tuple[str, str] | None
    table: tuple[tuple[int, int], tuple[int, int]]


def _totals(done: Sequence[Compared]) -> Totals:
    right = [each.right for each in done if each.right is not None]
    alike = sum(each.alike for each in done)
    correlations = [each.correlation for each in done if each.correlation is not None]
    overlaps = [each.overlap for each in done if each.overlap is not None]
    return Totals(
        documents=len(done),
        alike=f"{alike:,} of {len(done):,}",
        correlation=correlation_text(float(np.mean(correlations)) if correlations else None),
        overlap=overlap_text(float(np.mean(overlaps)) if overlaps else None),
        distance=number(float(np.mean([each.distance for each in done])), 2),
        labeled=len(right),
        accuracies=(
            percentage(sum(one for one, _ in right) / len(right)),
            percentage(sum(other for _, other in right) / len(right)),
        )
        if right
        else None,
        table=(
            (right.count((True, True)), right.count((True, False))),
            (right.count((False, True)), right.count((False, False))),
        ),
    )
