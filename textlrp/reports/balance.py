"""Where a score went: the words, each cause of the ledger, and what a method leaves unaccounted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.reports.marks import shown_relevance
from textlrp.reports.numbers import decimals, number

CAUSES = {
    "bias": "the model’s bias",
    "stabilizer": "the rule’s stabilizer",
    "empty": "parts with nothing to share",
    "ignored": "ignored positions",
    "absent": "words the text does not have",
    "baseline": "the score of an empty text",
    "unsummed": "the method’s numeric remainder",
}
"""The causes of the ledger in plain words."""

TOLERANCE = 1e-4
"""Of sum |relevance| + sum |ledger|: float32 sums of long documents stay far below it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value, as text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Balance:
    """How the score of one target is made up; ``left_over`` is None where the parts sum to the score.

    ``mean`` is the mean over classes where propagation started from the score without it, else None.
    """

    score: str
    on_words: str
    absorbed: tuple[Fact, ...]
    mean: str | None
    left_over: str | None

    @property
    def line(self) -> str:
        """All of it on one line, without what rounds to nothing."""
        absorbed = (part for part in self.absorbed if any(figure in part.value for figure in "123456789"))
        parts = [Fact("on the words", self.on_words), *absorbed]
        if self.mean is not None:
            parts.append(Fact("mean score over classes", self.mean))
        if self.left_over is not None:
            parts.append(Fact("not accounted for by this method", self.left_over))
        return f"{self.score} = " + ", ".join(f"{part.value} {part.name}" for part in parts)


def balances(explanation: Explanation) -> list[Balance]:
    """One balance per target."""
    digits = decimals(float(np.abs(explanation.scores).max()))
    scores, ledger = explanation.target_scores.astype(np.float64), _by_cause(explanation)
    on_words = shown_relevance(explanation, range(len(explanation.targets)))
    found = []
    starts = explanation.start_scores.astype(np.float64)
    for row, (score, start) in enumerate(zip(scores.tolist(), starts.tolist(), strict=True)):
        centered = explanation.start == "centered" and not isinstance(explanation.targets[row], tuple)
        words = float(on_words[row].sum())
        parts = {cause: float(entry[row]) for cause, entry in ledger.items()}
        left_over = start - words - sum(parts.values())
        whole = float(np.abs(on_words[row]).sum()) + sum(abs(part) for part in parts.values())
        found.append(
            Balance(
                score=number(score, digits),
                on_words=number(words, digits, signed=True),
                absorbed=tuple(Fact(CAUSES.get(c, c), number(p, digits, signed=True)) for c, p in parts.items()),
                mean=number(explanation.mean_score, digits, signed=True) if centered else None,
                left_over=number(left_over, digits, signed=True) if abs(left_over) > TOLERANCE * whole else None,
            )
        )
    return found


def _by_cause(explanation: Explanation) -> dict[str, np.ndarray]:
    """The ledger summed over steps, causes in their usual order; causes that took nothing are left out."""
    sums: dict[str, np.ndarray] = {}
    for (_, cause), entry in explanation.ledger.items():
        sums[cause] = sums.get(cause, np.zeros(len(explanation.targets))) + entry
    order = [*(cause for cause in CAUSES if cause in sums), *(cause for cause in sums if cause not in CAUSES)]
    return {cause: sums[cause] for cause in order if np.any(sums[cause] != 0.0)}
