"""Copies of fitted classifiers with shuffled weights, for the model parameter randomization test.

Source: Adebayo et al. 2018 (arXiv 1810.03292), section 3.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from textlrp.errors import ModelError, OptionError
from textlrp.models.base import TextClassifier
from textlrp.models.options import check_whole

Fitted = TypeVar("Fitted", bound=TextClassifier)

_NOT_LEARNED = ("idf",)
"""Arrays that are computed from the training texts and not learned; they are not shuffled."""


def cascade_layers(model: TextClassifier) -> tuple[str, ...]:
    """The layers of a fitted classifier from the output to the input: "output", "convolutions", "embedding"."""
    groups = dict.fromkeys(_weight_group(name) for name in _learned(model))
    return tuple(name for name in ("output", "convolutions", "embedding") if name in groups)


def randomize_weights(model: Fitted, layers: Sequence[str], *, seed: int = 0) -> Fitted:
    """Return a copy of a fitted classifier with the weights and biases of some layers shuffled.

    ``layers`` are names of :func:`cascade_layers`, or of single convolutions such as "conv2". Shuffling keeps the
    values of each array, so its mean and variance stay the same; the unknown word keeps its zero vector. A layer is
    shuffled the same way for the same seed, whichever other layers are shuffled. The model itself does not change.
    Raises :class:`OptionError` for a layer that the model does not have.
    """
    check_whole("seed", seed + 1)
    learned = _learned(model)
    known = {*cascade_layers(model), *(name.partition(".")[0] for name in learned)}
    for layer in layers:
        if layer not in known:
            raise OptionError(
                f"layers must be some of {', '.join(sorted(known))} for a {type(model).__name__}; got {layer!r}."
            )
    changed = copy.copy(model)
    for kept in [name for name in vars(model) if name.startswith("_") and name != "_sklearn_output_config"]:
        delattr(changed, kept)  # private attributes are caches, and may depend on the weights
    changed.weights_ = {
        name: _shuffled(name, weight, seed)
        if name in learned and not {_weight_group(name), name.partition(".")[0]}.isdisjoint(layers)
        else weight.copy()
        for name, weight in model.weights_.items()
    }
    return changed


def fully_randomized(model: Fitted, *, seed: int = 0) -> Fitted:
    """Return a copy of a fitted classifier in which all layers are shuffled; see :func:`randomize_weights`."""
    return randomize_weights(model, cascade_layers(model), seed=seed)


def randomizable(model: object) -> TextClassifier:
    """Return the model; raise :class:`ModelError` if its layers are not known."""
    if not isinstance(model, TextClassifier):
        raise ModelError(
            f"model must be a textlrp classifier, whose layers are known; got a {type(model).__name__}. Pass a model "
            "trained or loaded by textlrp."
        )
    return model


def _learned(model: TextClassifier) -> tuple[str, ...]:
    return tuple(
        name for name, array in model.weights_.items() if array.dtype.kind == "f" and name not in _NOT_LEARNED
    )


def _weight_group(name: str) -> str:
    return "convolutions" if name.startswith("conv") else name.partition(".")[0]


def _shuffled(name: str, weight: NDArray[Any], seed: int) -> NDArray[Any]:
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    first = 1 if name == "embedding" else 0  # row 0 is the zero vector of padding and unknown words
    shuffled = weight.copy()
    shuffled[first:] = random.permutation(weight[first:].reshape(-1)).reshape(weight[first:].shape)
    return shuffled
