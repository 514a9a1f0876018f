"""An explanation prepared for a template: rounded numbers as text, marked runs, top words. This module has no HTML.

:func:`view` is the only way from an :class:`Explanation` to a page. To show something new, add a field here and use
it in ``templates/parts.html``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.balance import Fact, ScoreBreakdown, score_breakdowns
from textlrp.reports.class_rows import ClassRow, class_rows, probability_of
from textlrp.reports.marks import (
    REASONS,
    SentenceRelevance,
    TextRun,
    full_color,
    in_sentences,
    runs,
    sentence_sums,
    word_sums,
)
from textlrp.reports.numbers import decimals, number
from textlrp.reports.outcomes import (
    PredictedLabel,
    is_correct,
    predicted_label_rows,
    predicted_text,
    true_text,
)
from textlrp.reports.rendering import today
from textlrp.reports.top_rows import TopRow, top_phrases, top_rows
from textlrp.reports.view_titles import (
    document_title,
    method_title,
    more_terms,
    quantity_of,
    rule_title,
    snippet,
    start_title,
)
from textlrp.text.sentences import sentence_spans

SENTENCES = range(2, 161)
"""Numbers of sentences that are drawn as bars. More bars would be too thin to distinguish."""

MAX_SENTENCE_TEXT = 100_000
"""Longer texts, in characters, are not cut into sentences."""


@dataclass(frozen=True, slots=True)
class TargetView:
    """One explained class, or the contrast of class ``name`` with class ``other_name``.

    ``quantity`` is the noun for ``score``, such as "probability". ``threshold`` is that of a label of a multi-label
    model, else None. ``centered`` is the score minus the mean over
    classes if propagation started from that, else None.
    """

    row: int
    name: str
    other_name: str | None
    quantity: str
    score: str
    threshold: str | None
    probability: str | None
    centered: str | None
    supporting: tuple[TopRow, ...]
    opposing: tuple[TopRow, ...]
    breakdown: ScoreBreakdown
    phrases: tuple[TopRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DocumentView:
    """Everything a template shows of one document.

    ``correct`` is None without a true label, and if the true label is not a class of the model. ``targets`` are the
    explained classes and contrasts, ``default`` is the one shown first. ``largest`` is the relevance of full color.
    ``quantity`` is the noun for ``score``, ``score_name`` its full
    name. ``labels`` are the predicted labels of a multi-label model, else None. ``more_terms`` are the additional
    kinds of terms for the glossary.
    """

    id: str
    title: str
    predicted: str
    score_name: str
    quantity: str
    score: str
    probability: str | None
    true_label: str | None
    correct: bool | None
    snippet: str
    runs: list[TextRun]
    sentences: list[SentenceRelevance]
    reasons: tuple[tuple[Status, str], ...]
    largest: str
    words_read: int
    default: int
    targets: tuple[TargetView, ...]
    classes: tuple[ClassRow, ...]
    facts: tuple[Fact, ...]
    labels: tuple[PredictedLabel, ...] | None
    more_terms: tuple[str, ...]

    @property
    def runs_by_sentence(self) -> list[tuple[int | None, list[TextRun]]]:
        """The runs cut at the ends of sentences: (index of the sentence or None, its runs)."""
        return in_sentences(self.runs, self.sentences)

    @property
    def contrasts(self) -> tuple[TargetView, ...]:
        """The explained classes that can be compared with each other; empty if there is only one."""
        classes = tuple(target for target in self.targets if target.other_name is None)
        return classes if len(classes) > 1 else ()

    @property
    def many(self) -> bool:
        """Whether the page needs a switch between targets."""
        return len(self.targets) > 1


def view(
    explanation: Explanation, *, title: str | None = None, sentences: bool = False, each_token: bool = False
) -> DocumentView:
    """Prepare all targets of an explanation for a page.

    The predicted class is shown first if it is explained. With ``sentences`` the text is also cut into sentences.
    With ``each_token`` each token is a run of the text and has its offsets.
    """
    rows = range(len(explanation.targets))
    best, digits = explanation.predicted, decimals(float(np.abs(explanation.scores).max()))
    text_runs = runs(explanation, rows, each_token=each_token)
    present = {run.status for run in text_runs}
    found = _shown_sentences(explanation, rows) if sentences else []
    return DocumentView(
        id=explanation.document_id,
        title=title or document_title(explanation),
        predicted=predicted_text(explanation),
        score_name=explanation.score_name,
        quantity=quantity_of(explanation),
        score=number(float(explanation.scores[best]), digits),
        probability=probability_of(explanation, best),
        true_label=true_text(explanation),
        correct=is_correct(explanation),
        snippet=snippet(explanation),
        runs=text_runs,
        sentences=found,
        reasons=tuple((status, reason) for status, reason in REASONS.items() if status in present),
        largest=full_color(explanation, rows),
        words_read=int(explanation.seen.sum()),
        default=explanation.row(),
        targets=_target_views(explanation, digits),
        classes=class_rows(explanation, digits),
        facts=_document_facts(explanation),
        labels=predicted_label_rows(explanation, digits),
        more_terms=more_terms(explanation),
    )


def _shown_sentences(explanation: Explanation, rows: Sequence[int]) -> list[SentenceRelevance]:
    if len(explanation.text) > MAX_SENTENCE_TEXT or not explanation.seen.any():
        return []
    # text before the first word that the model reads, such as a header, has no sentences
    start = int(explanation.tokens.spans[explanation.seen.argmax(), 0])
    tokens = explanation.tokens.spans[explanation.tokens.spans[:, 0] >= start] - np.int32(start)
    spans = sentence_spans(explanation.text[start:], tokens) + np.int32(start)
    found = sentence_sums(explanation, rows, spans)
    return found if len(found) in SENTENCES else []


def _target_views(explanation: Explanation, digits: int) -> tuple[TargetView, ...]:
    sums = word_sums(explanation, range(len(explanation.targets)))
    return tuple(
        TargetView(
            row=row,
            name=explanation.labels[target[0] if isinstance(target, tuple) else target],
            other_name=explanation.labels[target[1]] if isinstance(target, tuple) else None,
            quantity=quantity_of(explanation),
            score=number(float(explanation.target_scores[row]), digits),
            threshold=None
            if isinstance(target, tuple) or explanation.thresholds is None
            else number(float(explanation.thresholds[target]), digits),
            probability=None if isinstance(target, tuple) else probability_of(explanation, target),
            centered=number(float(explanation.start_scores[row]), digits, signed=True)
            if breakdown.centered
            else None,
            supporting=top_rows(sums.words, sums.sums[row], sums.counts, 1.0),
            opposing=top_rows(sums.words, sums.sums[row], sums.counts, -1.0),
            breakdown=breakdown,
            phrases=top_phrases(explanation, row),
            notes=(*explanation.notes_of(row), *breakdown.remarks),
        )
        for row, (target, breakdown) in enumerate(
            zip(explanation.targets, score_breakdowns(explanation), strict=True)
        )
    )


def _document_facts(explanation: Explanation) -> tuple[Fact, ...]:
    facts = (
        Fact("document", explanation.document_id),
        Fact("true label" if explanation.thresholds is None else "true labels", true_text(explanation) or ""),
        Fact("method", method_title(explanation)),
        Fact("rule", rule_title(explanation)),
        Fact("start", start_title(explanation)),
        Fact("model", explanation.model),
        Fact("textlrp", explanation.version),
        Fact("written", today()),
    )
    return tuple(fact for fact in facts if fact.value)
