"""Copies of fitted classifiers with random weights.

Source: Adebayo et al. 2018 (arXiv 1810.03292), section 3.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import OptionError
from textlrp.models.base import TextClassifier
from textlrp.models.options import check_whole

Fitted = TypeVar("Fitted", bound=TextClassifier)

_NOT_LEARNED = ("idf",)
"""Numbers counted from the training texts; the others are learned."""


def cascade(model: TextClassifier) -> tuple[str, ...]:
    """The layers of a fitted classifier from the scores to the words: "output", "convolutions", "embedding"."""
    groups = dict.fromkeys(_weight_group(name) for name in _learned(model))
    return tuple(name for name in ("output", "convolutions", "embedding") if name in groups)


def randomized(model: Fitted, layers: Sequence[str], *, seed: int = 0) -> Fitted:
    """A copy of a fitted classifier with the weights of some layers, and their biases, shuffled.

    ``layers`` out of :func:`cascade`, or a single convolution such as "conv2". Each array keeps its own numbers, so
    mean and spread stay; the unknown word keeps its zero vector. The same seed shuffles a layer the same way whatever
    the other layers are. The model itself is left as it is. Raises :class:`OptionError` for a layer that it has not.
    """
    check_whole("seed", seed + 1)
    learned = _learned(model)
    known = {*cascade(model), *(name.partition(".")[0] for name in learned)}
    for layer in layers:
        if layer not in known:
            raise OptionError(
                f"this {type(model).__name__} has no layer {layer!r}; it has {', '.join(sorted(known))}."
            )
    changed = copy.copy(model)
    for kept in [name for name in vars(model) if name.startswith("_") and name != "_sklearn_output_config"]:
        delattr(changed, kept)  # whatever an estimator remembers may hang on its weights
    changed.weights_ = {
        name: _shuffled(name, weight, seed)
        if name in learned and not {_weight_group(name), name.partition(".")[0]}.isdisjoint(layers)
        else weight.copy()
        for name, weight in model.weights_.items()
    }
    return changed


def _learned(model: TextClassifier) -> tuple[str, ...]:
    return tuple(
        name for name, array in model.weights_.items() if array.dtype.kind == "f" and name not in _NOT_LEARNED
    )


def _weight_group(name: str) -> str:
    return "convolutions" if name.startswith("conv") else name.partition(".")[0]


def _shuffled(name: str, weight: NDArray[Any], seed: int) -> NDArray[Any]:
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    first = 1 if name == "embedding" else 0
    shuffled = weight.copy()
    shuffled[first:] = random.permutation(weight[first:].reshape(-1)).reshape(weight[first:].shape)
    return shuffled
