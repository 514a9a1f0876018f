"""Checks that scores and weights are finite, for every kind of model, and the error if they are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import ModelError

RETRAIN = (
    "The model's weights are too large or not finite. Train it again with a lower learning rate, or with more "
    "smoothing or regularization."
)


def check_scores(
    scores: NDArray[Any], classes: Sequence[Any] | NDArray[Any], name: Callable[[int], str]
) -> NDArray[Any]:
    """Return scores (N, C); raise :class:`ModelError` if one is not finite.

    ``name`` maps a row to the name of its text, for the message.
    """
    if not np.isfinite(scores).all():
        n = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
        raise not_finite(scores[n], classes, name(n))
    return scores


def not_finite(
    scores: NDArray[Any], classes: Sequence[Any] | NDArray[Any], name: str, advice: str = RETRAIN
) -> ModelError:
    """Return the error for the scores (C,) of a text if one is NaN or infinite."""
    c = int(np.flatnonzero(~np.isfinite(scores))[0])
    label = classes[c].item() if isinstance(classes, np.ndarray) else classes[c]
    return ModelError(f"scores must be finite; text {name!r} got {scores[c]} for class {label!r}. {advice}")


def finite_weights(weights: NDArray[Any], what: str, advice: str) -> NDArray[Any]:
    """Return weights; raise :class:`ModelError` if some are NaN or infinite. ``advice`` ends the message."""
    bad = ~np.isfinite(weights)
    if bad.any():
        raise ModelError(
            f"{what} must be finite; got {weights[bad][0]} in {bad.sum():,} of {weights.size:,} numbers. {advice}"
        )
    return weights
