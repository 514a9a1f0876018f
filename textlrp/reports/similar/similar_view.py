"""A similarity prepared for a template: rounded numbers as text, marked texts, curves. This module has no HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.balance import CAUSES, Fact, cause_name
from textlrp.reports.marks import REASONS, TextRun, runs
from textlrp.reports.numbers import decimals, is_zero, number
from textlrp.reports.rendering import today
from textlrp.reports.similar.tie_curves import TieDrawing, drawing_of
from textlrp.reports.view_titles import document_title, snippet
from textlrp.similar_texts import Similarity, TextSpans, Tie

SHOWN_TIES = 12
"""Pairs of words that the page draws and lists."""


class TieRow(NamedTuple):
    """A pair of words in the list: its relevance as text, and its bar in percent of the largest."""

    first: str
    second: str
    value: str
    share: int
    negative: bool
    note: str


@dataclass(frozen=True, slots=True)
class TextSide:
    """One of the two texts: its title, its beginning, its runs, and what the colors mean.

    ``largest`` is the |relevance| of full color. ``reasons`` are the kinds of tokens that the model ignores.
    """

    title: str
    snippet: str
    runs: list[TextRun]
    largest: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimilarView:
    """Everything that a template shows of a similarity."""

    measure: str
    score: str
    sides: tuple[TextSide, TextSide]
    ties: tuple[TieRow, ...]
    drawing: TieDrawing
    covered: str
    parts: tuple[Fact, ...]
    notes: tuple[str, ...]
    facts: tuple[Fact, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model ignores tokens of one of the two texts."""
        return tuple(dict.fromkeys(reason for side in self.sides for reason in side.reasons))


def similar_view(found: Similarity) -> SimilarView:
    """Prepare a similarity for a page."""
    digits = decimals(abs(found.score))
    ties = [visible_tie(tie) for tie in found.ties(SHOWN_TIES) if not is_zero(number(tie.relevance, digits + 1))]
    return SimilarView(
        measure=found.measure,
        score=number(found.score, digits),
        sides=(_text_side(found, 0, ties), _text_side(found, 1, ties)),
        ties=_tie_rows(ties, digits + 1),
        drawing=drawing_of(ties),
        covered=number(sum(tie.relevance for tie in ties), digits + 1, signed=True),
        parts=tuple(_sum_parts(found, digits)),
        notes=tuple(_similarity_notes(found)),
        facts=_similarity_facts(found),
    )


def visible_tie(tie: Tie) -> Tie:
    """Return a tie with ␣ for a word of blanks, which a model with character n-grams may have."""
    first, second = (word if word.strip() else "␣" for word in (tie.first, tie.second))
    return tie._replace(first=first, second=second)


def _text_side(found: Similarity, side: int, ties: list[Tie]) -> TextSide:
    alone = explanation_of_side(found, side)
    largest = float(np.abs(alone.relevance).max(initial=0.0))
    marked = runs(
        alone, [0], classes=_tie_classes(alone, [(tie.first_spans, tie.second_spans)[side] for tie in ties])
    )
    present = {run.status for run in marked}
    return TextSide(
        title=document_title(alone),
        snippet=snippet(alone),
        runs=marked,
        largest=number(largest, decimals(largest)),
        reasons=tuple(REASONS[status].partition(": ")[2] for status in REASONS if status in present),
    )


def explanation_of_side(found: Similarity, side: int) -> Explanation:
    """Return one text with the relevance of each word to the similarity, summed over the words of the other text."""
    tokens = found.tokens[side]
    return Explanation(
        document_id=found.document_ids[side],
        tokens=tokens,
        labels=(found.measure,),
        scores=np.array([found.score]),
        targets=(0,),
        relevance=found.relevance[side][None],
        status=found.status[side],
        counts=np.full(len(tokens), -1, dtype=np.int32),
        ledger={},
    )


def _tie_classes(alone: Explanation, spans_of_ties: list[TextSpans]) -> dict[int, str]:
    """The style classes of the tokens that belong to ties: ``t0`` of the strongest, and so on."""
    ends, classes = alone.tokens.spans[:, 1], dict[int, list[str]]()
    for tie, spans in enumerate(spans_of_ties):
        for start, end in spans:
            first = int(np.searchsorted(alone.tokens.spans[:, 0], start))
            for token in range(first, int(np.searchsorted(ends, end, "right"))):
                if alone.status[token] == Status.READ:
                    classes.setdefault(token, []).append(f"t{tie}")
    return {token: " ".join(names) for token, names in classes.items()}


def _tie_rows(ties: list[Tie], digits: int) -> tuple[TieRow, ...]:
    largest = max((abs(tie.relevance) for tie in ties), default=1.0)
    return tuple(
        TieRow(
            tie.first,
            tie.second,
            number(tie.relevance, digits, signed=True),
            round(100 * abs(tie.relevance) / largest),
            tie.relevance < 0,
            f"{len(tie.first_spans)} × {len(tie.second_spans)} occurrences"
            if len(tie.first_spans) * len(tie.second_spans) > 1
            else "",
        )
        for tie in ties
    )


def _sum_parts(found: Similarity, digits: int) -> list[Fact]:
    """The parts that sum to the score: pairs of words, then what each cause absorbed."""
    causes: dict[str, float] = {}
    for (_, cause), entry in found.ledger.items():
        causes[cause] = causes.get(cause, 0.0) + entry
    order = [*(cause for cause in CAUSES if cause in causes), *(cause for cause in causes if cause not in CAUSES)]
    words = float(found.matrix.sum(dtype=np.float64))
    return [
        Fact("relevance of all pairs of words", number(words, digits, signed=True)),
        *(Fact(f"absorbed by {cause_name(cause)}", number(causes[cause], digits, signed=True)) for cause in order),
    ]


def _similarity_notes(found: Similarity) -> list[str]:
    notes = []
    if not all((status == Status.READ).any() for status in found.status):
        notes.append("The model ignores all words of at least one text, so there is no pair of words.")
    elif not found.matrix.any():
        notes.append("No pair of words contributes to the similarity.")
    size = float(np.abs(found.matrix).sum(dtype=np.float64))
    if found.ledger and 0 < size < abs(found.absorbed):
        notes.append("The part that belongs to no pair of words is larger than that of all pairs together.")
    return notes


def _similarity_facts(found: Similarity) -> tuple[Fact, ...]:
    facts = (
        Fact("similarity", f"{found.measure} of embeddings ({found.embedding})"),
        Fact("method", "BiLRP (Eberle et al. 2020)"),
        Fact("rule", found.rule),
        Fact("model", found.model),
        Fact("textlrp", found.version),
        Fact("written", today()),
    )
    return tuple(fact for fact in facts if fact.value)
