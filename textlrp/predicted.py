"""Which classes scores predict: the highest score, or in multi-label classification all above their thresholds.

Only NumPy is needed. C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def highest_position(scores: NDArray[Any], thresholds: NDArray[Any] | None) -> int:
    """Return the position of the highest score (C,), on a tie the first.

    With ``thresholds`` (C,), each score counts relative to its threshold.
    """
    return int(np.argmax(scores if thresholds is None else scores - thresholds))


def predicted_positions(scores: NDArray[Any], thresholds: NDArray[Any] | None) -> tuple[int, ...]:
    """Return the positions of the predicted classes for scores (C,): one without ``thresholds`` (C,).

    With thresholds these are all classes with a score above the threshold, the highest relative to it first; there
    may be none.
    """
    if thresholds is None:
        return (highest_position(scores, None),)
    margins = scores - thresholds
    order = np.argsort(-margins, kind="stable")
    return tuple(order[: np.count_nonzero(margins > 0)].tolist())
