"""What a page says about an explanation, in words and rounded numbers: no HTML in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.records import Status
from textlrp.reports.balance import Balance, Fact, balances
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
from textlrp.reports.numbers import decimals, number
from textlrp.reports.rendering import today
from textlrp.reports.view_titles import method_title, snippet, start_title
from textlrp.text.sentences import sentence_spans

TOP = 8
"""Words listed for and against a class."""

SENTENCES = range(2, 161)
"""So many sentences are drawn as bars; more would be too thin to tell apart."""

READABLE = 100_000
"""Characters up to which a text is cut into sentences."""


@dataclass(frozen=True, slots=True)
class TopRow:
    """A word or phrase: its summed relevance as text, a bar in percent, and how often it was read or seen."""

    words: str
    value: str
    share: int
    against: bool
    note: str


@dataclass(frozen=True, slots=True)
class TargetView:
    """One explained class or contrast; ``centered`` is the score minus the mean, where that is explained."""

    row: int
    name: str
    against_name: str | None
    score: str
    probability: str | None
    centered: str | None
    speaks_for: tuple[TopRow, ...]
    speaks_against: tuple[TopRow, ...]
    balance: Balance
    phrases: tuple[TopRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DocumentView:
    """Everything a template shows of one document."""

    id: str
    title: str
    predicted: str
    score: str
    probability: str | None
    true_label: str | None
    right: bool | None
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

    @property
    def pieces(self) -> list[tuple[int | None, list[TextRun]]]:
        """The runs, cut at the ends of sentences: (number of the sentence or None, its runs)."""
        return in_sentences(self.runs, self.sentences)

    @property
    def contrasts(self) -> tuple[TargetView, ...]:
        """The explained classes that can be held against each other: none where there is one."""
        classes = tuple(target for target in self.targets if target.against_name is None)
        return classes if len(classes) > 1 else ()

    @property
    def many(self) -> bool:
        """Whether there is a class to switch to."""
        return len(self.targets) > 1


def view(explanation: Explanation, *, title: str | None = None, sentences: bool = False) -> DocumentView:
    """All targets of an explanation as a page shows them; the default is the predicted class."""
    rows = range(len(explanation.targets))
    best, digits = explanation.predicted, decimals(float(np.abs(explanation.scores).max()))
    largest = float(np.abs(shown_relevance(explanation, rows)).max(initial=0.0))
    text_runs = runs(explanation, rows)
    present = {run.status for run in text_runs}
    found = _shown_sentences(explanation, rows) if sentences else []
    return DocumentView(
        id=explanation.document_id,
        title=title or explanation.document_id or "A text",
        predicted=explanation.labels[best],
        score=number(float(explanation.scores[best]), digits),
        probability=probability_of(explanation, best),
        true_label=explanation.true_label,
        right=explanation.true_label == explanation.labels[best]
        if explanation.true_label in explanation.labels
        else None,
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
    )


def _shown_sentences(explanation: Explanation, rows: Sequence[int]) -> list[SentenceRelevance]:
    if len(explanation.text) > READABLE or not explanation.seen.any():
        return []
    # what stands before the first word that was read, as a header does, has no sentence to show
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
            against_name=explanation.labels[target[1]] if isinstance(target, tuple) else None,
            score=number(float(explanation.target_scores[row]), digits),
            probability=None if isinstance(target, tuple) else probability_of(explanation, target),
            centered=number(float(explanation.start_scores[row]), digits, signed=True)
            if balance.mean is not None
            else None,
            speaks_for=_top_rows(sums.words, sums.sums[row], sums.times, 1.0),
            speaks_against=_top_rows(sums.words, sums.sums[row], sums.times, -1.0),
            balance=balance,
            phrases=_top_phrases(explanation, row),
            notes=explanation.notes_of(row),
        )
        for row, (target, balance) in enumerate(zip(explanation.targets, balances(explanation), strict=True))
    )


def _top_phrases(explanation: Explanation, row: int) -> tuple[TopRow, ...]:
    """The phrases with the largest relevance for one target, summed over the filters that saw the same words."""
    seen: dict[str, tuple[float, int]] = {}
    for phrase in explanation.phrases:
        words = " ".join(explanation.text[phrase.start : phrase.end].split())
        total, filters = seen.get(words, (0.0, 0))
        seen[words] = (total + float(phrase.relevance[row]), filters + 1)
    order = sorted(seen.items(), key=lambda item: -abs(item[1][0]))[:TOP]
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


def _top_rows(words: Sequence[str], sums: np.ndarray, times: np.ndarray, sign: float) -> tuple[TopRow, ...]:
    """The words with the largest relevance of one sign; bars are relative to the largest of both signs."""
    largest = float(np.abs(sums).max(initial=0.0))
    digits = decimals(largest)
    order = np.argsort(-sign * sums, kind="stable")[:TOP]
    return tuple(
        TopRow(
            words[w],
            number(float(sums[w]), digits, signed=True),
            round(100 * abs(float(sums[w])) / largest),
            sign < 0,
            f"×{times[w]}" if times[w] > 1 else "",
        )
        for w in order.tolist()
        if sign * sums[w] > 0.0
    )


def _document_facts(explanation: Explanation) -> tuple[Fact, ...]:
    facts = (
        Fact("document", explanation.document_id),
        Fact("own label", explanation.true_label or ""),
        Fact("method", method_title(explanation)),
        Fact("rule", explanation.rule),
        Fact("start", start_title(explanation)),
        Fact("model", explanation.model),
        Fact("textlrp", explanation.version),
        Fact("written", today()),
    )
    return tuple(fact for fact in facts if fact.value)
