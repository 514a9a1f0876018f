"""The comparison page: two models, rules or methods on the same documents, with the words that differ most.

A word's relevance is normalized: divided by the sum of |relevance| of its document, so sides of different scale
compare (see :mod:`textlrp.reports.comparison.agreement`).
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
from textlrp.label_measures import LabelCounts
from textlrp.reports.balance import Fact
from textlrp.reports.comparison.agreement import AlignedWords, aligned, correlation_text, overlap_text
from textlrp.reports.comparison.disagreement import Tally, count_words, words_of_all, words_of_document
from textlrp.reports.comparison.passages import runs_in_passage, shared_passage
from textlrp.reports.marks import TextRun
from textlrp.reports.naming import name_of
from textlrp.reports.numbers import number, percentage
from textlrp.reports.outcomes import label_positions
from textlrp.reports.palette import Palette
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, today, write_page
from textlrp.reports.view import DocumentView, view
from textlrp.reports.view_titles import rule_and_start

FULL_TEXT = 2000
"""A text of at most this many characters is shown in full."""

PASSAGE_LENGTH = 1600
"""Maximum characters shown of a longer text, so that a page of a hundred long documents still opens quickly."""

Pair = tuple[Explanation, Explanation]


class ComparedSide(NamedTuple):
    """One side of the comparison.

    ``heading`` names what differs, ``name`` the model; ``model`` is its fingerprint, ``method`` the rule or method as
    pages name it, and ``rule`` the rule as Python code.
    """

    heading: str
    name: str
    model: str
    method: str
    rule: str


@dataclass(frozen=True, slots=True)
class Compared:
    """The results of one pair, with its rendered part of the page. The explanations themselves are not kept.

    ``several`` is whether each side is multi-label; ``same_class`` is whether both predict the same class or labels.
    """

    item: Markup
    distance: float
    correlation: float | None
    overlap: float | None
    same_class: bool
    correct: tuple[bool, bool] | None
    several: tuple[bool, bool]
    more_terms: tuple[str, ...]


def comparison_page(
    pairs: Iterable[Pair],
    path: str | Path | None = None,
    *,
    names: tuple[str, str] | None = None,
    about: str = "",
    title: str | None = None,
    palette: str = "red-blue",
    texts: bool = True,
    force: bool = False,
) -> str:
    """Return a page that compares pairs of explanations, the largest distance first; write it to ``path`` if given.

    The two explanations of a pair are of the same document, with one target each. ``names`` are the names of the two
    models (default: their fingerprints); ``about`` is a sentence on which class is explained; without ``texts`` the
    page has no text of a document. Pairs are read one at a
    time and not kept in memory. Raises :class:`DataError` if there is no pair, if the texts of a pair differ, if an
    explanation has several targets, if a side changes its model, rule or method, or if ``path`` cannot be written;
    :class:`OptionError` for an unknown palette.
    """
    colors = palette_of(palette)
    done: list[Compared] = []
    tallies: dict[str, Tally] = {}
    counts: tuple[LabelCounts, LabelCounts] | None = None
    sides: tuple[ComparedSide, ComparedSide] | None = None
    version = ""
    for position, pair in enumerate(pairs):
        both = aligned(*pair)
        sides, version = sides or sides_of(pair, names), pair[0].version
        _check_same(sides, pair)
        done.append(_compared(pair, both, sides, f"d{position + 1}", colors, texts))
        first, second = map(label_positions, pair)
        if first is not None and second is not None:
            counts = counts or (LabelCounts(len(pair[0].labels)), LabelCounts(len(pair[1].labels)))
            counts[0].add(*first)
            counts[1].add(*second)
        count_words(tallies, both)
    if sides is None:
        raise DataError("pairs must contain at least one pair of explanations; got none. Check the input documents.")
    page = rendered(
        "comparison.html",
        title=title or f"{sides[0].heading} vs. {sides[1].heading}",
        sides=sides,
        about=about,
        same_model=sides[0].model == sides[1].model,
        totals=_totals(done),
        more_terms=({"compared label sets"} if counts else set()).union(*(each.more_terms for each in done)),
        several=done[0].several == (True, True),
        mixed=done[0].several in ((True, False), (False, True)),
        measures=counts and [[percentage(value) for value in (each.micro_f1, each.macro_f1)] for each in counts],
        words=words_of_all(tallies, (sides[0].heading, sides[1].heading), texts=texts),
        facts=[Fact(*fact) for fact in (("textlrp", version), ("written", today())) if fact[1]],
        parts=[each.item for each in sorted(done, key=lambda each: -each.distance)],
        palette=colors,
        texts=texts,
    )
    if path is not None:
        write_page(page, path, force=force)
    return page


def sides_of(pair: Pair, names: tuple[str, str] | None = None) -> tuple[ComparedSide, ComparedSide]:
    """Describe both sides. Their headings name only what differs: the model, the method, or both."""
    models = names or (pair[0].model, pair[1].model)
    methods = tuple(name_of(each).title for each in pair)
    if methods[0] == methods[1]:
        rules = tuple(rule_and_start(each) for each in pair)
        methods = rules if rules[0] != rules[1] else methods
    parts = [
        [models[n]] * (pair[0].model != pair[1].model) + [methods[n]] * (methods[0] != methods[1])
        for n in range(len(pair))
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
        if (side.model, side.rule) != (explanation.model, rule_and_start(explanation)):
            raise DataError(
                f"all explanations of one side must have the same model and rule; got model {side.model} with "
                f"{side.rule}, and for {explanation.document_id!r} model {explanation.model} with "
                f"{rule_and_start(explanation)}. Write one comparison page per model and rule."
            )


def _compared(
    pair: Pair, both: AlignedWords, sides: tuple[ComparedSide, ComparedSide], uid: str, colors: Palette, texts: bool
) -> Compared:
    part = shared_passage(pair, full_text=FULL_TEXT, limit=PASSAGE_LENGTH)
    docs = [view(each) for each in pair]
    shown: list[tuple[ComparedSide, DocumentView, list[TextRun]]] = [
        (side, doc, _without_counts(runs_in_passage(doc.runs, part))) for side, doc in zip(sides, docs, strict=True)
    ]
    item = rendered(
        "comparison_item.html",
        uid=uid,
        shown=shown,
        first=docs[0],
        second=docs[1],
        same_class=docs[0].predicted == docs[1].predicted,
        sides=sides,
        part=part,
        distance=number(both.distance, 2),
        share=round(100 * both.distance),
        correlation=correlation_text(both.rank_correlation),
        overlap=overlap_text(both.top_overlap),
        words=words_of_document(both, (sides[0].heading, sides[1].heading)) if texts else [],
        palette=colors,
        texts=texts,
    )
    one, other = docs[0].correct, docs[1].correct
    return Compared(
        Markup(item),
        both.distance,
        both.rank_correlation,
        both.top_overlap,
        docs[0].predicted == docs[1].predicted,
        None if one is None or other is None else (one, other),
        (docs[0].labels is not None, docs[1].labels is not None),
        docs[0].more_terms + docs[1].more_terms,
    )


def _without_counts(runs: list[TextRun]) -> list[TextRun]:
    """Keep the number of training documents for strong words only, because texts are most of the page's size."""
    return [run if run.strong else run._replace(in_training=-1) for run in runs]


