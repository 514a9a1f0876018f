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
    in_sentences,
    runs,
    sentence_sums,
    shown_relevance,
    word_sums,
)
from textlrp.reports.numbers import decimals, is_zero, number
from textlrp.reports.outcomes import (
    PredictedLabel,
    is_correct,
    predicted_label_rows,
    predicted_text,
    true_text,
)
from textlrp.reports.rendering import today
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

LISTED_WORDS = 8
"""Words listed that support a class, and that oppose it; phrases listed."""

SENTENCES = range(2, 161)
"""Numbers of sentences that are drawn as bars. More bars would be too thin to distinguish."""

MAX_SENTENCE_TEXT = 100_000
"""Longer texts, in characters, are not cut into sentences."""


@dataclass(frozen=True, slots=True)
class TopRow:
    """A word or phrase with its summed relevance.

    ``share`` is the length of its bar in percent; ``note`` is the number of occurrences (``×2``) or of filters.
    """

    words: str
    value: str
    share: int
    opposes: bool
    note: str


@dataclass(frozen=True, slots=True)
class TargetView:
    """One explained class, or the contrast of class ``name`` with class ``other_name``.

    ``quantity`` is the noun for ``score``, such as "probability". ``centered`` is the score minus the mean over
    classes if propagation started from that, else None.
    """

    row: int
    name: str
    other_name: str | None
    quantity: str
    score: str
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
    explained classes and contrasts, ``default`` is the one shown first. ``quantity`` is the noun for ``score``, and
    ``score_name`` its full name. ``labels`` are the predicted labels of a multi-label model, else None.
    ``more_terms`` are the additional kinds of terms for the glossary.
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


def view(explanation: Explanation, *, title: str | None = None, sentences: bool = False) -> DocumentView:
    """Prepare all targets of an explanation for a page.

    The predicted class is shown first if it is explained. With ``sentences`` the text is also cut into sentences.
    """
    rows = range(len(explanation.targets))
    best, digits = explanation.predicted, decimals(float(np.abs(explanation.scores).max()))
    largest = float(np.abs(shown_relevance(explanation, rows)).max(initial=0.0))
    text_runs = runs(explanation, rows)
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
        largest=number(largest, decimals(largest)),
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
    spans = sentence_spans(explanation.text[start:]) + np.int32(start)
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
            probability=None if isinstance(target, tuple) else probability_of(explanation, target),
            centered=number(float(explanation.start_scores[row]), digits, signed=True)
            if breakdown.mean is not None
            else None,
            supporting=_top_rows(sums.words, sums.sums[row], sums.counts, 1.0),
            opposing=_top_rows(sums.words, sums.sums[row], sums.counts, -1.0),
            breakdown=breakdown,
            phrases=_top_phrases(explanation, row),
            notes=explanation.notes_of(row),
        )
        for row, (target, breakdown) in enumerate(
            zip(explanation.targets, score_breakdowns(explanation), strict=True)
        )
    )


def _top_phrases(explanation: Explanation, row: int) -> tuple[TopRow, ...]:
    """Return the most relevant phrases of one target, summed over the filters that match the same words."""
    seen: dict[str, tuple[float, int]] = {}
    for phrase in explanation.phrases:
        words = " ".join(explanation.text[phrase.start : phrase.end].split())
        total, filters = seen.get(words, (0.0, 0))
        seen[words] = (total + float(phrase.relevance[row]), filters + 1)
    order = sorted(seen.items(), key=lambda item: -abs(item[1][0]))[:LISTED_WORDS]
    largest = abs(order[0][1][0]) if order else 0.0
    return tuple(
        TopRow(
            words,
            number(total, decimals(largest), signed=True),
            round(100 * abs(total) / largest),
            total < 0,
            f"{filters} filters" if filters > 1 else "",
        )
        for words, (total, filters) in order
        if total
    )


def _top_rows(words: Sequence[str], sums: np.ndarray, counts: np.ndarray, sign: float) -> tuple[TopRow, ...]:
    """Return the words with the largest relevance of one sign; bars are relative to the largest of both signs."""
    largest = float(np.abs(sums).max(initial=0.0))
    digits = decimals(largest)
    order = np.argsort(-sign * sums, kind="stable")[:LISTED_WORDS]
    return tuple(
        TopRow(
            words[w],
            number(float(sums[w]), digits, signed=True),
            round(100 * abs(float(sums[w])) / largest),
            sign < 0,
            f"×{counts[w]}" if counts[w] > 1 else "",
        )
        for w in order.tolist()
        if sign * sums[w] > 0.0 and not is_zero(number(float(sums[w]), digits))
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
