"""The score breakdown: the score of a target as the sum of the relevance of words and of other parts.

The causes are those of ``Explanation.ledger``. If the parts do not sum to the score, as with some methods, the
difference is a part of its own, so that a page never shows a wrong sum. The remarks on a breakdown are decided here,
for pages, mails and the terminal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textlrp.explanation import Explanation
from textlrp.reports.glossary import REMAINDER
from textlrp.reports.marks import shown_relevance
from textlrp.reports.numbers import decimals, is_zero, number
from textlrp.reports.view_titles import quantity_of

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
}
"""Cause in the ledger -> the name of what absorbs relevance, on pages and in the terminal."""

_NAMED_PARTS = {
    "baseline": "score of an empty text (baseline)",
    "unsummed": "numerical error of the method",
    "absorbed": "absorbed by all causes together",
    "left out": "relevance of words that were not stored",
}
"""Cause -> name of the part, where "absorbed by" and the cause would not name it. Tables store the last two."""
_PARTS_OF_METHODS = {
    ("occlusion", "unsummed"): REMAINDER,
    ("lime", "baseline"): "intercept of the regression",
    ("lime", "unsummed"): "error of the regression",
}
"""(method, cause) -> name of the part where it is not the one of :data:`_NAMED_PARTS`."""

_HINT = " A contrast with another class leaves out what both classes have in common."

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
    """The ``parts`` that sum to the score of one target, as text; the first is the relevance of words.

    ``centered`` is whether propagation started from the score minus the mean over classes, which is then a part.
    ``remarks`` are sentences about it: that relevance does not sum to the score, or that a part is larger than all
    relevance.
    """

    score: str
    parts: tuple[Fact, ...]
    centered: bool
    remarks: tuple[str, ...]

    @property
    def line(self) -> str:
        """The breakdown on one line, without parts that round to zero."""
        words, *others = self.parts
        shown = [words, *(part for part in others if not is_zero(part.value))]
        return f"{self.score} = " + ", ".join(f"{part.value} {part.name}" for part in shown)


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
        words, size = float(relevance[row].sum()), float(np.abs(relevance[row]).sum())
        others = {_part_name(explanation, cause): float(entry[row]) for cause, entry in ledger.items()}
        remainder = start - words - sum(others.values())
        if abs(remainder) > TOLERANCE * (size + sum(map(abs, others.values()))):
            others[REMAINDER] = others.get(REMAINDER, 0.0) + remainder
        one_class = explanation.thresholds is None and not isinstance(explanation.targets[row], tuple)
        remarks = _remarks(others, size, digits, quantity_of(explanation), one_class=one_class)
        if centered:
            others["mean score over classes"] = explanation.mean_score
        parts = [Fact(name, number(value, digits, signed=True)) for name, value in others.items()]
        first = Fact("relevance of words", number(words, digits, signed=True))
        found.append(ScoreBreakdown(number(score, digits), (first, *parts), centered, remarks))
    return found


def cause_name(cause: str) -> str:
    """Return the name of a cause in the ledger, for readers."""
    return CAUSES.get(cause, _NAMED_PARTS.get(cause, cause))


def _part_name(explanation: Explanation, cause: str) -> str:
    part = _PARTS_OF_METHODS.get((explanation.method, cause), _NAMED_PARTS.get(cause))
    return f"absorbed by {cause_name(cause)}" if part is None else part.replace("score", quantity_of(explanation))


def _remarks(
    others: dict[str, float], size: float, digits: int, quantity: str, *, one_class: bool
) -> tuple[str, ...]:
    """The remarks on a breakdown with these parts besides the words, whose |relevance| sums to ``size``.

    ``one_class``: whether the target is one class of several, not a contrast or one of several labels.
    """
    remarks = []
    if not is_zero(number(others.get(REMAINDER, 0.0), digits)):
        remarks.append(f"With this method, relevance does not sum to the {quantity}; see the score breakdown.")
    name, value = max(others.items(), key=lambda part: abs(part[1]), default=("", 0.0))
    if 0 < size < abs(value):
        remarks.append(
            f"A part of the {quantity} that belongs to no word is larger than the |relevance| of all words together: "
            f"{number(value, digits, signed=True)} {name}; the |relevance| of words sums to {number(size, digits)}."
            + (_HINT if one_class and name.startswith("absorbed by") else "")
        )
    return tuple(remarks)


def _by_cause(explanation: Explanation) -> dict[str, np.ndarray]:
    """Sum the ledger over steps: cause -> (K,), in the order of the names above, without causes of nothing."""
    sums: dict[str, np.ndarray] = {}
    for (_, cause), entry in explanation.ledger.items():
        sums[cause] = sums.get(cause, np.zeros(len(explanation.targets))) + entry
    known = (*CAUSES, *_NAMED_PARTS)
    order = [*(cause for cause in known if cause in sums), *(cause for cause in sums if cause not in known)]
    return {cause: sums[cause] for cause in order if np.any(sums[cause] != 0.0)}
