"""Save and load: a folder with ``config.json`` and ``model.safetensors``; never pickle.

The vocabulary lies in the tensors too, as UTF-8 bytes. Saved small (``compress=True``), word vectors are
8-bit integers with one scale per word and other weights are half precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from sklearn.utils.validation import check_is_fitted

from textlrp.errors import ModelError, OptionError
from textlrp.models.base import TextClassifier
from textlrp.models.bow import BagOfWordsClassifier
from textlrp.models.cnn import CNNClassifier
from textlrp.models.embeddings import BagOfEmbeddingsClassifier
from textlrp.models.folder import CONFIG, FORMAT, TENSORS, check_replaceable, checksum, read_config, write_folder
from textlrp.models.options import plain_option
from textlrp.text.vectors import Vectors
from textlrp.text.vocabulary import Vocabulary
from textlrp.version import __version__

KINDS: Mapping[str, type[TextClassifier]] = {
    model.kind: model for model in (CNNClassifier, BagOfEmbeddingsClassifier, BagOfWordsClassifier)
}
OLDER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    BagOfWordsClassifier.kind: {"analyzer": "word", "punctuation": False}
}
"""What an option was before it existed: for models that were saved without it."""
PRETRAINED = Path(__file__).parent.parent / "pretrained"


def save_model(
    model: TextClassifier, path: str | Path, *, compress: bool = False, card: Mapping[str, Any] | None = None
) -> Path:
    """Write a fitted model to a folder, beside it first and then renamed; an older model there is replaced.

    ``compress`` stores word vectors in 8 bits and other weights in 16. ``card``: anything JSON can hold that
    a reader should know (command, seed, accuracy). Raises :class:`ModelError` if ``path`` is something else
    than a model folder.
    """
    check_is_fitted(model, "weights_")
    target = Path(path)
    check_replaceable(target)
    tensors = _compressed(model.weights_) if compress else dict(model.weights_)
    tensors["vocabulary.words"] = np.frombuffer("\n".join(model.vocabulary_.words).encode(), dtype=np.uint8)
    tensors["vocabulary.counts"] = model.vocabulary_.counts
    config = {
        "format": FORMAT,
        "textlrp": __version__,
        "kind": model.kind,
        "options": {name: _stored(value) for name, value in model.get_params(deep=False).items()},
        "classes": model.classes_.tolist(),
        "documents": model.n_documents_,
        "vocabulary_documents": model.vocabulary_.documents,
        "shapes": {name: list(weight.shape) for name, weight in model.weights_.items()},
        "card": dict(card or {}),
    }
    try:
        write_folder(target, {name: np.ascontiguousarray(array) for name, array in tensors.items()}, config)
    except (OSError, SafetensorError) as reason:
        raise ModelError(f"cannot write the model to {str(target)!r}: {reason}.") from None
    return target


def load(
    path: str | Path,
    *,
    tokenizer: Callable[[str], Any] | None = None,
    skip: Callable[[str], Any] | None = None,
) -> TextClassifier:
    """A saved model from its folder, or a bundled one by name ("20newsgroups-cnn", "20newsgroups-boe").

    ``tokenizer`` and ``skip`` give back the functions of a model that was trained with the user's own.
    Raises :class:`ModelError` where the folder is missing, damaged, from a newer version or no model.
    """
    folder = _folder(path)
    config = read_config(folder)
    model = _from_options(folder, config, tokenizer, skip)
    try:
        if config.get("sha256") not in (None, checksum(folder / TENSORS)):
            raise ModelError(f"{folder / TENSORS} is not the file that was saved; copy or save the model again.")
        tensors = load_file(folder / TENSORS)
    except FileNotFoundError:
        raise ModelError(f"{folder} has no {TENSORS}; the folder is incomplete, save the model again.") from None
    except (SafetensorError, OSError) as broken:
        raise ModelError(f"{folder / TENSORS} is damaged ({broken}); save the model again.") from None
    try:
        _restore(model, config, tensors)
    except KeyError as missing:
        raise ModelError(f"{folder} lacks {missing}; the folder is incomplete, save the model again.") from None
    except (ValueError, TypeError, AttributeError) as broken:
        raise ModelError(f"{folder} is damaged ({broken}); save the model again.") from None
    return model


def _restore(model: TextClassifier, config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
    """Put the fitted attributes back; what does not fit together raises a KeyError, ValueError or TypeError."""
    words = bytes(tensors.pop("vocabulary.words")).decode().split("\n")
    counts = tensors.pop("vocabulary.counts")
    vocabulary = Vocabulary(tuple(words if counts.size else ()), counts, config["vocabulary_documents"])
    weights = _expanded(tensors, config["shapes"], model.dtype)
    classes = np.array(config["classes"])
    if classes.shape != weights["output.bias"].shape or len(set(classes.tolist())) != len(classes):
        raise ValueError(f"{len(weights['output.bias'])} distinct classes are wanted, not {config['classes']}")
    if "embedding" in weights and len(weights["embedding"]) != len(vocabulary) + 1:
        raise ValueError(f"{len(weights['embedding'])} vectors for {len(vocabulary)} words")
    model.vocabulary_, model.weights_, model.classes_ = vocabulary, weights, classes
    model.n_documents_ = int(config["documents"])


def card(path: str | Path) -> dict[str, Any]:
    """The card a model was saved with; raises :class:`ModelError` like :func:`load`."""
    return dict(read_config(_folder(path)).get("card", {}))


def bundled() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(entry.parent.name for entry in PRETRAINED.glob("*/config.json"))


# ---- the folder


def _folder(path: str | Path) -> Path:
    folder = Path(path)
    if folder.is_dir():
        return folder
    if str(path) in bundled():
        return PRETRAINED / str(path)
    if folder.exists():
        raise ModelError(f"{folder} is a file; a model is a folder with config.json and model.safetensors.")
    names = f", or one of {', '.join(bundled())}" if bundled() else ""
    raise ModelError(f"no model at {str(path)!r}; give a folder that model.save() or 'textlrp train' wrote{names}.")


def _from_options(
    folder: Path, config: dict[str, Any], tokenizer: Callable[[str], Any] | None, skip: Callable[[str], Any] | None
) -> TextClassifier:
    if config["kind"] not in list(KINDS):
        raise ModelError(f"{folder} holds a model of kind {config['kind']!r}; this version knows {', '.join(KINDS)}.")
    options = config.get("options")
    if not isinstance(options, dict):
        raise ModelError(f"{folder / CONFIG} has no options; save the model again.")
    options = {name: _option(stored) for name, stored in options.items()}
    for name, given in (("tokenizer", tokenizer), ("skip", skip)):
        stored = options.get(name)
        if given is not None:
            options[name] = given
        elif isinstance(stored, dict):
            raise ModelError(
                f"{folder} was trained with the function {stored['callable']} as its {name}; "
                f"pass it again: load({str(folder)!r}, {name}={stored['callable'].rpartition(':')[2]})."
            )
    try:
        model = KINDS[config["kind"]](**{**OLDER_DEFAULTS.get(config["kind"], {}), **options})
        model.check_options()
    except TypeError as unknown:
        raise ModelError(f"{folder / CONFIG} has options this version does not know ({unknown}).") from None
    except OptionError as broken:
        raise ModelError(f"{folder / CONFIG} is damaged ({broken}); save the model again.") from None
    return model


# ---- values


def _stored(value: Any) -> Any:
    """An option as JSON can hold it; a generator and given vectors are left out."""
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, (Vectors, np.random.RandomState)) else plain_option(value)


def _option(stored: Any) -> Any:
    """The inverse of :func:`_stored`; a function stays as its name in a dict."""
    if isinstance(stored, dict) and "pairs" in stored:
        return {_option(key): _option(value) for key, value in stored["pairs"]}
    return tuple(_option(entry) for entry in stored) if isinstance(stored, list) else stored


def _compressed(weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    stored: dict[str, NDArray[Any]] = {}
    for name, weight in weights.items():
        if name == "embedding":
            scale = np.abs(weight).max(axis=1, keepdims=True) / 127
            stored["embedding.q8"] = np.round(weight / np.where(scale > 0, scale, 1)).astype(np.int8)
            stored["embedding.scale"] = scale.astype(np.float32)
        else:
            stored[name] = weight.astype(np.float16) if weight.dtype.kind == "f" else weight
    return stored


def _expanded(
    tensors: dict[str, NDArray[Any]], shapes: Mapping[str, list[int]], dtype: str
) -> dict[str, NDArray[Any]]:
    weights: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        if f"{name}.q8" in tensors:
            weight = tensors[f"{name}.q8"].astype(np.float32) * tensors[f"{name}.scale"]
        else:
            weight = tensors[name]
        if list(weight.shape) != shape:
            raise ModelError(f"{name} has shape {weight.shape} where config.json says {shape}; save the model again.")
        weights[name] = weight.astype(dtype) if weight.dtype.kind == "f" else weight
    return weights
