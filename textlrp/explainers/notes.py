"""What a reader of an explanation must know to read it correctly: sentences for its ``notes`` and ``target_notes``.

Letters: C classes, K explained targets, L words read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textlrp.arrays import Array
from textlrp.records import Target

NOTHING_TO_SHARE = "The score is exactly 0: the rule has nothing to share."

_BELOW = {"score": "negative", "centered": "below the mean over classes"}
"""What a score is whose start is below 0."""


def note_of_table(start: str) -> str:
    """What a table of many documents says once about a composite of fixed sign."""
    return (
        f"Where a score is {_BELOW[start]}, this rule reverses the signs: negative relevance marks what raises the "
        "score."
    )


def tie_note(scores: Array, labels: Sequence[str]) -> tuple[str, ...]:
    """A sentence if several classes share the highest score (C,), so that the prediction is the first of them."""
    highest = scores == scores.max()
    if np.count_nonzero(highest) < 2:
        return ()
    best = np.flatnonzero(highest)
    first, second = (labels[c] for c in best[:2].tolist())
    more = f", and so are {len(best) - 2} more" if len(best) > 2 else ""
    return (
        f"The two highest scores are exactly equal ({first}, {second}{more}): the predicted class is the first of "
        "them.",
    )


def notes_of_targets(
    targets: Sequence[Target],
    labels: Sequence[str],
    scores: Array,
    start: str,
    relevance: Array,
    *,
    fixed_sign: bool,
    for_pixels: bool = False,
) -> tuple[str, ...]:
    """A sentence for each target whose map reads differently from the legend, "" for the others; () for none at all.

    That is a start below 0 with a composite of fixed sign, and a start of exactly 0 that left every word at 0.
    ``scores`` (C,), ``relevance`` (K, L). ``for_pixels``: the composite has a remark on text, so that its relevance
    need not follow what a word does to the score.
    """
    if not fixed_sign and not (start == "score" and np.count_nonzero(scores) < len(scores)):
        return ()
    starts = scores.astype(np.float64)
    if start == "centered":
        starts = starts - starts.mean()
        starts[np.abs(starts) <= 4 * np.finfo(scores.dtype).eps * np.abs(scores).max(initial=0)] = 0
    found = tuple(
        _note(target, labels, starts, start, own, fixed_sign, for_pixels)
        for target, own in zip(targets, relevance, strict=True)
    )
    return found if any(found) else ()


def _note(
    target: Target,
    labels: Sequence[str],
    starts: Array,
    start: str,
    relevance: Array,
    fixed_sign: bool,
    for_pixels: bool,
) -> str:
    below = _BELOW[start]
    if isinstance(target, tuple):
        sides = [
            f"The score of {labels[c]} is {below}: with this rule, what raises it counts {side} {labels[target[0]]}."
            for c, side in zip(target, ("against", "for"), strict=True)
            if fixed_sign and starts[c] < 0
        ]
        return " ".join(sides)
    if fixed_sign and starts[target] < 0 and for_pixels:
        return f"The score is {below}: this rule reverses the sign of every word."
    if fixed_sign and starts[target] < 0:
        return f"The score is {below}: with this rule, blue (against the class) marks what raises it."
    if starts[target] == 0 and start == "score" and relevance.size and not relevance.any():
        return NOTHING_TO_SHARE
    return ""
