"""Check the class labels that a user passes for a model of another package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError


def labels_given(classes: Sequence[Any], scores: int | None = None) -> NDArray[Any]:
    """Return labels as an array (C,).

    Raises :class:`OptionError` unless there are at least two, all different, and as many as ``scores`` if given.
    """
    labels = np.array(list(classes))
    if labels.ndim != 1 or len(labels) < 2 or len(set(labels.tolist())) != len(labels):
        raise OptionError(
            f"classes must be a list of at least two different labels, one for each score; got {classes!r}. Pass "
            "classes=['no', 'yes'], for example."
        )
    if scores is not None and len(labels) != scores:
        raise OptionError(
            f"classes must have one label for each score; got {len(labels)} labels for {scores} scores. Pass "
            f"classes= with {scores} labels."
        )
    return labels
