"""What a page says about an explanation, in words and rounded numbers: no HTML in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textlrp.records import Explanation, Status
from textlrp.reports.marks import REASONS, Run, decimals, number, percentage, runs, shown_relevance, word_sums

TOP = 8
"""Words listed for and against a class."""

_CAUSES = {
    "bias": "the model’s bias",
    "stabiliser": "the rule’s stabiliser",
    "empty": "parts with nothing to share",
    "unread": "unread positions",
}

_TOLERANCE = 1e-4  # of sum |relevance| + sum |ledger|: float32 sums of long documents stay far below it


@dataclass(frozen=True, slots=True)
class TopWord:
    """A row of "speaks for": the word, its summed relevance as text, a bar in percent, its occurrences."""

    word: str
    value: str
    share: int
    times: int


@dataclass(frozen=True, slots=True)
class Part:
    """A row of "where the score went"."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class TargetView:
    """One explained class or contrast; ``left_over`` is None where the parts sum to the score."""

    row: int
    name: str
    against_name: str | None
    score: str
    probability: str | None
    speaks_for: tuple[TopWord, ...]
    speaks_against: tuple[TopWord, ...]
    on_words: str
    absorbed: tuple[Part, ...]
    left_over: str | None


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class in the chart of scores: a bar from ``left``, ``width`` long (percent), and its row if explained."""

    name: str
    score: str
    probability: str | None
    left: float
    width: float
    row: int | None
    predicted: bool
    gold: bool


@dataclass(frozen=True, slots=True)
class DocumentView:
    """Everything a template shows of one document."""

    id: str
    title: str
    predicted: str
    score: str
    probability: str | None
    gold: str | None
    right: bool | None
    snippet: str
    runs: list[Run]
    reasons: tuple[tuple[Status, str], ...]
    largest: str
    words_read: int
    default: int
    targets: tuple[TargetView, ...]
    classes: tuple[ClassRow, ...]
    facts: tuple[Part, ...]

    @property
    def many(self) -> bool:
        """Whether there is a class to switch to."""
        return len(self.targets) > 1


def view(explanation: Explanation, *, title: str | None = None) -> DocumentView:
    """All targets of an explanation as a page shows them; the default is the predicted class."""
    rows = range(len(explanation.targets))
    best, digits = explanation.predicted, decimals(float(np.abs(explanation.scores).max()))
    largest = float(np.abs(shown_relevance(explanation, rows)).max(initial=0.0))
    text_runs = runs(explanation, rows)
    present = {run.status for run in text_runs}
    return DocumentView(
        id=explanation.document_id,
        title=title or explanation.document_id or "A text",
        predicted=explanation.labels[best],
        score=number(float(explanation.scores[best]), digits),
        probability=_probability(explanation, best),
        gold=explanation.gold,
        right=None if explanation.gold is None else explanation.gold == explanation.labels[best],
        snippet=_snippet(explanation),
        runs=text_runs,
        reasons=tuple((status, reason) for status, reason in REASONS.items() if status in present),
        largest=number(largest, decimals(largest)),
        words_read=int(explanation.seen.sum()),
        default=explanation.row(),
        targets=_targets(explanation, digits),
        classes=_classes(explanation, digits),
        facts=_facts(explanation),
    )


def _probability(explanation: Explanation, position: int) -> str | None:
    return None if explanation.probabilities is None else percentage(float(explanation.probabilities[position]))


def _targets(explanation: Explanation, digits: int) -> tuple[TargetView, ...]:
    rows = range(len(explanation.targets))
    sums = word_sums(explanation, rows)
    scores, ledger = explanation.target_scores.astype(np.float64), _by_cause(explanation)
    on_words = shown_relevance(explanation, rows)
    views = []
    for row, target in enumerate(explanation.targets):
        words, score = float(on_words[row].sum()), float(scores[row])
        parts = {cause: float(entry[row]) for cause, entry in ledger.items()}
        left_over = score - words - sum(parts.values())
        whole = float(np.abs(on_words[row]).sum()) + sum(abs(part) for part in parts.values())
        views.append(
            TargetView(
                row=row,
                name=explanation.labels[target[0] if isinstance(target, tuple) else target],
                against_name=explanation.labels[target[1]] if isinstance(target, tuple) else None,
                score=number(score, digits),
                probability=None if isinstance(target, tuple) else _probability(explanation, target),
                speaks_for=_top(sums.words, sums.sums[row], sums.times, 1.0),
                speaks_against=_top(sums.words, sums.sums[row], sums.times, -1.0),
                on_words=number(words, digits, signed=True),
                absorbed=tuple(Part(_CAUSES.get(c, c), number(p, digits, signed=True)) for c, p in parts.items()),
                left_over=number(left_over, digits, signed=True) if abs(left_over) > _TOLERANCE * whole else None,
            )
        )
    return tuple(views)


def _by_cause(explanation: Explanation) -> dict[str, np.ndarray]:
    """The ledger summed over steps, causes in their usual order; causes that took nothing are left out."""
    sums: dict[str, np.ndarray] = {}
    for (_, cause), entry in explanation.ledger.items():
        sums[cause] = sums.get(cause, np.zeros(len(explanation.targets))) + entry
    order = [*(cause for cause in _CAUSES if cause in sums), *(cause for cause in sums if cause not in _CAUSES)]
    return {cause: sums[cause] for cause in order if np.any(sums[cause] != 0.0)}


def _top(words: Sequence[str], sums: np.ndarray, times: np.ndarray, sign: float) -> tuple[TopWord, ...]:
    """The words with the largest relevance of one sign; bars are relative to the largest of both signs."""
    largest = float(np.abs(sums).max(initial=0.0))
    order = np.argsort(-sign * sums, kind="stable")[:TOP]
    return tuple(
        TopWord(
            words[w],
            number(float(sums[w]), decimals(largest), signed=True),
            round(100 * abs(float(sums[w])) / largest),
            int(times[w]),
        )
        for w in order.tolist()
        if sign * sums[w] > 0.0
    )


def _classes(explanation: Explanation, digits: int) -> tuple[ClassRow, ...]:
    """One row per class, the highest score first; all bars start at a common zero."""
    scores = explanation.scores.astype(np.float64)
    low, high = min(0.0, float(scores.min())), max(0.0, float(scores.max()))
    extent = (high - low) or 1.0
    rows = {target: row for row, target in enumerate(explanation.targets)}
    return tuple(
        ClassRow(
            name=explanation.labels[c],
            score=number(float(scores[c]), digits),
            probability=_probability(explanation, c),
            left=round(100 * (min(0.0, float(scores[c])) - low) / extent, 1),
            width=round(100 * abs(float(scores[c])) / extent, 1),
            row=rows.get(c),
            predicted=c == explanation.predicted,
            gold=explanation.labels[c] == explanation.gold,
        )
        for c in np.argsort(-scores, kind="stable").tolist()
    )


def _snippet(explanation: Explanation, length: int = 110) -> str:
    """The first words of the text that was read, on one line."""
    read = np.flatnonzero(explanation.seen)
    start = int(explanation.tokens.spans[read[0], 0]) if len(read) else 0
    window = explanation.text[start : start + 4 * length]
    words = " ".join(window.split())
    return (
        words[:length].rstrip() + " …"
        if len(words) > length or start + len(window) < len(explanation.text)
        else words
    )


def _facts(explanation: Explanation) -> tuple[Part, ...]:
    method = "layer-wise relevance propagation (lrp)" if explanation.method == "lrp" else explanation.method
    facts = (
        Part("document", explanation.document_id),
        Part("own label", explanation.gold or ""),
        Part("method", method),
        Part("rule", explanation.rule),
        Part("model", explanation.model),
        Part("textlrp", explanation.version),
    )
    return tuple(fact for fact in facts if fact.value)
