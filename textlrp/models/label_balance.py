"""Class weights in multi-label classification, where each label is a problem of two classes: without and with it.

Letters: N texts, C classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def label_weights(
    class_weight: str | Mapping[Any, float], classes: NDArray[Any], indicator: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the weights (2, C) of texts without and with each label of an indicator matrix (N, C).

    ``"balanced"`` gives both equal total weight, N / 2. A mapping {label: weight} has the weights of texts with the
    label. Raises ValueError for anything else.
    """
    if isinstance(class_weight, Mapping):
        if not set(class_weight) <= set(classes.tolist()):
            raise ValueError("unknown label")
        with_label = np.array([float(class_weight.get(name, 1.0)) for name in classes.tolist()])
        return np.stack([np.ones(len(classes)), with_label])
    if class_weight != "balanced":
        raise ValueError("unknown class_weight")
    counts = np.stack([(indicator == 0).sum(axis=0), (indicator == 1).sum(axis=0)])
    return np.asarray(len(indicator) / (2 * np.maximum(counts, 1)))


def warn_of_constant_labels(classes: NDArray[Any], indicator: NDArray[np.int64]) -> None:
    """Warn about labels that all or no texts of an indicator matrix (N, C) have."""
    counts = indicator.sum(axis=0)
    for number, what in ((len(indicator), "all"), (0, "no")):
        if names := classes[counts == number].tolist():
            shown = f"{', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''}"
            warnings.warn(
                f"{what} training texts have the label {shown}, so the model cannot learn it. Add texts "
                f"{'without' if number else 'with'} it, or leave out the label.",
                UserWarning,
                stacklevel=3,
            )
