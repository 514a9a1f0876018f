"""Save a model to a folder with ``config.json`` and ``model.safetensors``, without pickle.

The vocabulary is stored among the tensors as UTF-8 bytes. With ``compress=True``, word vectors are stored as 8-bit
integers with one scale per word, and other weights in half precision. Open it for the format;
:mod:`textlrp.models.loading` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from textlrp.errors import ModelError
from textlrp.models.model_folder import FOLDER_FORMAT, MULTILABEL_FORMAT, check_replaceable, write_folder
from textlrp.models.options import plain_option
from textlrp.models.schema import COUNTS, QUANTIZED, WORDS, Sizes, TensorSpec
from textlrp.models.tensor_file import check_shapes, check_values
from textlrp.text.vectors import Vectors
from textlrp.version import __version__

if TYPE_CHECKING:
    from textlrp.models.base import TextClassifier


def save_model(
    model: TextClassifier,
    path: str | Path,
    *,
    compress: bool = False,
    card: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Path:
    """Write a fitted model to the folder ``path`` and return it; an older model there is replaced.

    The model is first written to a temporary folder next to it, so that an interruption leaves no half of a model.
    ``compress`` stores word vectors in 8 bits and other weights in 16. ``card`` has information about the model that
    can be stored as JSON, such as command, seed and accuracy. Raises :class:`ModelError` if ``path`` is anything but
    a model folder; with ``force`` it is renamed to a backup name.
    """
    model.check_fitted()
    target = Path(path)
    check_replaceable(target, force=force)
    tensors = _compressed(model.weights_) if compress else dict(model.weights_)
    _check_saved(model, tensors)
    tensors[WORDS] = np.frombuffer("\n".join(model.vocabulary_.words).encode(), dtype=np.uint8)
    tensors[COUNTS] = model.vocabulary_.counts
    config = {
        "format": FOLDER_FORMAT,
        "textlrp": __version__,
        "kind": model.kind,
        "options": {name: stored_option(value) for name, value in model.options().items()},
        "classes": model.classes_.tolist(),
        "documents": model.n_documents_,
        "vocabulary_documents": model.vocabulary_.documents,
        "shapes": {name: list(weight.shape) for name, weight in model.weights_.items()},
        "card": dict(card or {}),
    }
    if model.thresholds_ is not None:
        config |= {"format": MULTILABEL_FORMAT, "thresholds": model.thresholds_.tolist()}
    try:
        write_folder(
            target, {name: np.ascontiguousarray(array) for name, array in tensors.items()}, config, force=force
        )
    except (OSError, SafetensorError) as reason:
        raise ModelError(f"cannot write the model to {str(target)!r}: {reason}. Choose another folder.") from None
    return target


def _check_saved(model: TextClassifier, tensors: dict[str, NDArray[Any]]) -> None:
    """Raise :class:`ModelError` for a model that :func:`textlrp.load` would refuse if these tensors were written."""
    shapes = {name: weight.shape for name, weight in model.weights_.items()}
    specs = specs_of(model, len(model.classes_), len(model.vocabulary_), shapes)
    try:
        check_values(specs, model.weights_)
        model.check_weights(model.weights_, model.vocabulary_)
    except ModelError as broken:
        raise ModelError(f"the model cannot be saved: {broken} Train it again with other options.") from None
    try:
        check_values(specs, expanded(tensors, specs, model.dtype))
    except ModelError as broken:
        raise ModelError(f"the model cannot be compressed: {broken} Save it without compress=True.") from None


def specs_of(
    model: TextClassifier, classes: int, words: int, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, TensorSpec]:
    """Return the tensors that this model must have; raise :class:`ModelError` if ``shapes`` differ."""
    specs = model.tensor_specs(Sizes(classes, words, shapes))
    check_shapes(specs, shapes)
    return specs


def stored_option(value: Any) -> Any:
    """Return an option as a value for JSON; None for a ``RandomState`` and for ``Vectors``."""
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, (Vectors, np.random.RandomState)) else plain_option(value)


def _compressed(weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The tensors in the formats of ``compress=True``."""
    stored: dict[str, NDArray[Any]] = {}
    with np.errstate(over="ignore"):  # check_values reports overflows
        for name, weight in weights.items():
            if name == QUANTIZED:
                scale = np.abs(weight).max(axis=1, keepdims=True) / 127
                stored[f"{name}.q8"] = np.round(weight / np.where(scale > 0, scale, 1)).astype(np.int8)
                stored[f"{name}.scale"] = scale.astype(np.float32)
            else:
                stored[name] = weight.astype(np.float16) if weight.dtype.kind == "f" else weight
    return stored


def expanded(
    tensors: Mapping[str, NDArray[Any]], specs: Mapping[str, TensorSpec], dtype: str
) -> dict[str, NDArray[Any]]:
    """Return checked tensors as the model uses them: floats in its ``dtype``, 8-bit vectors times their scales."""
    weights: dict[str, NDArray[Any]] = {}
    with np.errstate(over="ignore", invalid="ignore"):  # check_values reports overflows
        for name, spec in specs.items():
            if f"{name}.q8" in tensors:
                weight = tensors[f"{name}.q8"].astype(np.float32) * tensors[f"{name}.scale"]
            else:
                weight = tensors[name]
            weights[name] = weight if spec.integer else weight.astype(dtype, copy=False)
    return weights
