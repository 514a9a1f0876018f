"""What a report says of many documents together: counts, confusions, a row for each. No HTML in here.

N documents, C classes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from textlrp.class_words import ClassWords, ClassWordTally
from textlrp.explanation import Explanation
from textlrp.reports.balance import Fact
from textlrp.reports.marks import word_sums
from textlrp.reports.numbers import number, percentage
from textlrp.reports.rendering import today
from textlrp.reports.view_titles import method_title, snippet, start_title

ROW_WORDS = 3
"""Words named in the row of a document."""

MATRIX = 60
"""Classes up to which a confusion matrix is drawn."""

CONFUSIONS = 8
"""Most frequent confusions that are told in words."""


class Row(NamedTuple):
    """A document in the list: its place in the corpus from 0, classes as positions in :attr:`Summary.names` (``own``
    is -1 without a label), how sure the model was from 0 to 1000, and its words with the most relevance."""

    position: int
    id: str
    predicted: int
    own: int
    sureness: int
    said: str
    words: tuple[str, ...]
    snippet: str

    @property
    def right(self) -> bool | None:
        """Whether the answer is the document's own label; None without one."""
        return None if self.own < 0 else self.own == self.predicted

    @property
    def cell(self) -> str:
        """The name of its field in the confusion matrix."""
        return f"c{self.own}-{self.predicted}"


class Confusion(NamedTuple):
    """A field of the matrix: how many documents of class ``own`` were named ``predicted``."""

    own: int
    predicted: int
    documents: int
    shade: int

    @property
    def name(self) -> str:
        """That of :attr:`Row.cell`."""
        return f"c{self.own}-{self.predicted}"


@dataclass(slots=True)
class Summary:
    """Explanations, added one at a time: what is kept is a row of each and the words of the classes."""

    classes: dict[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    targets: int = 1
    unknown: int = 0
    _how: tuple[Fact, ...] = ()
    _words: ClassWordTally = field(default_factory=ClassWordTally)

    def add(self, explanation: Explanation) -> Row:
        """Count an explanation; its words count for the target shown first."""
        for label in explanation.labels:
            self.classes.setdefault(label, len(self.classes))
        own = -1
        if explanation.true_label is not None:
            own = self.classes[explanation.true_label] if explanation.true_label in explanation.labels else -1
            self.unknown += own < 0
        shown = explanation.row()
        self._how = self._how or _how(explanation)
        self._words.add(with_targets(explanation, [shown]))
        self.targets = max(self.targets, len(explanation.targets))
        best = explanation.predicted
        sums = word_sums(explanation, [shown])
        order = np.argsort(-sums.sums[0], kind="stable")[:ROW_WORDS]
        sure = _sureness(explanation)
        row = Row(
            len(self.rows),
            explanation.document_id,
            self.classes[explanation.labels[best]],
            own,
            round(1000 * sure),
            percentage(sure) if explanation.probabilities is not None else number(float(explanation.scores[best])),
            tuple(sums.words[w] for w in order.tolist() if sums.sums[0, w] > 0),
            snippet(explanation),
        )
        self.rows.append(row)
        return row

    @property
    def names(self) -> list[str]:
        """(C,) the classes, those of the model first."""
        return list(self.classes)

    @property
    def labeled(self) -> int:
        """Documents whose true label is a class of the model; ``unknown`` counts those whose label is none."""
        return sum(row.own >= 0 for row in self.rows)

    @property
    def right(self) -> int:
        """Of those, documents whose label the model named."""
        return sum(row.right is True for row in self.rows)

    def words(self) -> list[ClassWords]:
        """The words of each class."""
        return self._words.found()

    def matrix(self) -> list[list[Confusion]]:
        """(C, C) own label by predicted class; empty where there are no labels or too many classes."""
        counts = Counter((row.own, row.predicted) for row in self.rows if row.own >= 0)
        if not counts or len(self.classes) > MATRIX:
            return []
        most = {own: max(n for (g, _), n in counts.items() if g == own) for own, _ in counts}
        places = range(len(self.classes))
        return [
            [Confusion(g, p, counts[g, p], round(100 * counts[g, p] / most[g]) if g in most else 0) for p in places]
            for g in places
        ]

    def confusions(self) -> list[Confusion]:
        """The most frequent ones, the most frequent first."""
        counts = Counter((row.own, row.predicted) for row in self.rows if row.right is False)
        return [Confusion(*pair, n, 0) for pair, n in counts.most_common(CONFUSIONS)]

    def facts(self) -> list[Fact]:
        """How the explanations were made, and when this was written."""
        return [*(fact for fact in self._how if fact.value), Fact("written", today())]


def _how(explanation: Explanation) -> tuple[Fact, ...]:
    return (
        Fact("method", method_title(explanation)),
        Fact("rule", explanation.rule),
        Fact("start", start_title(explanation)),
        Fact("model", explanation.model),
        Fact("textlrp", explanation.version),
    )


def with_targets(explanation: Explanation, rows: list[int]) -> Explanation:
    """The explanation of some of its targets, by their positions."""
    return replace(
        explanation,
        targets=tuple(explanation.targets[row] for row in rows),
        relevance=explanation.relevance[rows],
        ledger={key: entry[rows] for key, entry in explanation.ledger.items()},
        phrases=tuple(phrase._replace(relevance=phrase.relevance[rows]) for phrase in explanation.phrases),
        target_notes=tuple(explanation.target_notes[row] for row in rows if explanation.target_notes),
    )


def _sureness(explanation: Explanation) -> float:
    """The probability of the predicted class, or where there is none the logistic of its lead in score."""
    if explanation.probabilities is not None:
        return float(explanation.probabilities[explanation.predicted])
    ordered = np.sort(explanation.scores.astype(np.float64))
    lead = ordered[-1] - ordered[-2] if len(ordered) > 1 else ordered[-1]  # one score is held against 0
    return float(expit(lead))
