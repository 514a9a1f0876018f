"""Notes on how to read an explanation correctly: sentences for its ``notes`` and ``target_notes``, shown on pages.

Letters: C classes, K explained targets, L words the model reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textlrp.arrays import Array
from textlrp.predicted import highest_position, predicted_positions
from textlrp.records import Target

NOTHING_TO_DISTRIBUTE = "The score is exactly 0: the rule has nothing to distribute."

_BELOW = {"score": "negative", "centered": "below the mean over classes"}
"""Start of propagation -> description of a score for which propagation starts below 0."""


def note_of_table(start: str) -> str:
    """Return the note that a table of many documents shows once for a composite of fixed sign."""
    return (
        f"If a score is {_BELOW[start]}, this rule reverses the signs: words with negative relevance raise the score."
    )


def prediction_note(scores: Array, labels: Sequence[str], thresholds: Array | None) -> tuple[str, ...]:
    """Return a sentence about the prediction of scores (C,) if it is not obvious, else nothing.

    It is needed if several classes share the highest score: the prediction is then the first of them. With the
    ``thresholds`` (C,) of a multi-label model it is needed if no label is predicted.
    """
    if thresholds is not None:
        if predicted_positions(scores, thresholds):
            return ()
        nearest = labels[highest_position(scores, thresholds)]
        return (f"No label is predicted. {nearest} has the score that is closest to its threshold.",)
    highest = scores == scores.max()
    if np.count_nonzero(highest) < 2:
        return ()
    best = np.flatnonzero(highest)
    first, second = (labels[c] for c in best[:2].tolist())
    more = f" and {len(best) - 2} more" if len(best) > 2 else ""
    return (
        f"{len(best)} classes share the highest score ({first}, {second}{more}): the predicted class is the first "
        "of them.",
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
    """Return a sentence for each target whose map must be read differently from the legend, "" for the others.

    Two cases need one: propagation starts below 0 with a composite of fixed sign, or it starts at exactly 0 and so
    every relevance is 0. ``scores`` (C,), ``relevance`` (K, L). ``for_pixels``: the composite has a remark on text,
    because its relevance need not follow a word's effect on the score. Returns () if no target needs a sentence.
    """
    if not fixed_sign and not (start == "score" and np.count_nonzero(scores) < len(scores)):
        return ()
    starts = scores.astype(np.float64)
    if start == "centered":
        starts = starts - starts.mean()
        # Subtracting the mean of equal scores leaves rounding errors; they count as 0.
        starts[np.abs(starts) <= 4 * np.finfo(scores.dtype).eps * np.abs(scores).max(initial=0)] = 0
    notes = tuple(
        _note(target, labels, starts, start, of_target, fixed_sign, for_pixels)
        for target, of_target in zip(targets, relevance, strict=True)
    )
    return notes if any(notes) else ()


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
            f"The score of {labels[c]} is {below}: with this rule, words that raise it are shown as {effect} "
            f"{labels[target[0]]}."
            for c, effect in zip(target, ("opposing", "supporting"), strict=True)
            if fixed_sign and starts[c] < 0
        ]
        return " ".join(sides)
    if fixed_sign and starts[target] < 0 and for_pixels:
        return f"The score is {below}: this rule reverses the sign of every word."
    if fixed_sign and starts[target] < 0:
        return f"The score is {below}: with this rule, blue (opposes the class) marks words that raise it."
    if starts[target] == 0 and start == "score" and relevance.size and not relevance.any():
        return NOTHING_TO_DISTRIBUTE
    return ""
