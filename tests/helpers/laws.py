"""The laws of an explanation as relative differences, which are 0 if the law is satisfied exactly.

Open this module to test that relevance + absorbed is the score, or that two explanations are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textlrp.explanation import Explanation


def gap(difference: Any, relevance: Any, ledger: Any) -> float:
    """The largest |difference| relative to sum |relevance| + sum |ledger| of one document and target; inf for NaN."""
    size = float(np.abs(np.asarray(relevance, dtype=np.float64)).sum())
    size += float(sum(np.abs(np.asarray(entry, dtype=np.float64)).sum() for entry in ledger))
    largest = float(np.abs(np.asarray(difference, dtype=np.float64)).max(initial=0.0))
    found = largest / size if size else largest
    return found if np.isfinite(found) else np.inf


def entries(explanation: Explanation, k: int) -> list[float]:
    """The ledger entries of target ``k``."""
    return [float(entry[k]) for entry in explanation.ledger.values()]


def score_gap(explanation: Explanation, *, without: tuple[str, str] | None = None) -> float:
    """Law 1: the largest difference between relevance + absorbed and start score, ``without`` one ledger entry."""
    worst = 0.0
    for k, score in enumerate(explanation.start_scores):
        absorbed = sum(float(entry[k]) for key, entry in explanation.ledger.items() if key != without)
        missing = explanation.relevance[k].sum(dtype=np.float64) + absorbed - float(score)
        worst = max(worst, gap(missing, explanation.relevance[k], entries(explanation, k)))
    return worst


def trace_gap(trace: Any, found: Any, targets: Sequence[int] | None = None) -> float:
    """Law 1 of a trace: the largest difference between relevance + absorbed and the scores of ``targets`` (all)."""
    worst = 0.0
    for k, target in enumerate(range(trace.scores.shape[1]) if targets is None else targets):
        for n in range(len(trace.scores)):
            relevance = found.relevance[k, n].numpy()
            absorbed = [float(entry[k, n]) for entry in found.ledger.values()]
            missing = relevance.sum(dtype=np.float64) + sum(absorbed) - float(trace.scores[n, target])
            worst = max(worst, gap(missing, relevance, absorbed))
    return worst


def difference(one: Explanation, other: Explanation) -> float:
    """Law 3: the largest difference of relevance, ledger and scores of two explanations of a document."""
    assert one.targets == other.targets
    worst = 0.0
    for k in range(len(one.targets)):
        size = other.relevance[k], entries(other, k)
        worst = max(worst, gap(one.relevance[k] - other.relevance[k], *size))
        nothing = np.zeros(len(one.targets))
        for key in one.ledger.keys() | other.ledger.keys():
            entry_difference = one.ledger.get(key, nothing)[k] - other.ledger.get(key, nothing)[k]
            worst = max(worst, gap(entry_difference, *size))
    assert np.abs(one.scores - other.scores).max() <= 1e-5 * np.abs(other.scores).max()
    return worst
