"""The one check that scores and relevance are finite numbers, for every kind of model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import ModelError

RETRAIN = (
    "The model's weights are too large or not finite: train it again with a lower learning rate, or with more "
    "smoothing or regularization."
)


def check_scores(
    scores: NDArray[Any], classes: Sequence[Any] | NDArray[Any], name: Callable[[int], str]
) -> NDArray[Any]:
    """Return scores (N, C); raise :class:`ModelError` where one is not finite. ``name``: row -> its text."""
    if not np.isfinite(scores).all():
        n = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
        raise not_finite(scores[n], classes, name(n))
    return scores


def not_finite(
    scores: NDArray[Any], classes: Sequence[Any] | NDArray[Any], name: str, advice: str = RETRAIN
) -> ModelError:
    """The error on the scores (C,) of a text of which one is NaN or infinite."""
    c = int(np.flatnonzero(~np.isfinite(scores))[0])
    label = classes[c].item() if isinstance(classes, np.ndarray) else classes[c]
    return ModelError(f"scores must be finite; text {name!r} got {scores[c]} for class {label!r}. {advice}")


def finite_weights(weights: NDArray[Any], what: str, advice: str) -> NDArray[Any]:
    """Return weights; raise :class:`ModelError` where some are NaN or infinite, with advice on how to avoid it."""
    bad = ~np.isfinite(weights)
    if bad.any():
        raise ModelError(
            f"{what} must be finite; got {weights[bad][0]} in {bad.sum():,} of {weights.size:,} places. {advice}"
        )
    return weights
