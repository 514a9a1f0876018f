"""The score breakdown: the score of a target as the sum of the relevance of words and of absorbed parts.

The causes are those of ``Explanation.ledger``. If the parts do not sum to the score, as with some
methods, the difference is a part of its own, so that a page never shows a wrong sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.reports.marks import shown_relevance
from textlrp.reports.numbers import decimals, is_zero, number

CAUSES = {
    "bias": "bias",
    "stabilizer": "stabilizer",
    "empty": "empty parts (no contribution of that sign)",
    "ignored": "ignored words (unknown words, padding)",
    "special": "special tokens",
    "position": "position embeddings",
    "token type": "token-type embeddings",
    "softmax": "softmax of attention",
    "absent": "words that are not in the text",
    "baseline": "baseline (score of an empty text)",
    "unsummed": "numerical error of the method",
}
"""Cause in the ledger -> its name on pages and in the terminal."""

CAUSES_OF_METHODS = {
    ("occlusion", "unsummed"): "rest (joint effects of words, and the score without words)",
    ("lime", "baseline"): "intercept of the regression",
    ("lime", "unsummed"): "error of the regression",
}
"""(method, cause) -> its name where it is not the one of :data:`CAUSES`."""

TOLERANCE = 1e-4
"""The parts sum to the score if they differ by less than this share of sum |relevance| + sum |ledger|.

Far above the float32 rounding error of sums over long documents, far below anything a reader should know about.
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value, as text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ScoreBreakdown:
    """The parts that sum to the score of one target, as text.

    ``mean`` is the mean score over classes if propagation started from the score minus that mean, else None.
    ``remainder`` is None if the parts sum to the score, else what is missing.
    """

    score: str
    words: str
    absorbed: tuple[Fact, ...]
    mean: str | None
    remainder: str | None

    @property
    def line(self) -> str:
        """The breakdown on one line, without absorbed parts that round to zero."""
        absorbed = (part for part in self.absorbed if not is_zero(part.value))
        parts = [
            Fact("relevance of words", self.words),
            *(Fact(f"absorbed by {part.name}", part.value) for part in absorbed),
        ]
        if self.mean is not None:
            parts.append(Fact("mean score over classes", self.mean))
        if self.remainder is not None:
            parts.append(Fact("not accounted for by this method", self.remainder))
        return f"{self.score} = " + ", ".join(f"{part.value} {part.name}" for part in parts)


def score_breakdowns(explanation: Explanation) -> list[ScoreBreakdown]:
    """Return one breakdown per target."""
    digits = decimals(float(np.abs(explanation.scores).max()))
    scores, ledger = explanation.target_scores.astype(np.float64), _by_cause(explanation)
    relevance = shown_relevance(explanation, range(len(explanation.targets)))
    found = []
    starts = explanation.start_scores.astype(np.float64)
    for row, (score, start) in enumerate(zip(scores.tolist(), starts.tolist(), strict=True)):
        # a contrast has no mean: it cancels in the difference of the two scores
        centered = explanation.start == "centered" and not isinstance(explanation.targets[row], tuple)
        words = float(relevance[row].sum())
        parts = {cause: float(entry[row]) for cause, entry in ledger.items()}
        remainder = start - words - sum(parts.values())
        total = float(np.abs(relevance[row]).sum()) + sum(abs(part) for part in parts.values())
        found.append(
            ScoreBreakdown(
                score=number(score, digits),
                words=number(words, digits, signed=True),
                absorbed=tuple(
                    Fact(cause_name(explanation.method, c), number(p, digits, signed=True)) for c, p in parts.items()
                ),
                mean=number(explanation.mean_score, digits, signed=True) if centered else None,
                remainder=number(remainder, digits, signed=True) if abs(remainder) > TOLERANCE * total else None,
            )
        )
    return found


def cause_name(method: str, cause: str) -> str:
    """Return the name of a cause in the ledger of a method, for readers."""
    return CAUSES_OF_METHODS.get((method, cause), CAUSES.get(cause, cause))


def _by_cause(explanation: Explanation) -> dict[str, np.ndarray]:
    """Sum the ledger over steps: cause -> (K,), ordered as :data:`CAUSES`, without causes that absorbed nothing."""
    sums: dict[str, np.ndarray] = {}
    for (_, cause), entry in explanation.ledger.items():
        sums[cause] = sums.get(cause, np.zeros(len(explanation.targets))) + entry
    order = [*(cause for cause in CAUSES if cause in sums), *(cause for cause in sums if cause not in CAUSES)]
    return {cause: sums[cause] for cause in order if np.any(sums[cause] != 0.0)}