class Totals(NamedTuple):
    """The comparison in numbers, as text.

    ``table`` counts documents: rows are the first side correct and incorrect, columns the second side.
    """

    documents: int
    same_class: str
    correlation: str
    overlap: str
    distance: str
    labeled: int
    accuracies: tuple[str, str] | None
    table: tuple[tuple[int, int], tuple[int, int]]


def _totals(done: Sequence[Compared]) -> Totals:
    correct = [each.correct for each in done if each.correct is not None]
    same_class = sum(each.same_class for each in done)
    correlations = [each.correlation for each in done if each.correlation is not None]
    overlaps = [each.overlap for each in done if each.overlap is not None]
    return Totals(
        documents=len(done),
        same_class=f"{same_class:,} of {len(done):,}",
        correlation=correlation_text(float(np.mean(correlations)) if correlations else None),
        overlap=overlap_text(float(np.mean(overlaps)) if overlaps else None),
        distance=number(float(np.mean([each.distance for each in done])), 2),
        labeled=len(correct),
        accuracies=(
            percentage(sum(one for one, _ in correct) / len(correct)),
            percentage(sum(other for _, other in correct) / len(correct)),
        )
        if correct
        else None,
        table=(
            (correct.count((True, True)), correct.count((True, False))),
            (correct.count((False, True)), correct.count((False, False))),
        ),
    )
