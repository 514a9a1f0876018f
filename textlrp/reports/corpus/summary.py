"""The summary of many explanations: accuracy, confusion matrix, words of each class, and a row for each document.

Explanations are added one at a time and not kept, so a report can be larger than memory. This module has no HTML.
N documents, C classes.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from textlrp.class_words import ClassWords, ClassWordTally
from textlrp.explanation import Explanation
from textlrp.label_measures import LabelCounts
from textlrp.reports.balance import Fact
from textlrp.reports.corpus.document_row import DocumentRow
from textlrp.reports.marks import word_sums
from textlrp.reports.numbers import number, percentage
from textlrp.reports.rendering import today
from textlrp.reports.view_titles import method_title, more_terms, rule_title, snippet, start_title
from textlrp.text_free import text_free_words

ROW_WORDS = 3
"""Most relevant words listed in the row of a document."""

MAX_MATRIX_CLASSES = 60
"""With more classes, a report has no confusion matrix."""

CONFUSIONS = 8
"""Number of most frequent confusions that are kept."""


class Confusion(NamedTuple):
    """A cell of the confusion matrix: the number of documents with this true label and predicted class."""

    true_label: int
    predicted: int
    documents: int
    shade: int

    @property
    def name(self) -> str:
        """The identifier of the cell, as in :attr:`Row.cell`."""
        return f"c{self.true_label}-{self.predicted}"


@dataclass(slots=True)
class Summary:
    """The summary of all explanations added so far.

    ``targets`` is the largest number of targets of a document; ``unknown_labels`` counts documents whose label is not
    a class of the model; ``probabilities`` is whether all documents have probabilities; ``several`` is whether the
    model is multi-label; ``more_terms`` are additional kinds of terms for the glossary. Without ``texts``, rows and
    words of classes contain no text of a document.
    """

    classes: dict[str, int] = field(default_factory=dict)
    rows: list[DocumentRow] = field(default_factory=list)
    targets: int = 1
    unknown_labels: int = 0
    probabilities: bool = True
    several: bool = False
    more_terms: set[str] = field(default_factory=set)
    texts: bool = True
    _settings: tuple[Fact, ...] = ()
    _words: ClassWordTally = field(default_factory=ClassWordTally)

    def add(self, explanation: Explanation) -> DocumentRow:
        """Add an explanation and return its row.

        Its words count for the target that is shown first; multi-label: for all predicted labels.
        """
        for label in explanation.labels:
            self.classes.setdefault(label, len(self.classes))
        self.several = explanation.thresholds is not None
        self.more_terms.update(more_terms(explanation))
        given = explanation.true_labels if self.several else explanation.true_label and (explanation.true_label,)
        known = None if given is None else set(given) <= set(explanation.labels)
        self.unknown_labels += known is False
        true = tuple(sorted(self.classes[name] for name in given)) if given is not None and known else None
        shown = explanation.row()
        self._settings = self._settings or _settings(explanation)
        chosen = explanation.predicted_positions if self.several else ()
        counted = [explanation.targets.index(c) for c in chosen if c in explanation.targets]
        self._words.add(with_targets(explanation, counted or [shown]))
        self.targets = max(self.targets, len(explanation.targets))
        self.probabilities = self.probabilities and explanation.probabilities is not None
        best = explanation.predicted
        sums = word_sums(explanation, [shown])
        order = np.argsort(-sums.sums[0], kind="stable")[:ROW_WORDS]
        confidence = _confidence(explanation)
        row = DocumentRow(
            len(self.rows),
            explanation.document_id,
            self.classes[explanation.labels[best]],
            true[0] if true and not self.several else -1,
            round(1000 * confidence),
            f"probability\N{NO-BREAK SPACE}{percentage(confidence)}"
            if explanation.probabilities is not None
            else f"score {number(float(explanation.scores[best]))}",
            tuple(sums.words[w] for w in order.tolist() if sums.sums[0, w] > 0) if self.texts else (),
            snippet(explanation) if self.texts else "",
            (tuple(sorted(self.classes[name] for name in explanation.predicted_labels)), true)
            if self.several
            else None,
        )
        self.rows.append(row)
        return row

    @property
    def names(self) -> list[str]:
        """The names of the classes (C,)."""
        return list(self.classes)

    @property
    def labeled(self) -> int:
        """The number of documents whose true label is a class of the model."""
        return sum(row.true_labels is not None for row in self.rows)

    @property
    def correct(self) -> int:
        """The number of correctly classified documents."""
        return sum(row.correct is True for row in self.rows)

    def words(self) -> list[ClassWords]:
        """Return the most relevant words of each class."""
        found = self._words.found()
        return found if self.texts else text_free_words(found)

    def matrix(self) -> list[list[Confusion]]:
        """Return the confusion matrix (C, C), true label by predicted class; empty without labels or if too large.

        The shade of a cell is its percentage of the largest cell in its row.
        """
        counts = Counter((row.true_label, row.predicted) for row in self.rows if row.true_label >= 0)
        if not counts or len(self.classes) > MAX_MATRIX_CLASSES:
            return []
        largest: dict[int, int] = {}
        for (t, _), n in counts.items():
            largest[t] = max(n, largest.get(t, 0))
        classes = range(len(self.classes))
        return [
            [Confusion(t, p, counts[t, p], round(100 * counts[t, p] / largest.get(t, 1))) for p in classes]
            for t in classes
        ]

    def confusions(self) -> list[Confusion]:
        """Return the most frequent confusions, the most frequent first."""
        counts = Counter(
            (row.true_label, row.predicted) for row in self.rows if row.correct is False and not self.several
        )
        return [Confusion(*pair, n, 0) for pair, n in counts.most_common(CONFUSIONS)]

    def label_counts(self) -> LabelCounts | None:
        """Return the counts from which precision, recall and F1 follow; None unless the model is multi-label."""
        if not self.several or not self.labeled:
            return None
        counts = LabelCounts(len(self.classes))
        for row in self.rows:
            if row.true_labels is not None:
                counts.add(row.true_labels, row.predicted_labels)
        return counts

    def facts(self) -> list[Fact]:
        """Return the settings of the explanations and the date of the report."""
        return [*(fact for fact in self._settings if fact.value), Fact("written", today())]


def _settings(explanation: Explanation) -> tuple[Fact, ...]:
    return (
        Fact("method", method_title(explanation)),
        Fact("rule", rule_title(explanation)),
        Fact("start", start_title(explanation)),
        Fact("model", explanation.model),
        Fact("textlrp", explanation.version),
    )


def with_targets(explanation: Explanation, rows: list[int]) -> Explanation:
    """Return the explanation with some of its targets only, selected by their positions."""
    pieces = explanation.pieces
    return replace(
        explanation,
        targets=tuple(explanation.targets[row] for row in rows),
        relevance=explanation.relevance[rows],
        ledger={key: entry[rows] for key, entry in explanation.ledger.items()},
        phrases=tuple(phrase._replace(relevance=phrase.relevance[rows]) for phrase in explanation.phrases),
        target_notes=tuple(explanation.target_notes[row] for row in rows if explanation.target_notes),
        pieces=pieces and replace(pieces, relevance=pieces.relevance[rows]),
    )


def _confidence(explanation: Explanation) -> float:
    """Return the probability of the predicted class.

    Without probabilities it is the logistic function of the margin to the second highest score; multi-label: of the
    margin of the highest score to its threshold.
    """
    if explanation.probabilities is not None:
        return float(explanation.probabilities[explanation.predicted])
    thresholds = 0.0 if explanation.thresholds is None else explanation.thresholds.astype(np.float64)
    relative, best = explanation.scores.astype(np.float64) - thresholds, explanation.predicted
    others = np.delete(relative, best) if explanation.thresholds is None else np.zeros(0)
    return _logistic(float(relative[best] - others.max(initial=-np.inf if len(others) else 0.0)))


def _logistic(x: float) -> float:
    # scipy's expit would make scipy a requirement of pages
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
